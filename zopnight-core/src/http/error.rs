//! Errors as answers.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::callback::CallbackRefusal;
use crate::error::{Error, ErrorKind, Retry};

pub(super) type ApiResult<T> = std::result::Result<T, ApiError>;

/// A refusal or a failure on its way to the client. The envelope around it is written where the request's id is known.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: Option<Vec<(String, String)>>,
    pub(super) retry_after: Option<u64>,
    /// What really happened, for the log.
    pub(super) cause: Option<Arc<Error>>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned(), details: None, retry_after: None, cause: None }
    }

    /// The answer to an unknown path, and to an id that cannot be one.
    pub(super) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take this method")
    }

    pub(super) fn unauthenticated(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    pub(super) fn panicked() -> Self {
        Self::from(Error::internal("http", "a handler panicked"))
    }

    /// Too many requests under way.
    pub(super) fn busy(retry_after: u64) -> Self {
        let mut error = Self::from(Error::unavailable("http", "too many requests are under way"));
        error.retry_after = Some(retry_after);
        error
    }

    /// A body that did not come as it must.
    pub(super) fn of_body(refusal: CallbackRefusal) -> Self {
        let message = match refusal {
            CallbackRefusal::ContentType => "the body must be application/json in UTF-8, not compressed",
            CallbackRefusal::BodyTooLarge => "the body is too large",
            CallbackRefusal::BodyTimeout => "the body came too slowly",
            _ => {
                return Self::from(
                    Error::invalid("http.body", "the body could not be read").with_detail("body", "broken off"),
                );
            }
        };
        Self { message: message.to_owned(), ..Self::from(refusal) }
    }
}

/// Status, default code, and seconds to wait unless the error says another number.
const fn row(kind: ErrorKind) -> (StatusCode, &'static str, Option<u64>) {
    match kind {
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found", None),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict", None),
        ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "invalid_request", None),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", None),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", None),
        ErrorKind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", Some(60)),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(5)),
        ErrorKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout", Some(5)),
        ErrorKind::Unsupported => (StatusCode::NOT_IMPLEMENTED, "unsupported", None),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", None),
    }
}

/// The sentence of kinds whose cause is nobody else's business.
const fn fixed_sentence(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Internal => Some("something went wrong on our side"),
        ErrorKind::Unavailable => Some("a service this needs cannot be reached now, try again later"),
        ErrorKind::Timeout => Some("a service this needs did not answer in time, try again later"),
        _ => None,
    }
}

fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let (mut status, default, wait) = row(kind);
        let code = error.code().filter(|c| is_code(c) && kind != ErrorKind::Internal).unwrap_or(default).to_owned();
        if code == "idempotency_key_reused" {
            status = StatusCode::UNPROCESSABLE_ENTITY;
        }
        let retry_after = match error.retry() {
            Retry::After(d) if wait.is_some() && kind != ErrorKind::Timeout => Some(d.as_secs().max(1)),
            _ => wait,
        };
        Self {
            status,
            code,
            message: fixed_sentence(kind).unwrap_or(error.message()).to_owned(),
            details: (kind == ErrorKind::Invalid).then(|| error.details().to_vec()),
            retry_after,
            cause: Some(Arc::new(error)),
        }
    }
}

impl From<CallbackRefusal> for ApiError {
    fn from(refusal: CallbackRefusal) -> Self {
        let error = refusal.into_error();
        let message = error.message().to_owned();
        let (status, details) = match StatusCode::from_u16(refusal.status()) {
            Ok(StatusCode::BAD_REQUEST) => (StatusCode::BAD_REQUEST, Some(Vec::new())),
            Ok(status) => (status, None),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        Self { status, message, details, ..Self::from(error) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_cause_of_our_failures_is_not_told() {
        for kind in [ErrorKind::Internal, ErrorKind::Unavailable, ErrorKind::Timeout] {
            let error = ApiError::from(Error::new(kind, "store.apply", "SELECT secret FROM t").with("code", "pg_down"));
            assert!(!error.message.contains("SELECT"), "{}", error.message);
            assert_eq!(error.code == "pg_down", kind != ErrorKind::Internal);
        }
    }

    #[test]
    fn waits_come_from_the_error_or_the_table() {
        let limited = |retry| ApiError::from(Error::new(ErrorKind::RateLimited, "op", "m").with_retry(retry)).retry_after;
        assert_eq!(limited(Retry::Backoff), Some(60));
        assert_eq!(limited(Retry::After(Duration::from_millis(10))), Some(1));
        assert_eq!(limited(Retry::After(Duration::from_secs(7))), Some(7));
        let conflict = Error::conflict("op", "quota", "m").with_retry(Retry::After(Duration::from_secs(7)));
        assert_eq!(ApiError::from(conflict).retry_after, None);
    }

    #[test]
    fn every_refusal_keeps_its_status_and_401_tells_no_cause() {
        for refusal in CallbackRefusal::ALL.iter().copied() {
            let error = ApiError::from(refusal);
            assert_eq!(error.status.as_u16(), refusal.status(), "{refusal}");
            let hidden = error.code == "unauthenticated" && error.message == "callback token refused";
            assert_eq!(hidden, refusal.status() == 401, "{refusal}");
        }
    }
}
