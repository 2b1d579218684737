//! Kubernetes quantities, as far as CPU and memory need them.

use super::grammar::{rule, text_type};

text_type! {
    /// An amount of CPU or memory: `[0-9]+(?:m|Ki|Mi|Gi)?`, with one `.` allowed in CPU. At most 16 characters.
    Quantity, "quantity", |t| rule(t.len() <= 16 && milli(t).is_some(), "must be a number with an optional suffix m, Ki, Mi or Gi")
}

impl Quantity {
    /// The amount in thousandths of a core or of a byte.
    #[must_use]
    pub fn milli(&self) -> u128 {
        milli(self.as_str()).unwrap_or(0)
    }

    /// 1m..=64 cores.
    #[must_use]
    pub fn is_cpu(&self) -> bool {
        !self.as_str().ends_with('i') && (1..=64_000).contains(&self.milli())
    }

    /// 4Mi..=512Gi.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        let mebi = 1_000_u128 << 20;
        !self.as_str().contains(['m', '.']) && (4 * mebi..=512 * 1_024 * mebi).contains(&self.milli())
    }
}

fn milli(text: &str) -> Option<u128> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)? {
        "" => 1_000,
        "m" => 1,
        "Ki" => 1_000_u128 << 10,
        "Mi" => 1_000_u128 << 20,
        "Gi" => 1_000_u128 << 30,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let number =
        |t: &str| (!t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u128>().ok()).flatten();
    let whole = number(whole)?.checked_mul(factor)?;
    let Some(fraction) = fraction else { return Some(whole) };
    if factor != 1_000 || fraction.len() > 3 {
        return None;
    }
    let scale = 10_u128.checked_pow(3_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?;
    whole.checked_add(number(fraction)?.checked_mul(scale)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_bounds() {
        let q = |t| Quantity::parse(t).unwrap();
        assert_eq!(q("100m").milli(), 100);
        assert_eq!(q("0.5").milli(), 500);
        assert_eq!(q("1").milli(), 1_000);
        assert!(q("64").is_cpu() && !q("64.001").is_cpu() && !q("0").is_cpu() && !q("1Gi").is_cpu());
        assert!(q("4Mi").is_memory() && q("512Gi").is_memory() && !q("513Gi").is_memory() && !q("3Mi").is_memory());
        for bad in ["", "m", "1.", ".5", "1.5Gi", "-1", "1K", "1e3", "0.0001", "99999999999999999"] {
            assert!(Quantity::parse(bad).is_err(), "{bad}");
        }
    }
}
