//! Removing secrets from text before it is stored.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::secret::Secret;

/// What replaces a secret.
const MASK: &str = "[redacted]";

/// Forge tokens of any length, three-segment JWTs, PEM private keys, AWS access key ids; also in the middle of a word.
static PATTERNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"|ghs_[0-9]+_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
        r"|gh[opsur]_[A-Za-z0-9_]+",
        r"|github_pat_[A-Za-z0-9_]+",
        r"|eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        r"|AKIA[0-9A-Z]{16}",
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

    /// `text` with every secret replaced. Secrets that overlap become one `[redacted]`, so that nothing of either is left.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let Some(patterns) = PATTERNS.as_ref() else { return MASK.to_owned() };
        let mut spans: Vec<Range<usize>> = patterns.find_iter(text).map(|found| found.range()).collect();
        for secret in &self.live {
            spans.extend(occurrences(text, secret.expose()));
        }
        spans.sort_unstable_by_key(|span| span.start);
        let mut clean = String::with_capacity(text.len());
        let mut done = 0_usize;
        for span in spans {
            if span.start >= done {
                clean.push_str(text.get(done..span.start).unwrap_or_default());
                clean.push_str(MASK);
            }
            done = done.max(span.end);
        }
        clean.push_str(text.get(done..).unwrap_or_default());
        clean
    }
}

/// Where `secret` stands in `text`, also where it overlaps itself.
fn occurrences<'a>(text: &'a str, secret: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let first = secret.chars().next().map_or(1, char::len_utf8);
    let mut from = 0_usize;
    std::iter::from_fn(move || {
        let start = from.checked_add(text.get(from..)?.find(secret)?)?;
        from = start.checked_add(first)?;
        Some(start..start.checked_add(secret.len())?)
    })
}
