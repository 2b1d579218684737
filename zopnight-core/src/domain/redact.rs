//! Removing secrets from text before it is stored.

use std::sync::LazyLock;

use regex::Regex;

use super::secret::Secret;

/// What replaces a secret.
const MASK: &str = "[redacted]";

/// Forge tokens, three-segment JWTs, PEM private keys, AWS access key ids.
static PATTERNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"|ghs_[0-9]+_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
        r"|gh[opsur]_[A-Za-z0-9_]{16,}",
        r"|github_pat_[A-Za-z0-9_]{16,}",
        r"|\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
        r"|\bAKIA[0-9A-Z]{16}\b",
    ))
    .ok()
});

/// Replaces the exact values of live secrets (of at least 8 bytes) and what looks like a credential by `[redacted]`.
///
/// ```
/// use zopnight_core::domain::{Redactor, Secret};
/// let r = Redactor::new(vec![Secret::new("correct horse".to_owned())]);
/// assert_eq!(r.text("the correct horse ran, AKIAABCDEFGHIJKLMNOP"), "the [redacted] ran, [redacted]");
/// ```
#[derive(Debug, Default, Clone)]
pub struct Redactor {
    live: Vec<Secret<String>>,
}

impl Redactor {
    /// A redactor that knows these values besides the patterns. Values shorter than 8 bytes are ignored: they would
    /// blot out ordinary text.
    #[must_use]
    pub fn new(live: Vec<Secret<String>>) -> Self {
        Self { live: live.into_iter().filter(|s| s.expose().len() >= 8).collect() }
    }

    /// `text` with every secret replaced.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.live {
            if clean.contains(secret.expose().as_str()) {
                clean = clean.replace(secret.expose().as_str(), MASK);
            }
        }
        match PATTERNS.as_ref() {
            Some(patterns) => patterns.replace_all(&clean, MASK).into_owned(),
            None => MASK.to_owned(),
        }
    }
}
