//! Reads YAML as Helm does: YAML 1.1 scalars, JSON data, duplicate keys refused.

use std::collections::HashMap;

use serde_json::{Map, Number, Value as Json};
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, StrInput, Tag};

const MAX_NODES: usize = 20_000;
const MAX_DEPTH: usize = 64;
const MAX_ALIASES: usize = 100;

type Read<T> = Result<T, String>;

/// The first document of `text`, or null if there is none. At most 20 000 nodes, 64 levels and 100 aliases.
pub(crate) fn parse(text: &str) -> Read<Json> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, anchors: HashMap::new(), nodes: 0, depth: 0, aliases: 0 };
    loop {
        match reader.event()? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(Json::Null),
            first => return reader.node(first).map(|node| node.value),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    depth: usize,
    aliases: usize,
}

#[derive(Clone)]
struct Node {
    value: Json,
    merge: bool,
    size: usize,
}

impl<'t> Reader<'t> {
    fn event(&mut self) -> Read<Event<'t>> {
        loop {
            return match self.parser.next_event() {
                None => Ok(Event::StreamEnd),
                Some(Err(e)) => Err(e.to_string()),
                Some(Ok((event, _))) if event.is_node() || !is_presentation(&event) => Ok(event),
                Some(Ok(_)) => continue,
            };
        }
    }

    fn count(&mut self, nodes: usize) -> Read<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { Err(format!("more than {MAX_NODES} nodes")) } else { Ok(()) }
    }

    fn node(&mut self, event: Event<'t>) -> Read<Node> {
        let before = self.nodes;
        self.count(1)?;
        let (mut node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let merge = plain && tag.is_none() && text == "<<";
                (Node { value: scalar(&text, plain, tag.as_deref())?, merge, size: 1 }, anchor)
            }
            Event::Alias(id) => {
                self.aliases = self.aliases.saturating_add(1);
                if self.aliases > MAX_ALIASES {
                    return Err(format!("more than {MAX_ALIASES} aliases"));
                }
                let node = self.anchors.get(&id).cloned().ok_or("an alias to a node that contains it")?;
                self.count(node.size)?;
                return Ok(node);
            }
            Event::SequenceStart(_, anchor, tag) => (self.nested(tag.as_deref(), "seq", Self::sequence)?, anchor),
            Event::MappingStart(_, anchor, tag) => (self.nested(tag.as_deref(), "map", Self::mapping)?, anchor),
            other => return Err(format!("unexpected {other:?}")),
        };
        node.size = self.nodes.saturating_sub(before);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn nested(&mut self, tag: Option<&Tag>, kind: &str, read: fn(&mut Self) -> Read<Json>) -> Read<Node> {
        if tag.is_some_and(|t| t.core_suffix() != Some(kind)) {
            return Err("a tag that is not of YAML's core schema".into());
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels"));
        }
        let value = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(Node { value, merge: false, size: 0 })
    }

    fn sequence(&mut self) -> Read<Json> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                Event::SequenceEnd => return Ok(Json::Array(items)),
                event => items.push(self.node(event)?.value),
            }
        }
    }

    fn mapping(&mut self) -> Read<Json> {
        let (mut map, mut merged) = (Map::new(), Map::new());
        loop {
            let key = match self.event()? {
                Event::MappingEnd => break,
                event => self.node(event)?,
            };
            let event = self.event()?;
            let value = self.node(event)?.value;
            if key.merge {
                merge(&mut merged, value)?;
                continue;
            }
            let key = key_text(key.value)?;
            if map.contains_key(&key) {
                return Err(format!("key {key:?} is given twice"));
            }
            map.insert(key, value);
        }
        for (key, value) in merged {
            map.entry(key).or_insert(value);
        }
        Ok(Json::Object(map))
    }
}

fn is_presentation(event: &Event<'_>) -> bool {
    !matches!(
        event,
        Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd
    )
}

fn merge(into: &mut Map<String, Json>, from: Json) -> Read<()> {
    match from {
        Json::Object(map) => {
            for (key, value) in map {
                into.entry(key).or_insert(value);
            }
            Ok(())
        }
        Json::Array(items) => items.into_iter().try_for_each(|item| match item {
            Json::Object(_) => merge(into, item),
            _ => Err("a merge key with something other than maps".into()),
        }),
        _ => Err("a merge key with something other than maps".into()),
    }
}

fn key_text(key: Json) -> Read<String> {
    match key {
        Json::String(text) => Ok(text),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => Err("a key that is not a scalar".into()),
    }
}

fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> Read<Json> {
    let resolved = match tag {
        None if !plain => return Ok(Json::from(text)),
        None => return resolve(text),
        Some(tag) if tag.original() == "!" => return Ok(Json::from(text)),
        Some(tag) => tag.core_suffix().ok_or("a tag that is not of YAML's core schema")?,
    };
    let value = resolve(text)?;
    let fits = match resolved {
        "str" => return Ok(Json::from(text)),
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        _ => false,
    };
    if fits { Ok(value) } else { Err(format!("{text:?} is no {resolved}")) }
}

/// Whether a plain `text` would be read as something other than this string.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    !matches!(resolve(text), Ok(Json::String(_))) || is_base_60(text) || is_timestamp(text)
}

fn resolve(text: &str) -> Read<Json> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Json::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Json::Bool(false),
        _ if is_non_finite(text) => return Err(format!("{text}: numbers must be finite")),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            number(text).unwrap_or_else(|| Json::from(text))
        }
        _ => Json::from(text),
    })
}

fn is_non_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn number(text: &str) -> Option<Json> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = |prefixes: [&str; 2], radix| prefixes.iter().find_map(|p| digits.strip_prefix(p)).map(|rest| (rest, radix));
    let (rest, base) = radix(["0x", "0X"], 16)
        .or_else(|| radix(["0o", "0O"], 8))
        .or_else(|| radix(["0b", "0B"], 2))
        .or_else(|| digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8)))
        .unwrap_or((digits, 10));
    if !rest.starts_with(['+', '-'])
        && let Ok(magnitude) = i128::from_str_radix(rest, base)
    {
        let value = if negative { magnitude.checked_neg()? } else { magnitude };
        if let Ok(signed) = i64::try_from(value) {
            return Some(Json::from(signed));
        }
        if let Ok(unsigned) = u64::try_from(value) {
            return Some(Json::from(unsigned));
        }
    }
    if !is_decimal(&plain) {
        return None;
    }
    let value: f64 = plain.parse().ok()?;
    Number::from_f64(value).map(Json::Number)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let mantissa_ok = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some((whole, fraction)) => {
            (whole.is_empty() && digits(fraction)) || (digits(whole) && (fraction.is_empty() || digits(fraction)))
        }
    };
    mantissa_ok && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.contains(':')
        && unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b":_.".contains(&b))
}

fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..4).all(digit) && bytes.get(4) == Some(&b'-') && digit(5)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        let read = |t: &str| parse(&format!("v: {t}")).unwrap()["v"].clone();
        for text in ["y", "yes", "on", "True", "TRUE", "Y"] {
            assert_eq!(read(text), json!(true), "{text}");
        }
        for text in ["n", "no", "off", "False", "N"] {
            assert_eq!(read(text), json!(false), "{text}");
        }
        for (text, number) in
            [("0777", 511), ("0o17", 15), ("1_000", 1000), ("0b11", 3), ("0x1F", 31), ("-0x1F", -31), ("+5", 5)]
        {
            assert_eq!(read(text), json!(number), "{text}");
        }
        assert_eq!(read("1e3"), json!(1000.0));
        assert_eq!(read(".5"), json!(0.5));
        assert_eq!(read("08"), json!(8.0));
        for text in ["12:30", "2026-01-01", "1.2.3", "0xZZ", "+-5", "1e", "._", "\"yes\"", "'0777'", "!!str 7"] {
            assert!(read(text).is_string(), "{text}: {}", read(text));
        }
        assert_eq!(read(""), Json::Null);
        assert_eq!(read("~"), Json::Null);
        assert_eq!(parse("n: 1").unwrap(), json!({"false": 1}));
        assert_eq!(parse("").unwrap(), Json::Null);
    }

    #[test]
    fn refuses_what_has_no_one_meaning() {
        for bad in
            ["a: 1\na: 2", "y: 1\nyes: 2", "a: .inf", "a: .nan", "? [a]\n: 1", "a: *x", "a: !!int x", "a: !foo x", "~: 1"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn anchors_and_merge_keys_work_within_bounds() {
        let text = "base: &b {a: 1, b: 2}\nuse:\n  <<: *b\n  b: 3\n";
        assert_eq!(parse(text).unwrap()["use"], json!({"a": 1, "b": 3}));
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        assert!(parse(bomb).unwrap_err().contains("nodes"));
        assert!(parse(&format!("a: &a 1\nb: [{}]", "*a,".repeat(101))).unwrap_err().contains("aliases"));
        assert!(parse(&format!("{}{}", "[".repeat(65), "]".repeat(65))).unwrap_err().contains("levels"));
        assert!(parse(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
        assert!(parse("a: &a [*a]").is_err());
    }
}
