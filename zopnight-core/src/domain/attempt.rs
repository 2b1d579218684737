//! One dispatch of one revision.

use super::commit::CommitSha;
use super::id::{AttemptId, RevisionId};
use super::image::ImageRepository;
use super::run::{RunOutcome, RunRef};
use super::time::Timestamp;

/// What is known of an attempt's dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DispatchState {
    /// Persisted, not sent yet, or the sender died.
    Pending,
    /// The builder took it.
    Accepted,
    /// The answer was lost; a run must be looked for.
    Unknown,
    /// The builder refused it for certain.
    Rejected,
}

/// What settled an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Its callback.
    Callback,
    /// Looking at its run.
    Watch,
    /// It was refused or never found.
    NotStarted,
    /// The revision left queued and building for another reason.
    Ended,
}

macro_rules! names {
    ($type:ident, $($variant:ident => $name:literal),+) => {
        impl $type {
            /// The name in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|v| v.as_str() == name)
            }
        }
    };
}

names!(DispatchState, Pending => "pending", Accepted => "accepted", Unknown => "unknown", Rejected => "rejected");
names!(Settled, Callback => "callback", Watch => "watch", NotStarted => "not_started", Ended => "ended");

/// An attempt to persist before its dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAttempt {
    /// Its id, the token's `jti`.
    pub jti: AttemptId,
    /// The revision.
    pub revision: RevisionId,
    /// 1, 2 … in the revision.
    pub number: u32,
    /// Where its image must lie.
    pub image_repository: ImageRepository,
    /// The commit it builds.
    pub commit: CommitSha,
    /// When the build times out. Enforced by the watch_build job.
    pub deadline: Timestamp,
}

/// An attempt as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildAttempt {
    /// Its id, the token's `jti`.
    pub jti: AttemptId,
    /// The revision.
    pub revision: RevisionId,
    /// 1, 2 … in the revision.
    pub number: u32,
    /// Where its image must lie.
    pub image_repository: ImageRepository,
    /// The commit it builds.
    pub commit: CommitSha,
    /// When the build times out.
    pub deadline: Timestamp,
    /// What is known of the dispatch.
    pub dispatch: DispatchState,
    /// The run, once known.
    pub run: Option<RunRef>,
    /// What settled it; `None` while it is open.
    pub settled: Option<Settled>,
    /// How the run ended, if that is known.
    pub outcome: Option<RunOutcome>,
    /// SHA-256 of the callback body that settled it.
    pub body_digest: Option<[u8; 32]>,
    /// Callbacks refused after their signature verified.
    pub refusals: u32,
    /// The code of the last of them.
    pub last_refusal: Option<String>,
    /// When it was persisted.
    pub opened_at: Timestamp,
    /// When its dispatch was answered, or given up on.
    pub dispatched_at: Option<Timestamp>,
    /// When it was settled.
    pub closed_at: Option<Timestamp>,
}

impl BuildAttempt {
    /// Whether nothing has settled it yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }
}

/// A change to an open attempt (the refusal fields: to any).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptPatch {
    /// What is known of the dispatch now; other than `Pending` also stamps `dispatched_at` the first time.
    pub dispatch: Option<DispatchState>,
    /// The run, once known.
    pub run: Option<RunRef>,
    /// Counts one refused callback under this code.
    pub refusal: Option<&'static str>,
}
