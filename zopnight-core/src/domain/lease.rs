//! The right to run a job, and how it ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::grammar::{bytes_of, rule, text_type};
use super::id::{DeploymentId, JobId, RevisionId};
use super::job::{JobKey, JobKind, JobPayload, Lane, Scope};
use super::redact::Redactor;
use super::text;

/// The number of a hand-out. It strictly grows over all hand-outs of one job, and over jobs of one serial key in the order
/// they run; the cluster's lock uses it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(u64);

impl Fence {
    const BITS: u32 = 20;

    const MAX_HAND_OUT: u64 = (1 << Self::BITS) - 1;
    const MAX_SEQ: u64 = (1 << (u64::BITS - Self::BITS)) - 1;

    /// The fence of the `n`-th hand-out of the job with sequence number `seq`: `seq << 20 | n`. Beyond 2^20-1 hand-outs or
    /// a `seq` of 2^44-1 it stays at the highest number, so that it never falls.
    #[must_use]
    pub fn of(seq: i64, n: u32) -> Self {
        let high = u64::try_from(seq).unwrap_or(0).min(Self::MAX_SEQ);
        Self((high << Self::BITS) | u64::from(n).min(Self::MAX_HAND_OUT))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The hand-outs of this job so far.
    #[must_use]
    pub fn hand_out(self) -> u32 {
        u32::try_from(self.0 & Self::MAX_HAND_OUT).unwrap_or(0)
    }
}

/// A lease as every write by a worker names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseRef {
    /// The job's sequence number in its store.
    pub seq: i64,
    /// The hand-out.
    pub fence: Fence,
}

text_type! {
    /// A worker process: random per start, 1..=64 of `[A-Za-z0-9._-]`.
    WorkerId, "worker id", |t| rule(
        bytes_of(t, 64, |b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        "must be 1 to 64 of A-Z a-z 0-9 . _ -",
    )
}

/// What a worker asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerId,
    /// How many of each lane.
    pub want: Vec<Want>,
    /// How long each lease lasts, 5 s ..= 1 h.
    pub lease: Duration,
}

/// How many jobs of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The lane.
    pub lane: Lane,
    /// 1 ..= 100.
    pub max: u32,
}

/// A claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What every write must name.
    pub job: LeaseRef,
    /// The job's id.
    pub id: JobId,
    /// Whose it is: the tenant of all that a handler reads.
    pub scope: Scope,
    /// What it does.
    pub kind: JobKind,
    /// What it works on.
    pub payload: JobPayload,
    /// Its serial key.
    pub serial: Option<JobKey>,
    /// The deployment it is about.
    pub deployment: Option<DeploymentId>,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
    /// Charged failures so far.
    pub failures: u32,
    /// Leases that ran out so far.
    pub losses: u32,
    /// Panics so far.
    pub panics: u32,
    /// Snoozes so far, its own and those of rate limits.
    pub snoozes: u32,
    /// From when it became ready to the claim.
    pub waited: Duration,
    /// How long this lease lasts from the claim.
    pub lease: Duration,
    /// Someone asked to cancel it.
    pub cancel_asked: bool,
}

/// The answer to prolonging a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// Held for this long from now.
    Until(Duration),
    /// Held for this long, and asked to stop.
    CancelAsked(Duration),
    /// Another holds the job, or it has ended. Final.
    Lost,
}

/// Ends a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Which.
    pub lease: LeaseRef,
    /// How.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done,
    /// It was cancelled.
    Cancelled,
    /// Not run; ready again at once, uncharged.
    Release,
    /// Look again later; uncharged.
    Snooze {
        /// From now.
        after: Duration,
        /// Replaces the payload if given.
        payload: Option<JobPayload>,
    },
    /// Failed; again later.
    Retry {
        /// From now.
        after: Duration,
        /// Why.
        error: JobError,
        /// It panicked.
        panic: bool,
    },
    /// Given up; kept for an operator.
    Park {
        /// Why.
        error: JobError,
    },
}

/// The answer to ending a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Done, also when it was done before by the same lease.
    Accepted,
    /// Another holds the job or it was cancelled; nothing was written.
    Lost,
}

/// Why a job failed: a code of at most 40 characters and a redacted message of at most 1 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredJobError")]
pub struct JobError {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct StoredJobError {
    code: String,
    message: String,
}

impl From<StoredJobError> for JobError {
    fn from(stored: StoredJobError) -> Self {
        Self::new(&stored.code, &stored.message)
    }
}

impl JobError {
    /// Cuts and redacts.
    #[must_use]
    pub fn new(code: &str, message: &str) -> Self {
        Self {
            code: text::cut_bytes(code, 40),
            message: text::cut_bytes(&Redactor::default().text(&text::clean(message)), 1_024),
        }
    }

    /// The machine-readable cause.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// One sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What an enqueue did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The job that will run: the new one, or the survivor it was folded into.
    pub id: JobId,
    /// Nothing was stored.
    pub folded: bool,
}
