//! JSON bodies, strictly.

use std::fmt;

use axum::extract::{FromRequest, Request};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::body::{is_json, read};
use super::error::{ApiError, ApiResult};
use super::state::App;
use crate::callback::CallbackRefusal;
use crate::domain::text::cut;
use crate::error::Error;

/// Deepest nesting of a body.
const DEPTH: u32 = 32;

/// A JSON body that must be there.
#[derive(Clone, Debug)]
pub(super) struct JsonBody(pub(super) Value);

/// A JSON body that may be left out; then it is `{}`.
#[derive(Clone, Debug)]
pub(super) struct OptionalJson(pub(super) Value);

impl FromRequest<App> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        body(request, app, false).await.map(Self)
    }
}

impl FromRequest<App> for OptionalJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        body(request, app, true).await.map(Self)
    }
}

async fn body(request: Request, app: &App, optional: bool) -> ApiResult<Value> {
    let (parts, body) = request.into_parts();
    let typed = is_json(&parts.headers);
    if !typed && !optional {
        return Err(ApiError::of_body(CallbackRefusal::ContentType));
    }
    let now = Instant::now();
    let deadline = now.checked_add(app.config.body_read_timeout).unwrap_or(now);
    let bytes = read(&parts.headers, body, app.config.json_body_limit, deadline).await.map_err(ApiError::of_body)?;
    match (bytes.is_empty(), typed) {
        (true, _) if optional => Ok(Value::Object(Map::new())),
        (_, false) => Err(ApiError::of_body(CallbackRefusal::ContentType)),
        _ => Ok(parse(&bytes)?),
    }
}

/// Reads one JSON value without repeated keys, nested at most 32 deep, with nothing before or after it.
///
/// # Errors
/// `Invalid`, with a detail for the body.
fn parse(bytes: &[u8]) -> crate::Result<Value> {
    let refuse = |rule: String| Error::invalid("http.body", "the body is not acceptable JSON").with_detail("body", rule);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { left: DEPTH }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| refuse(error.to_string()))
}

/// A JSON value that may nest so many levels more.
#[derive(Clone, Copy)]
struct Strict {
    left: u32,
}

impl Strict {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.below()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.below()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {:?} is there twice", cut(&key, 64))));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_is_read() {
        let value = parse(br#" {"a": [1, -2, 1.5, "x", null, true], "b": {}} "#).unwrap();
        assert_eq!(value["a"][1], -2);
        assert_eq!(value["b"], Value::Object(Map::new()));
    }

    #[test]
    fn what_is_not_one_plain_value_is_refused() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n)).into_bytes();
        assert!(parse(&deep(32)).is_ok());
        let bad: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"{} {}".to_vec(),
            b"{}x".to_vec(),
            b"\xEF\xBB\xBF{}".to_vec(),
            b"{\"a\": \"\xFF\"}".to_vec(),
            br#"{"a": 1, "a": 1}"#.to_vec(),
            br#"{"a": {"b": 1, "\u0062": 2}}"#.to_vec(),
            b"{\"a\": 1,}".to_vec(),
            b"NaN".to_vec(),
            deep(33),
            deep(100_000),
        ];
        for bytes in bad {
            let error = parse(&bytes).unwrap_err();
            assert_eq!(error.details().len(), 1, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
