//! Bodies, read whole within a limit and a deadline.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout_at};

use crate::callback::CallbackRefusal;

/// How long the body says it is.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the body up to `limit` bytes until `deadline`. Nothing is read on beyond either.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    deadline: Instant,
) -> Result<Bytes, CallbackRefusal> {
    if declared_length(headers).is_some_and(|length| length > limit) {
        return Err(CallbackRefusal::BodyTooLarge);
    }
    let mut whole = BytesMut::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Ok(frame) = timeout_at(deadline, frame).await else { return Err(CallbackRefusal::BodyTimeout) };
        match frame {
            None => return Ok(whole.freeze()),
            Some(Err(_)) => return Err(CallbackRefusal::BodyMalformed),
            Some(Ok(frame)) => {
                let Ok(part) = frame.into_data() else { continue };
                if whole.len().saturating_add(part.len()) > limit {
                    return Err(CallbackRefusal::BodyTooLarge);
                }
                whole.extend_from_slice(&part);
            }
        }
    }
}

/// Whether the headers say: JSON, in UTF-8 if anything, not compressed.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return false };
    kind.to_str().is_ok_and(is_json_type) && is_plain(headers)
}

/// Whether the body comes as it is.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|e| e.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn is_json_type(text: &str) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    json && parts.all(utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for good in ["application/json", "Application/JSON", "application/json; charset=UTF-8", "application/json;v=1"] {
            assert!(is_json_type(good), "{good}");
        }
        for bad in ["", "text/json", "application/json2", "application/json; charset=latin1", "application/json;charset"] {
            assert!(!is_json_type(bad), "{bad}");
        }
    }
}
