//! The change as a whole: what it expects, where it comes from, what it carries.

use serde::{Deserialize, Serialize};

use super::deployment::DeploymentOp;
use super::revision::{AttemptOp, RevisionOp};
use crate::domain::event::NewEvent;
use crate::domain::id::{DeploymentId, RevisionId};
use crate::domain::job::{JobKey, NewJob};
use crate::domain::lease::{LeaseRef, Outcome};
use crate::domain::log::{LogSource, LogTail};
use crate::domain::org::OrgId;
use crate::domain::view::IdempotencyRef;

/// A deployment of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentRef {
    /// The tenant.
    pub org: OrgId,
    /// The deployment.
    pub id: DeploymentId,
}

/// All that one transaction changes: revisions, attempts, events, log, follow-up jobs, the job it comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevisionChange {
    /// The tenant.
    pub org: OrgId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// What must still hold.
    pub expect: Expect,
    /// The job it comes from.
    pub job: JobStep,
    /// Makes a repeated request recognisable.
    pub idempotency: Option<Idempotency>,
    /// What happens to the deployment.
    pub deployment_op: DeploymentOp,
    /// What happens to revisions; at most one operation each.
    pub revisions: Vec<RevisionOp>,
    /// What happens to attempts.
    pub attempts: Vec<AttemptOp>,
    /// Lines for the timeline, at most 100.
    pub events: Vec<NewEvent>,
    /// Replaces a log tail.
    pub log: Option<RevisionLog>,
    /// Jobs to cancel.
    pub cancel: Vec<CancelJobs>,
    /// Jobs to store, at most 100.
    pub jobs: Vec<NewJob>,
}

impl RevisionChange {
    /// An empty change of a deployment.
    #[must_use]
    pub const fn new(org: OrgId, deployment: DeploymentId) -> Self {
        Self {
            org,
            deployment,
            expect: Expect { version: None, newest_number: None, config_version: None },
            job: JobStep::None,
            idempotency: None,
            deployment_op: DeploymentOp::Keep,
            revisions: Vec::new(),
            attempts: Vec::new(),
            events: Vec::new(),
            log: None,
            cancel: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// Only if this still holds.
    #[must_use]
    pub fn with_expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Only under this lease.
    #[must_use]
    pub fn with_job(mut self, job: JobStep) -> Self {
        self.job = job;
        self
    }

    /// Recognisable when repeated.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Option<Idempotency>) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// With this operation on the deployment.
    #[must_use]
    pub fn with_deployment(mut self, op: DeploymentOp) -> Self {
        self.deployment_op = op;
        self
    }

    /// With this operation on a revision.
    #[must_use]
    pub fn with_revision(mut self, op: RevisionOp) -> Self {
        self.revisions.push(op);
        self
    }

    /// With this operation on an attempt.
    #[must_use]
    pub fn with_attempt(mut self, op: AttemptOp) -> Self {
        self.attempts.push(op);
        self
    }

    /// With this line.
    #[must_use]
    pub fn with_event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// With this log tail.
    #[must_use]
    pub fn with_log(mut self, log: RevisionLog) -> Self {
        self.log = Some(log);
        self
    }

    /// Cancelling these jobs.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancelJobs) -> Self {
        self.cancel.push(cancel);
        self
    }

    /// With this follow-up job.
    #[must_use]
    pub fn with_follow_up(mut self, job: NewJob) -> Self {
        self.jobs.push(job);
        self
    }
}

/// What the deployment's row must still say; absent parts are not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The deployment's version.
    pub version: Option<u64>,
    /// The number of its newest revision.
    pub newest_number: Option<u32>,
    /// The version of its configuration.
    pub config_version: Option<u32>,
}

/// The job a change comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStep {
    /// None: a request from outside.
    None,
    /// It goes on; its lease must still be held.
    Hold(LeaseRef),
    /// It ends with this change.
    Finish(LeaseRef, Outcome),
}

/// Recognises a repeated request; hashes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Scope and key.
    pub key: IdempotencyRef,
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// The HTTP status of the first answer.
    pub status: u16,
}

/// A log tail to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionLog {
    /// Of which revision.
    pub revision: RevisionId,
    /// Which of its two logs.
    pub source: LogSource,
    /// The tail; replaces the old one.
    pub tail: LogTail,
}

/// Which jobs to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelJobs {
    /// The build, watch_build and deploy jobs of a revision.
    OfRevision(RevisionId),
    /// The live job with this dedupe key, in the change's tenant.
    Key(JobKey),
}
