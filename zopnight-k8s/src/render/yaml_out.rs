//! Writes JSON data as block YAML that every reader of YAML 1.1 and 1.2 takes for the same data.

use serde_json::{Number, Value as Json};

use super::numbers::{go_float, json_float};
use super::yaml_in::is_ambiguous;

/// Keys longer than this are written in the explicit form.
const SIMPLE_KEY: usize = 128;

/// `value` as YAML without a trailing newline: two spaces a level, lists at their parent's column, `{}` and `[]` inline.
pub(crate) fn to_yaml(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(map) if !map.is_empty() => mapping(&mut out, map, 0, true),
        Json::Array(items) if !items.is_empty() => sequence(&mut out, items, 0, true),
        other => scalar(&mut out, other, 0),
    }
    out
}

fn pad(out: &mut String, indent: usize) {
    for _ in 0..indent {
        out.push(' ');
    }
}

fn mapping(out: &mut String, map: &serde_json::Map<String, Json>, indent: usize, mut first: bool) {
    for (key, value) in map {
        if !first {
            out.push('\n');
            pad(out, indent);
        }
        first = false;
        let mut written = String::new();
        match key.as_str() {
            "<<" => double_quoted(&mut written, key),
            _ => inline_string(&mut written, key),
        }
        if written.chars().count() > SIMPLE_KEY {
            out.push_str("? ");
            out.push_str(&written);
            out.push('\n');
            pad(out, indent);
        } else {
            out.push_str(&written);
        }
        out.push(':');
        after_key(out, value, indent);
    }
}

fn after_key(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            let deeper = indent.saturating_add(2);
            out.push('\n');
            pad(out, deeper);
            mapping(out, map, deeper, true);
        }
        Json::Array(items) if !items.is_empty() => {
            out.push('\n');
            pad(out, indent);
            sequence(out, items, indent, true);
        }
        other => {
            out.push(' ');
            scalar(out, other, indent);
        }
    }
}

fn sequence(out: &mut String, items: &[Json], indent: usize, mut first: bool) {
    let deeper = indent.saturating_add(2);
    for item in items {
        if !first {
            out.push('\n');
            pad(out, indent);
        }
        first = false;
        out.push_str("- ");
        match item {
            Json::Object(map) if !map.is_empty() => mapping(out, map, deeper, true),
            Json::Array(inner) if !inner.is_empty() => sequence(out, inner, deeper, true),
            other => scalar(out, other, indent),
        }
    }
}

fn scalar(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => out.push_str(&number_text(number)),
        Json::String(text) if is_block(text) => block(out, text, indent.saturating_add(2)),
        Json::String(text) => inline_string(out, text),
        Json::Array(_) => out.push_str("[]"),
        Json::Object(_) => out.push_str("{}"),
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e21 => json_float(float),
        Some(float) if number.is_f64() => go_float(float),
        _ => number.to_string(),
    }
}

/// Whether `text` is written as a `|` block: several lines, and nothing that a block cannot hold or a reader would change.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.ends_with(' ')
        && !text.contains(" \n")
        && text.chars().all(|c| c == '\n' || is_plain_char(c))
}

fn block(out: &mut String, text: &str, indent: usize) {
    let body = text.strip_suffix('\n').unwrap_or(text);
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    if !text.ends_with('\n') {
        out.push('-');
    } else if body.is_empty() || body.ends_with('\n') {
        out.push('+');
    }
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
}

fn is_plain_char(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

fn inline_string(out: &mut String, text: &str) {
    if !text.chars().all(is_plain_char) || text.is_empty() || is_ambiguous(text) {
        double_quoted(out, text);
    } else if needs_quotes(text) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        out.push_str(text);
    }
}

fn needs_quotes(text: &str) -> bool {
    let blank = |c: Option<char>| c.is_none_or(|c| c == ' ');
    if text.starts_with(' ') || text.ends_with(' ') || text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let mut chars = text.chars();
    match chars.next() {
        Some('#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`') => return true,
        Some('-' | '?' | ':') if blank(chars.next()) => return true,
        _ => {}
    }
    text.contains(": ") || text.ends_with(':') || text.contains(" #")
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_plain_char(c) => out.push(c),
            c if u32::from(c) <= 0xFF => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::yaml_in;
    use super::*;

    #[test]
    fn layout() {
        let value = json!({"b": {"l": [{"a": 1, "b": [1, [2]]}, "x"], "e": {}, "m": [], "z": null}, "a": "x\ny"});
        let text = "a: |-\n  x\n  y\nb:\n  e: {}\n  l:\n  - a: 1\n    b:\n    - 1\n    - - 2\n  - x\n  m: []\n  z: null";
        assert_eq!(to_yaml(&value), text);
        assert_eq!(to_yaml(&json!("a\n\n")), "|+\n  a\n");
        assert_eq!(to_yaml(&json!("\n")), "|2+\n");
        assert_eq!(
            to_yaml(&json!([1.0, 1.5, 1e20, 1e21, 1_234_567.5])),
            "- 1\n- 1.5\n- 100000000000000000000\n- 1e+21\n- 1.2345675e+06"
        );
    }

    #[test]
    fn what_would_be_read_as_something_else_is_double_quoted() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "true",
            "null",
            "~",
            "",
            "0x1F",
            "1e3",
            "012",
            "1_000",
            ".5",
            "12:30:45",
            "2026-01-01",
            "a\tb",
            "\u{FEFF}",
            "\u{85}",
        ] {
            assert!(to_yaml(&json!(text)).starts_with('"'), "{text}: {}", to_yaml(&json!(text)));
        }
        for text in ["a: b", "- a", "#x", "!x", " x", "x ", "*x", "&x", "{", "a #b", "-", "it's: x"] {
            assert!(to_yaml(&json!(text)).starts_with('\''), "{text}: {}", to_yaml(&json!(text)));
        }
        for text in ["a", "a:b", "a#b", "-a", "it's", "1.2.3", "é", "r.test/a@sha256:00"] {
            assert_eq!(to_yaml(&json!(text)), text);
        }
    }

    pub(crate) fn any_json() -> impl Strategy<Value = Json> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~\n\t#:'\"|>&*!%@`{}\\[\\],?-]{0,12}",
            "[0-9xXeEob_.:+-]{0,6}",
            "(yes|no|null|~|true|<<|=|---|\\.\\.\\.)[ \n]?",
            "[a-z:]{120,140}",
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Json::from),
            text.clone().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::btree_map(text.clone(), inner, 0..6).prop_map(|m| Json::Object(m.into_iter().collect())),
            ]
        })
    }

    /// The same data with each number as a float: a whole float is written, and read back, as an integer.
    fn floats(value: Json) -> Json {
        match value {
            Json::Number(n) => n.as_f64().map_or(Json::Null, |f| json!(f + 0.0)),
            Json::Array(items) => items.into_iter().map(floats).collect(),
            Json::Object(map) => Json::Object(map.into_iter().map(|(k, v)| (k, floats(v))).collect()),
            other => other,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn what_is_written_is_read_back(value in any_json()) {
            let text = to_yaml(&value);
            // Written without its last line end, as by Helm; a template goes on with one.
            let read = yaml_in::parse(&[&text, "\n"].concat()).map_err(|e| TestCaseError::fail(format!("{e}:\n{text}")))?;
            prop_assert_eq!(floats(read), floats(value), "{}", text);
        }
    }
}
