//! Variables in Dockerfiles and shell words.

/// `$V`, `${V}`, `${V:-w}`, `${V-w}`, `${V:+w}` replaced by `lookup`; `None` if one is unknown.
pub(crate) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    expand_at(text, lookup, 0)
}

fn expand_at(text: &str, lookup: &dyn Fn(&str) -> Option<String>, depth: u8) -> Option<String> {
    if depth > 8 || text.len() > 64 * 1024 {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(rest.get(..at)?);
        let tail = rest.get(at + 1..)?;
        if rest.as_bytes().get(at) == Some(&b'\\') {
            let escaped = tail.chars().next();
            if escaped != Some('$') {
                out.push('\\');
            }
            out.extend(escaped);
            rest = tail.get(escaped.map_or(0, char::len_utf8)..)?;
        } else if let Some(braced) = tail.strip_prefix('{') {
            let end = closing(braced)?;
            out.push_str(&parameter(braced.get(..end)?, lookup, depth)?);
            rest = braced.get(end + 1..)?;
        } else {
            let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(tail.len());
            if end == 0 {
                out.push('$');
            } else {
                out.push_str(&lookup(tail.get(..end)?)?);
            }
            rest = tail.get(end..)?;
        }
        if out.len() > 64 * 1024 {
            return None;
        }
    }
    out.push_str(rest);
    Some(out)
}

fn closing(braced: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, c) in braced.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn parameter(inner: &str, lookup: &dyn Fn(&str) -> Option<String>, depth: u8) -> Option<String> {
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let value = lookup(inner.get(..end)?);
    let operator = inner.get(end..)?;
    if let Some(word) = operator.strip_prefix(":-") {
        value.filter(|v| !v.is_empty()).map_or_else(|| expand_at(word, lookup, depth + 1), Some)
    } else if let Some(word) = operator.strip_prefix('-') {
        value.map_or_else(|| expand_at(word, lookup, depth + 1), Some)
    } else if let Some(word) = operator.strip_prefix(":+") {
        if value.is_some_and(|v| !v.is_empty()) { expand_at(word, lookup, depth + 1) } else { Some(String::new()) }
    } else if operator.is_empty() {
        value
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_the_five_forms() {
        let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
        let got = |text| expand(text, &lookup);
        assert_eq!(got("$A-${A}-${B:-x}-${B-$A}-${A:+y}-\\$A").as_deref(), Some("1-1-x-1-y-$A"));
        assert_eq!(got("$B"), None);
        assert_eq!(got("${A"), None);
        assert_eq!(got(&"${A:-".repeat(5_000)), None);
    }
}
