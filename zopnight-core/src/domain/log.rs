//! The end of a log, as it is kept on a revision.

use serde::{Deserialize, Serialize};

use super::text;

/// Which of a revision's two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The builder's.
    Build,
    /// The failing container's, or the rollout's lines.
    Rollout,
}

impl LogSource {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Rollout => "rollout",
        }
    }
}

/// At most 2,000 lines of at most 4 KiB, together at most 1 MiB; redacted by whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// The lines, oldest first, without line ends.
    pub lines: Vec<String>,
    /// Something before the first line was left out.
    pub truncated: bool,
    /// Nothing more will come.
    pub complete: bool,
}

impl LogTail {
    /// Most lines kept.
    pub const MAX_LINES: usize = 2_000;
    /// Longest line kept, in bytes.
    pub const MAX_LINE: usize = 4_096;
    /// All lines together with their line ends, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;

    /// The tail of `lines` within the bounds.
    #[must_use]
    pub fn bounded(lines: Vec<String>, truncated: bool, complete: bool) -> Self {
        let mut bytes = 0_usize;
        let mut kept: Vec<String> = Vec::new();
        let total = lines.len();
        for line in lines.into_iter().rev().take(Self::MAX_LINES) {
            let line = text::cut_bytes(&line, Self::MAX_LINE);
            bytes = bytes.saturating_add(line.len()).saturating_add(1);
            if bytes > Self::MAX_BYTES {
                break;
            }
            kept.push(line);
        }
        kept.reverse();
        let truncated = truncated || kept.len() < total;
        Self { lines: kept, truncated, complete }
    }

    /// Whether all bounds hold.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.lines.len() <= Self::MAX_LINES
            && self.lines.iter().all(|l| l.len() <= Self::MAX_LINE)
            && self.lines.iter().map(|l| l.len().saturating_add(1)).sum::<usize>() <= Self::MAX_BYTES
    }
}
