//! Between JSON, which values and objects are, and what templates work on.

use std::sync::Arc;

use gotmpl::Value;
use serde_json::{Number, Value as Json};

use super::numbers::{go_float, json_float};

/// JSON as a template sees it: every number is a float, as Helm's values are.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Float(n.as_f64().unwrap_or(0.0)),
        Json::String(s) => Value::String(Arc::from(s.as_str())),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(map) => Value::Map(Arc::new(map.iter().map(|(k, v)| (Arc::from(k.as_str()), from_json(v))).collect())),
    }
}

/// What a template made, as JSON. A whole float is an integer.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::from(*n),
        Value::Uint(n) => Json::from(*n),
        Value::Float(f) => float_to_json(*f),
        Value::String(s) => Json::from(&**s),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_string(), to_json(v))).collect()),
    }
}

fn float_to_json(float: f64) -> Json {
    if let Ok(whole) = json_float(float).parse::<i64>() {
        return Json::from(whole);
    }
    Number::from_f64(float).map_or(Json::Null, Json::Number)
}

/// JSON as Go's encoder writes it for HTML: `<`, `>`, `&`, U+2028 and U+2029 escaped, keys sorted.
pub(crate) fn to_json_text(json: &Json) -> String {
    let mut out = String::new();
    write_json(&mut out, json);
    out
}

fn write_json(out: &mut String, json: &Json) {
    match json {
        Json::String(text) => write_json_string(out, text),
        Json::Number(n) if n.is_f64() => out.push_str(&json_float(n.as_f64().unwrap_or(0.0))),
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json_string(out, key);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Beyond Go's set: characters that a YAML reader would refuse or fold inside quotes.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => escape(out, c),
            c if c.is_control() => escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, c: char) {
    out.push_str(&format!("\\u{:04x}", u32::from(c)));
}

/// `%v` of a value.
pub(crate) fn go_text(value: &Value) -> String {
    match value {
        Value::Float(f) => go_float(*f),
        Value::List(items) => ["[", &items.iter().map(go_text).collect::<Vec<_>>().join(" "), "]"].concat(),
        Value::Map(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| [k, ":", &go_text(v)].concat()).collect();
            ["map[", &pairs.join(" "), "]"].concat()
        }
        other => other.to_string(),
    }
}

/// Go's `%q`, which is also a double-quoted YAML scalar.
pub(crate) fn go_quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{B}' => out.push_str("\\v"),
            '\u{C}' => out.push_str("\\f"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) < 0x80 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xFFFF => escape(&mut out, c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Go escapes a few more; what is escaped reads back the same.
fn is_printable(c: char) -> bool {
    let hidden = matches!(u32::from(c), 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xE000..=0xF8FF | 0xFEFF | 0xFFF0..=0xFFFB | 0xFFFE..=0xFFFF | 0xE0000..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || hidden)
}

/// The whole number in `value`, cut towards zero; 0 for what holds none. Text may be `0x10`, `0b1`, `0o7` or `010`.
pub(crate) fn whole(value: &Value) -> i64 {
    match value {
        Value::Bool(b) => i64::from(*b),
        Value::Int(n) => *n,
        Value::Uint(n) => i64::try_from(*n).unwrap_or(i64::MAX),
        #[expect(clippy::cast_possible_truncation, reason = "Go cuts floats towards zero too; Rust saturates at the ends")]
        Value::Float(f) => *f as i64,
        Value::String(text) => parse_whole(text),
        _ => 0,
    }
}

fn parse_whole(text: &str) -> i64 {
    let text = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0')).map_or(text, |(whole, _)| whole);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (digits.get(2..), 16),
        [b'0', b'b' | b'B', ..] => (digits.get(2..), 2),
        [b'0', b'o' | b'O', ..] => (digits.get(2..), 8),
        [b'0', _, ..] => (digits.get(1..), 8),
        _ => (Some(digits), 10),
    };
    digits
        .filter(|d| d.starts_with(|c: char| c.is_ascii_hexdigit()))
        .and_then(|d| i64::from_str_radix(&[sign, d].concat(), radix).ok())
        .unwrap_or(0)
}
