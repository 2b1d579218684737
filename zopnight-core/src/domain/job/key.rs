//! Whose a job is, and the keys that fold and line up jobs.

use std::fmt;

use super::kind::Lane;
use crate::domain::grammar::{bytes_of, rule, text_type};
use crate::domain::org::OrgId;

/// Whose a job is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Nobody's: housekeeping.
    System,
    /// A tenant's.
    Org(OrgId),
}

impl Scope {
    /// The tenant, if it is one's.
    #[must_use]
    pub const fn org(&self) -> Option<&OrgId> {
        match self {
            Self::System => None,
            Self::Org(org) => Some(org),
        }
    }
}

text_type! {
    /// A dedupe or serial key: 1..=160 of `[A-Za-z0-9._:/-]`, case-sensitive, unique within its scope. What stands before
    /// the first `:` names the lane.
    JobKey, "job key", |t| rule(
        bytes_of(t, 160, |b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b)),
        "must be 1 to 160 of A-Z a-z 0-9 . _ : / -",
    )
}

impl JobKey {
    pub(super) fn periodic_sweep() -> Self {
        Self("sweep".into())
    }

    pub(super) fn of(prefix: &str, id: impl fmt::Display) -> Self {
        Self(format!("{prefix}:{id}").into())
    }

    /// The dedupe key of a one-deployment sweep, and so on: what stands before the first `:`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    /// Whether a job of `lane` may carry this key.
    #[must_use]
    pub fn belongs_to(&self, lane: Lane) -> bool {
        lane.key_prefixes().contains(&self.prefix())
    }
}

/// How long a dedupe key folds later jobs into this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DedupeUntil {
    /// Until it is claimed: a running job may be past the change and no longer folds.
    Started,
    /// Until it has ended.
    Finished,
}

/// At most one live job has this key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dedupe {
    /// The key.
    pub key: JobKey,
    /// For how long.
    pub until: DedupeUntil,
}
