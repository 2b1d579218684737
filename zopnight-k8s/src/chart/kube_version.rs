//! Whether a server's version satisfies a chart's `kubeVersion`.

/// Major, minor, patch.
type Version = (u64, u64, u64);

/// Whether `version` satisfies `constraint`: alternatives separated by `||`, each a list of comparisons such as
/// `>=1.25.0-0`, `<1.40`, `~1.30`, `^1.2`, `1.30.x` or `1.2 - 1.5`. Pre-release and build marks are left aside, since
/// providers put theirs into a server's version. `None` if the constraint cannot be read.
pub(crate) fn satisfies(version: &str, constraint: &str) -> Option<bool> {
    let (version, _) = parse(version)?;
    let mut any = false;
    for alternative in constraint.split("||") {
        any |= all(version, alternative)?;
    }
    Some(any)
}

fn all(version: Version, alternative: &str) -> Option<bool> {
    if let Some((low, high)) = alternative.split_once(" - ") {
        return Some(compare(version, ">=", low.trim())? && compare(version, "<=", high.trim())?);
    }
    let spaced = alternative.replace(',', " ");
    let mut words = spaced.split_whitespace();
    let mut holds = true;
    while let Some(word) = words.next() {
        let digits = word.find(|c: char| c.is_ascii_digit() || "vxX*".contains(c)).unwrap_or(word.len());
        let (operator, operand) = word.split_at_checked(digits)?;
        // An operator may stand apart from its version.
        let operand = if operand.is_empty() { words.next()? } else { operand };
        holds &= compare(version, operator, operand)?;
    }
    Some(holds)
}

fn compare(version: Version, operator: &str, operand: &str) -> Option<bool> {
    let (wanted, parts) = parse(operand)?;
    let (major, minor, patch) = wanted;
    // The first version after all those that the operand's written parts name.
    let after = match parts {
        0 => (u64::MAX, 0, 0),
        1 => (major.checked_add(1)?, 0, 0),
        2 => (major, minor.checked_add(1)?, 0),
        _ => (major, minor, patch.checked_add(1)?),
    };
    let within = |end: Version| wanted <= version && version < end;
    Some(match operator {
        "" | "=" | "==" => within(after),
        "!=" => !within(after),
        ">" => version >= after,
        ">=" | "=>" => version >= wanted,
        "<" => version < wanted,
        "<=" | "=<" => version < after,
        "~" | "~>" => within(if parts < 2 { after } else { (major, minor.checked_add(1)?, 0) }),
        "^" if major > 0 || parts < 2 => within((major.checked_add(1)?, 0, 0)),
        "^" if minor > 0 || parts < 3 => within((0, minor.checked_add(1)?, 0)),
        "^" => within((0, 0, patch.checked_add(1)?)),
        _ => return None,
    })
}

/// The version and how many of its parts are written; `x` and `*` end it.
fn parse(text: &str) -> Option<(Version, usize)> {
    let text = text.trim_start_matches('v');
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = [0_u64; 3];
    let mut written = 0_usize;
    for (at, part) in core.split('.').enumerate() {
        if matches!(part, "x" | "X" | "*") {
            break;
        }
        *numbers.get_mut(at)? = part.parse().ok()?;
        written = at.checked_add(1)?;
    }
    let [major, minor, patch] = numbers;
    Some(((major, minor, patch), written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (constraint, holds) in [
            (">=1.25.0-0", true),
            (">= 1.25, < 1.40", true),
            (">=1.25 <1.33", false),
            (">1.33", false),
            (">1.32", true),
            ("<=1.33", true),
            ("1.33", true),
            ("1.33.x", true),
            ("1.*", true),
            ("*", true),
            ("=1.33.1", false),
            ("!=1.33.0", true),
            ("~1.33", true),
            ("~1.32.9", false),
            ("^1.20", true),
            ("^2", false),
            ("^0.3", false),
            ("1.20 - 1.33", true),
            ("1.20 - 1.32.5", false),
            ("<1.20 || >=1.33", true),
        ] {
            assert_eq!(satisfies("v1.33.2-eks-abc123", constraint), Some(holds), "{constraint}");
        }
        for unreadable in ["latest", ">=", "1.2.3.4", ">=a.b", "? 1.2", "|| latest"] {
            assert_eq!(satisfies("1.33.0", unreadable), None, "{unreadable}");
        }
    }
}
