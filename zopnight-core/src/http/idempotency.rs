//! `Idempotency-Key`: a repeated request is recognised by it.

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::error::{ApiError, ApiResult};
use crate::domain::{Idempotency, IdempotencyRef, hex};
use crate::error::Error;

/// The key of a request, if it came with one.
#[derive(Clone, Debug)]
pub(super) struct Key(Option<String>);

/// What a key belongs to: the route's template and the ids in the path. The tenant is the store's part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    pub(super) template: &'static str,
    pub(super) ids: &'a [String],
}

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let refuse = || {
            let error = Error::invalid("http.idempotency", "the Idempotency-Key is malformed");
            Err(error.with_detail("Idempotency-Key", "must be one of 1 to 128 characters A-Z a-z 0-9 . _ : -").into())
        };
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => match value.to_str() {
                Ok(key) if is_key(key) => Ok(Self(Some(key.to_owned()))),
                _ => refuse(),
            },
            _ => refuse(),
        }
    }
}

fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

impl Key {
    /// The key with what the request wants, hashed. `status` is the one of the first answer.
    pub(super) fn of(&self, route: Route<'_>, body: &Value, status: u16) -> Option<Idempotency> {
        let key = self.0.as_ref()?;
        let mut scope = route.template.to_owned();
        for id in route.ids {
            scope.push('\n');
            scope.push_str(id);
        }
        let scope_hash = hex::sha256(scope.as_bytes());
        let mut request = scope;
        request.push('\n');
        write_sorted(body, &mut request);
        let key = IdempotencyRef { scope_hash, key_hash: hex::sha256(key.as_bytes()) };
        Some(Idempotency { key, request_digest: hex::sha256(request.as_bytes()), status })
    }
}

/// JSON with the keys of each object sorted, so that equal bodies have equal text.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for key in keys {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_sorted(members.get(key).unwrap_or(&Value::Null), out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_sorted(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// Marks an answer that repeats an earlier one.
pub(super) fn marked(answer: impl IntoResponse, replayed: bool) -> Response {
    let mut response = answer.into_response();
    if replayed {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, template: &'static str, id: &str, body: &str) -> Idempotency {
        let ids = [id.to_owned()];
        let body = serde_json::from_str(body).unwrap();
        Key(Some(key.to_owned())).of(Route { template, ids: &ids }, &body, 201).unwrap()
    }

    #[test]
    fn spelling_does_not_matter_but_meaning_does() {
        let first = of("k", "POST /a/{id}", "1", r#"{"a": 1, "b": {"c": [1, 2], "d": null}}"#);
        assert_eq!(first, of("k", "POST /a/{id}", "1", r#"{"b":{"d":null,"c":[1,2]},"a":1}"#));
        assert_ne!(
            first.request_digest,
            of("k", "POST /a/{id}", "1", r#"{"a": 1, "b": {"c": [2, 1], "d": null}}"#).request_digest
        );
        assert_ne!(first.key.scope_hash, of("k", "POST /a/{id}", "2", "{}").key.scope_hash);
        assert_ne!(first.key.scope_hash, of("k", "POST /b/{id}", "1", "{}").key.scope_hash);
        assert_ne!(first.key.key_hash, of("K", "POST /a/{id}", "1", "{}").key.key_hash);
    }

    #[test]
    fn keys_have_a_grammar() {
        for good in ["a", "A-1_2.3:4", &"k".repeat(128)] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", "a b", "é", &"k".repeat(129)] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
