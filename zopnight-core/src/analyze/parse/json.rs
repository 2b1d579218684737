//! JSON with comments and trailing commas.

use serde_json::Value;

/// Parses strict JSON after comments and trailing commas were blanked out.
pub(crate) fn parse(text: &str) -> Option<Value> {
    serde_json::from_slice(&standardise(text)).ok()
}

/// A member by its exact name, else by its name in any case.
pub(crate) fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    let map = object.as_object()?;
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn standardise(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let mut comma: Option<usize> = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'"', _) => {
                at = string_end(&bytes, at);
                comma = None;
            }
            (b'/', Some(b'/')) => {
                let end = bytes.iter().skip(at).position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
                blank(&mut bytes, at, end);
                at = end;
            }
            (b'/', Some(b'*')) => {
                let Some(end) = bytes.get(at + 2..).and_then(|b| b.windows(2).position(|w| w == b"*/")) else {
                    return bytes;
                };
                blank(&mut bytes, at, at + end + 4);
                at += end + 4;
            }
            (b',', _) => {
                comma = Some(at);
                at += 1;
            }
            (b'}' | b']', _) => {
                if let Some(slot) = comma.take().and_then(|c| bytes.get_mut(c)) {
                    *slot = b' ';
                }
                at += 1;
            }
            (byte, _) => {
                if !byte.is_ascii_whitespace() {
                    comma = None;
                }
                at += 1;
            }
        }
    }
    bytes
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn blank(bytes: &mut [u8], from: usize, to: usize) {
    for byte in bytes.get_mut(from..to).unwrap_or_default() {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_comments_and_trailing_commas_but_not_more() {
        assert_eq!(parse("{ // a\n \"x\": [1, 2, /* b */ ], }"), Some(serde_json::json!({"x": [1, 2]})));
        assert_eq!(parse(r#"{"u": "http://x/*,]*/"}"#), Some(serde_json::json!({"u": "http://x/*,]*/"})));
        assert_eq!(parse("{'x': 1}"), None);
        assert_eq!(parse("\u{feff}{}"), None);
        assert_eq!(parse(&"[".repeat(10_000)), None);
    }
}
