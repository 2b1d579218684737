//! Housekeeping, counts and what an operator sees of a queue.

use std::time::Duration;

use super::id::{DeploymentId, JobId, RevisionId};
use super::job::{JobKind, Lane};
use super::job_state::JobState;
use super::lease::JobError;
use super::time::Timestamp;

/// How much housekeeping to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Stop after about this long.
    pub time: Duration,
    /// Also delete what is past its retention.
    pub purge: bool,
}

/// What housekeeping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Delayed jobs that became ready.
    pub promoted: u64,
    /// Expired leases taken back.
    pub taken_back: u64,
    /// Blocked jobs without a reason to be, unblocked. Expected to be 0.
    pub mended: u64,
    /// Rows deleted.
    pub purged: u64,
    /// Until the next delayed job is due.
    pub next_due: Option<Duration>,
}

/// Counts of live and parked jobs. Not a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// By kind and state, for the states ready, leased, delayed, blocked and parked.
    pub jobs: Vec<(JobKind, JobState, u64)>,
    /// How long the oldest ready job of each lane has waited.
    pub oldest_ready: Vec<(Lane, Duration)>,
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedJob {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The deployment it is about.
    pub deployment: Option<DeploymentId>,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
    /// The last error.
    pub error: JobError,
    /// When.
    pub parked_at: Timestamp,
    /// Charged failures.
    pub failures: u32,
    /// Leases that ran out.
    pub losses: u32,
    /// Panics.
    pub panics: u32,
}
