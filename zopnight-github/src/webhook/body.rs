//! From the body's bytes to the fields we read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zopnight_core::Result;
use zopnight_core::domain::text;

use super::invalid;

/// Objects and arrays inside each other.
const MAX_DEPTH: usize = 64;

/// How the JSON is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// It is the body.
    Json,
    /// It is the form field `payload`.
    Form,
}

/// The JSON text of a body, UTF-8 and not nested too deeply.
pub(super) fn text(encoding: Encoding, body: &[u8]) -> Result<Cow<'_, str>> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("the body is not UTF-8"))?;
    let text = match encoding {
        Encoding::Json => Cow::Borrowed(text),
        Encoding::Form => Cow::Owned(form(text)?),
    };
    if is_too_deep(&text) {
        return Err(invalid("the body is nested deeper than 64 levels"));
    }
    Ok(text)
}

/// The value of the one field `payload`, decoded by the rules of `application/x-www-form-urlencoded`.
fn form(body: &str) -> Result<String> {
    let value = body.strip_prefix("payload=").filter(|v| !v.contains('&'));
    let value = value.ok_or_else(|| invalid("the form must have exactly one field, payload"))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = rest.next().and_then(nibble).zip(rest.next().and_then(nibble));
                let (high, low) = pair.ok_or_else(|| invalid("the form has an incomplete % escape"))?;
                (high << 4) | low
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| invalid("the payload is not UTF-8"))
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

fn is_too_deep(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        if in_string {
            (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Reads one JSON object and nothing after it. Unknown fields are passed over; a field of `T` that occurs twice is refused.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    let object: Object<T> = serde_json::from_str(json)
        .map_err(|error| invalid(text::line(&format!("the body is not as expected: {error}"), 200)))?;
    Ok(object.0)
}

/// An object of which nothing is read.
#[derive(Deserialize)]
pub(super) struct Empty {}

/// The action alone, to tell used ones from others before the rest is required.
#[derive(Deserialize)]
pub(super) struct Action<'a> {
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
}

/// `T` from a JSON object only. A derived struct would also take an array with its fields in order.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Only(PhantomData))
    }
}

/// A field that must be there but may be `null`.
pub(super) fn nullable<'de, D, T>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_byte_by_byte() {
        assert_eq!(form("payload=%7B%22a%22%3A+%22b%2Bc%22%7D").unwrap(), r#"{"a": "b+c"}"#);
        assert_eq!(form("payload=").unwrap(), "");
        assert_eq!(form("payload=a=b").unwrap(), "a=b");
        for bad in ["", "payload", "Payload=x", "x=1", "payload=a&payload=b", "x=1&payload=a", "payload=a&x=1", "payload=a&"]
        {
            assert!(form(bad).is_err(), "{bad}");
        }
        for bad in ["payload=%", "payload=%4", "payload=%zz", "payload=%+1", "payload=%FF", "payload=%C3"] {
            assert!(form(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |n: usize| ["[".repeat(n), "]".repeat(n)].concat();
        assert!(!is_too_deep(&nested(64)));
        assert!(is_too_deep(&nested(65)));
        assert!(!is_too_deep(&"[]".repeat(1_000)));
        assert!(!is_too_deep(&format!("{{\"a\":\"{}\"}}", "[".repeat(100))));
        assert!(!is_too_deep(&format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(100))));
        assert!(is_too_deep(&format!("{{\"a\":\"\\\\\",\"b\":{}}}", nested(64))));
    }

    #[test]
    fn only_objects_are_read_as_objects() {
        #[derive(Deserialize)]
        struct Inner {
            n: u32,
        }
        #[derive(Deserialize)]
        struct Outer {
            inner: Object<Inner>,
        }
        assert_eq!(parse::<Outer>(r#"{"inner":{"n":1,"more":[]}}"#).unwrap().inner.0.n, 1);
        for bad in [r#"{"inner":[1]}"#, r#"[{"n":1}]"#, r#"{"inner":{"n":1,"n":1}}"#, r#"{"inner":{"n":1}} x"#, "\u{feff}{}"]
        {
            assert!(parse::<Outer>(bad).is_err(), "{bad}");
        }
    }
}
