//! The one error type of the project.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by meaning. It tells a caller how to answer, not which part failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing does not exist, or is another tenant's.
    NotFound,
    /// The present state does not allow it.
    Conflict,
    /// The input is malformed or outside its bounds.
    Invalid,
    /// No credential, or a wrong one.
    Unauthenticated,
    /// The credential is known but may not do this.
    Forbidden,
    /// Too many requests; see [`Retry::After`].
    RateLimited,
    /// A dependency cannot be reached or is failing.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// This adapter or server cannot do it at all.
    Unsupported,
    /// A defect on our side.
    Internal,
}

impl ErrorKind {
    /// The snake-case name, as in API codes and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }

    const fn default_retry(self) -> Retry {
        match self {
            Self::Unavailable | Self::Timeout | Self::RateLimited => Retry::Backoff,
            _ => Retry::Never,
        }
    }
}

/// Whether the same call may succeed later. Decided where the cause is known; the worker reads nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Repeating it cannot help.
    Never,
    /// Repeat with growing pauses.
    Backoff,
    /// Repeat after this time, not earlier.
    After(Duration),
}

/// Kind, retry advice, operation, message, context and source in one boxed value of pointer size.
///
/// `Display` is one line for people and logs; it never holds a secret, because nothing that makes an `Error` puts
/// one in. `Debug` adds the context and the chain of sources.
///
/// ```
/// use zopnight_core::{Error, ErrorKind, Retry};
/// let e = Error::new(ErrorKind::Unavailable, "forge.heads", "connection refused").with("code", "forge_unreachable");
/// assert_eq!(e.retry(), Retry::Backoff);
/// assert_eq!(e.code(), Some("forge_unreachable"));
/// assert_eq!(e.to_string(), "forge.heads: connection refused");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    details: Vec<(String, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` met in `operation` (a constant such as `store.apply`). The retry advice is the kind's
    /// usual one: `Backoff` for Unavailable, Timeout and RateLimited, else `Never`.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        let retry = kind.default_retry();
        Self(Box::new(Inner {
            kind,
            retry,
            operation,
            message: message.into(),
            context: Vec::new(),
            details: Vec::new(),
            source: None,
        }))
    }

    /// `ErrorKind::NotFound`, with a `code`.
    #[must_use]
    pub fn not_found(operation: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, operation, message).with("code", code)
    }

    /// `ErrorKind::Conflict`, with a `code`.
    #[must_use]
    pub fn conflict(operation: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, operation, message).with("code", code)
    }

    /// `ErrorKind::Invalid`.
    #[must_use]
    pub fn invalid(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, operation, message)
    }

    /// `ErrorKind::Unavailable`, `Retry::Backoff`.
    #[must_use]
    pub fn unavailable(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, operation, message)
    }

    /// `ErrorKind::Internal`.
    #[must_use]
    pub fn internal(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, operation, message)
    }

    /// Adds a fact. The key `code` holds the finer machine-readable cause: lower snake case, at most 40 characters.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Names one bad field of a request and the rule it breaks.
    #[must_use]
    pub fn with_detail(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.details.push((field.into(), message.into()));
        self
    }

    /// Overrides the retry advice.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Keeps the cause. It is shown by `Debug` and `source()`, never by `Display`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, by meaning.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether and when the same call may succeed.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The operation that met it.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// One sentence for a person, without the operation.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The context value under `key`, the newest first.
    #[must_use]
    pub fn context(&self, key: &str) -> Option<&str> {
        self.0.context.iter().rev().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    /// The finer cause: the context key `code`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.context("code")
    }

    /// Every bad field of a request, with the rule it breaks.
    #[must_use]
    pub fn details(&self) -> &[(String, String)] {
        &self.0.details
    }

    /// `code()`, else the kind's name.
    #[must_use]
    pub fn code_or_kind(&self) -> &str {
        self.code().unwrap_or(self.0.kind.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {:?})", self, self.0.kind.as_str(), self.0.retry)?;
        for (key, value) in &self.0.context {
            write!(f, ", {key}={value:?}")?;
        }
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ", caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_small_and_keeps_the_newest_code() {
        assert!(size_of::<Error>() <= 64);
        let e = Error::conflict("op", "first", "m").with("code", "second");
        assert_eq!(e.code(), Some("second"));
        assert_eq!(e.retry(), Retry::Never);
    }

    #[test]
    fn debug_shows_context_and_sources_display_does_not() {
        let e = Error::internal("op", "broken").with("row", "7").with_source(std::io::Error::other("disk"));
        assert_eq!(e.to_string(), "op: broken");
        assert_eq!(format!("{e:?}"), r#"op: broken (internal, Never), row="7", caused by: disk"#);
    }
}
