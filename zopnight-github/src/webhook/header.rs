//! The headers of a delivery.

use zopnight_core::domain::DeliveryId;
use zopnight_core::ports::WebhookRequest;
use zopnight_core::{Error, ErrorKind, Result};

use super::body::Encoding;
use super::{OPERATION, invalid};

/// The values of a header, in order. Names come lower-cased; a caller that forgot must not get around "exactly one".
fn values<'r>(request: &'r WebhookRequest, name: &'static str) -> impl Iterator<Item = &'r [u8]> {
    request.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

fn one<'r>(request: &'r WebhookRequest, name: &'static str) -> Option<&'r str> {
    let mut values = values(request, name);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    std::str::from_utf8(value).ok()
}

/// At most one value; `None` if there is none.
fn optional<'r>(request: &'r WebhookRequest, name: &'static str) -> Result<Option<&'r str>> {
    match values(request, name).next() {
        None => Ok(None),
        Some(_) => one(request, name).map(Some).ok_or_else(|| invalid(format!("one {name} header of text is needed"))),
    }
}

/// The error for whatever is wrong with a signature: one text, so that nothing is learned from it.
pub(super) fn unauthenticated() -> Error {
    Error::new(ErrorKind::Unauthenticated, OPERATION, "the webhook's signature is missing or wrong")
}

/// The value of the one `X-Hub-Signature-256`.
pub(super) fn signature(request: &WebhookRequest) -> Result<&str> {
    one(request, "x-hub-signature-256").ok_or_else(unauthenticated)
}

/// The value of the one `X-GitHub-Event`: `[a-z0-9_]{1,64}`.
pub(super) fn event(request: &WebhookRequest) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    one(request, "x-github-event")
        .filter(|v| (1..=64).contains(&v.len()) && v.bytes().all(plain))
        .ok_or_else(|| invalid("one X-GitHub-Event of 1 to 64 of a-z 0-9 _ is needed"))
}

/// The value of the one `X-GitHub-Delivery`.
pub(super) fn delivery(request: &WebhookRequest) -> Result<DeliveryId> {
    let value = one(request, "x-github-delivery").ok_or_else(|| invalid("one X-GitHub-Delivery is needed"))?;
    DeliveryId::parse(value)
}

/// How the body is written, by `Content-Type`; a `Content-Encoding` other than identity is refused.
pub(super) fn encoding(request: &WebhookRequest) -> Result<Encoding> {
    let coding = optional(request, "content-encoding")?.unwrap_or("identity");
    if !coding.trim().eq_ignore_ascii_case("identity") {
        return Err(invalid("the body must not be encoded"));
    }
    let kind = optional(request, "content-type")?.unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(Encoding::Json)
    } else if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(Encoding::Form)
    } else {
        Err(invalid("the body must be application/json or application/x-www-form-urlencoded"))
    }
}
