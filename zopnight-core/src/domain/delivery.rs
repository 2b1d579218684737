//! The id of one webhook delivery.

use super::commit::CommitSha;
use super::grammar::{refuse, text_traits};
use crate::error::Result;

/// A webhook delivery's id: trimmed, 1..=255 visible ASCII characters, lower-cased; opaque otherwise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(Box<str>);

impl DeliveryId {
    /// Reads back what a store kept: a header's value, or the made form of [`DeliveryId::head`]. So does serde, which
    /// only reads stored payloads.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn stored(text: &str) -> Result<Self> {
        if is_head_form(text) { Ok(Self(text.into())) } else { Self::parse(text) }
    }

    /// Parses a header's value.
    ///
    /// # Errors
    /// `Invalid` when it is empty, over 255 characters or holds anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if (1..=255).contains(&trimmed.len()) && trimmed.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(trimmed.to_ascii_lowercase().into()))
        } else {
            Err(refuse("delivery id", "must be 1 to 255 visible ASCII characters", text))
        }
    }

    /// The id under which the sweep accepts a branch head after revision number `newest`. It holds spaces, so that no
    /// header can equal it.
    #[must_use]
    pub fn head(newest: u32, sha: &CommitSha) -> Self {
        Self(format!("zopnight-head {newest} {sha}").into())
    }

    /// The lower-cased text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the sweep made this id, not a forge.
    #[must_use]
    pub fn is_head(&self) -> bool {
        is_head_form(&self.0)
    }
}

text_traits!(DeliveryId, stored);

fn is_head_form(text: &str) -> bool {
    let mut parts = text.split(' ');
    parts.next() == Some("zopnight-head")
        && parts.next().is_some_and(|n| n.parse::<u32>().is_ok_and(|v| v.to_string() == n))
        && parts.next().is_some_and(|sha| CommitSha::parse(sha).is_ok())
        && parts.next().is_none()
}
