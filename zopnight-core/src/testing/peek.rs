//! What a store holds, as its tests see it: enough to judge the invariants, by no port.

use crate::domain::job_state::Counters;
use crate::domain::revision::RevisionState;
use crate::domain::{
    AttemptId, Dedupe, DeploymentId, EventKind, JobError, JobId, JobKey, JobKind, JobState, OrgId, RevisionId, Scope,
};

/// All rows of a store, of every tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// By sequence number.
    pub jobs: Vec<JobPeek>,
    /// Deployments that are not gone, in any order.
    pub deployments: Vec<DeploymentPeek>,
    /// In any order.
    pub revisions: Vec<RevisionPeek>,
    /// In any order.
    pub attempts: Vec<AttemptPeek>,
    /// By deployment and sequence number.
    pub events: Vec<EventPeek>,
    /// Number of idempotency rows.
    pub idempotency: usize,
}

impl Peek {
    /// The job of this id.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&JobPeek> {
        self.jobs.iter().find(|j| j.id == id)
    }

    /// How many jobs are in `state`.
    #[must_use]
    pub fn count(&self, state: JobState) -> usize {
        self.jobs.iter().filter(|j| j.state == state).count()
    }
}

/// What a blocked job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockedOn {
    /// The holder of its serial key.
    Serial,
    /// A build slot of its org.
    Slot,
}

/// A job's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPeek {
    /// Its place in the order of enqueueing.
    pub seq: i64,
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub scope: Scope,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// Turn, due time or end time in microseconds, 0 when blocked.
    pub place: i64,
    /// Hand-outs, failures, losses, panics, snoozes.
    pub counters: Counters,
    /// Somebody asked to cancel it.
    pub cancel_asked: bool,
    /// What it waits for, if blocked.
    pub blocked_on: Option<BlockedOn>,
    /// Its dedupe key.
    pub dedupe: Option<Dedupe>,
    /// Its serial key.
    pub serial: Option<JobKey>,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
    /// Why it last failed.
    pub last_error: Option<JobError>,
}

/// A deployment's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentPeek {
    /// Its tenant.
    pub org: OrgId,
    /// Its id.
    pub id: DeploymentId,
    /// Its version.
    pub version: u64,
    /// The number of the revision that serves, 0 = none.
    pub current_number: u32,
    /// The number of the newest revision.
    pub newest_number: u32,
}

/// A revision's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionPeek {
    /// Its tenant.
    pub org: OrgId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// Its id.
    pub id: RevisionId,
    /// Its number.
    pub number: u32,
    /// Where it stands.
    pub state: RevisionState,
    /// Its version.
    pub version: u64,
    /// Whether `finished_at` is set.
    pub finished: bool,
}

/// An attempt's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptPeek {
    /// Its tenant.
    pub org: OrgId,
    /// Its revision.
    pub revision: RevisionId,
    /// Its id.
    pub jti: AttemptId,
    /// Its number in the revision.
    pub number: u32,
    /// Whether nothing has settled it.
    pub open: bool,
}

/// An event's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPeek {
    /// Its tenant.
    pub org: OrgId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// Its sequence number.
    pub seq: u64,
    /// What it tells.
    pub kind: EventKind,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
}
