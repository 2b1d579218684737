//! Commits.

use serde::{Deserialize, Serialize};

use super::grammar::{rule, text_type};
use super::hex::is_hex;

text_type! {
    /// A commit's full object id: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits, not all zeros.
    CommitSha, "commit sha", |t| rule(
        (is_hex(t, 40) || is_hex(t, 64)) && t.bytes().any(|b| b != b'0'),
        "must be 40 or 64 lower-case hex digits, not all zeros",
    )
}

impl CommitSha {
    /// The first twelve digits, for tags and messages.
    #[must_use]
    pub fn short(&self) -> &str {
        self.as_str().get(..12).unwrap_or_default()
    }
}

/// A commit and what people call it. Title and author are display text and decide nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    /// The commit.
    pub sha: CommitSha,
    /// First line of the message, cleaned, at most 200 characters.
    pub title: Option<String>,
    /// Display name of the author, cleaned, at most 200 characters.
    pub author: Option<String>,
}

impl CommitInfo {
    /// A commit of which only the id is known.
    #[must_use]
    pub const fn of(sha: CommitSha) -> Self {
        Self { sha, title: None, author: None }
    }

    /// Takes the first line of `message`, and `author`, both cleaned.
    #[must_use]
    pub fn described(sha: CommitSha, message: Option<&str>, author: Option<&str>) -> Self {
        let clean = |t: &str| super::text::line(t, 200);
        Self { sha, title: message.map(clean), author: author.map(clean) }
    }
}
