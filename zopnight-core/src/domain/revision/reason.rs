//! Why a revision ended.

use crate::domain::grammar::{bytes_of, rule, text_type};
use crate::domain::redact::Redactor;
use crate::domain::text;
use crate::error::Error;

text_type! {
    /// A machine-readable cause: `[a-z0-9_]{1,40}`.
    ReasonCode, "reason code", |t| rule(
        bytes_of(t, 40, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
        "must be 1 to 40 of a-z 0-9 _",
    )
}

/// Why a revision ended: a code and one sentence for a person, at most 1,024 bytes, cleaned and redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    code: ReasonCode,
    message: String,
}

impl Reason {
    /// A reason; a `code` outside the grammar becomes `internal`.
    #[must_use]
    pub fn new(code: &str, message: &str) -> Self {
        let code = ReasonCode::parse(code).unwrap_or_else(|_| ReasonCode("internal".into()));
        Self { code, message: text::cut_bytes(&Redactor::default().text(&text::clean(message)), 1_024) }
    }

    /// The code of a final error, with its message.
    #[must_use]
    pub fn from_error(error: &Error) -> Self {
        Self::new(error.code_or_kind(), error.message())
    }

    /// The machine-readable cause.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.as_str()
    }

    /// One sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}
