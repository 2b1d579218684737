//! Numbers as Go prints them.

/// The digits and the exponent of the shortest text that reads back as `value`: `0.d1d2… × 10^point`.
fn shortest(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    (mantissa.replace('.', ""), exponent.saturating_add(1))
}

fn scientific(value: f64, exponent_digits: usize) -> String {
    let (digits, point) = shortest(value);
    let exponent = point.saturating_sub(1);
    let mut text = String::new();
    if value.is_sign_negative() {
        text.push('-');
    }
    let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
    text.push_str(first);
    if !rest.is_empty() {
        text.push('.');
        text.push_str(rest);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    text.push_str(&format!("e{sign}{:0exponent_digits$}", exponent.unsigned_abs()));
    text
}

/// Go's `%v` of a float64: the shortest digits, scientific below 1e-4 and from 1e+06 on.
pub(crate) fn go_float(value: f64) -> String {
    let exponent = shortest(value).1.saturating_sub(1);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        return scientific(value, 2);
    }
    format!("{value}")
}

/// A float as Go's JSON encoder writes it: decimal between 1e-6 and 1e21.
pub(crate) fn json_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        return scientific(value, 1);
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, v, json) in [
            (8000.0, "8000", "8000"),
            (1e6, "1e+06", "1000000"),
            (1.234_567_890_1e10, "1.2345678901e+10", "12345678901"),
            (-0.5, "-0.5", "-0.5"),
            (0.0, "0", "0"),
            (1e-5, "1e-05", "0.00001"),
            (1e-7, "1e-07", "1e-7"),
            (1e21, "1e+21", "1e+21"),
            (1.5e300, "1.5e+300", "1.5e+300"),
        ] {
            assert_eq!((go_float(value).as_str(), json_float(value).as_str()), (v, json));
        }
    }
}
