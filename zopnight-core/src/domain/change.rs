//! The one kind of write to the catalog: a [`RevisionChange`], applied in one transaction.

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::attempt::{AttemptPatch, NewAttempt, Settled};
use super::branch::BranchName;
use super::build::{BuildPlan, BuildSpec};
use super::commit::{CommitInfo, CommitSha};
use super::deployment::{BranchMark, Source};
use super::event::NewEvent;
use super::forge::{OwnerName, RepoName};
use super::id::{AttemptId, DeploymentId, RevisionId};
use super::image::DeployedImage;
use super::job::{JobKey, NewJob};
use super::lease::{Enqueued, LeaseRef, Outcome};
use super::log::{LogSource, LogTail};
use super::org::OrgId;
use super::repo_path::RepoPath;
use super::revision::{Cause, Reason, RevisionNumber, RevisionState, Rollout};
use super::run::RunOutcome;
use super::runtime::RuntimeSpec;
use super::target::{AppName, Target};
use super::view::{IdempotencyRecord, IdempotencyRef, RevisionView};

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

/// What happens to the deployment.
#[derive(Clone, Debug)]
pub enum DeploymentOp {
    /// Nothing but its counters.
    Keep,
    /// It is created.
    Create(Box<NewDeployment>),
    /// Its configuration changes.
    Configure(Box<ConfigPatch>),
    /// What is known of its source changes.
    Source(Box<SourcePatch>),
    /// Its removal begins.
    Deleting,
    /// Its removal is complete.
    Gone,
}

/// A deployment to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeployment {
    /// Its name.
    pub name: AppName,
    /// Where its code comes from.
    pub source: Source,
    /// How it is built.
    pub build: BuildSpec,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// Where it goes.
    pub target: Target,
}

/// A change of configuration: the given parts are replaced. A new branch forgets the marks of the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigPatch {
    /// The branch to follow.
    pub branch: Option<BranchName>,
    /// The app's directory.
    pub root_path: Option<RepoPath>,
    /// Whether a push makes a revision.
    pub auto_deploy: Option<bool>,
    /// How it is built.
    pub build: Option<BuildSpec>,
    /// How it runs.
    pub runtime: Option<RuntimeSpec>,
}

/// A change of what is known of the source: the given parts are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePatch {
    /// After a rename or transfer.
    pub renamed: Option<(OwnerName, RepoName)>,
    /// `Some(None)` clears the mark.
    pub mark: Option<Option<BranchMark>>,
    /// A head that was skipped on purpose.
    pub skipped_head: Option<CommitSha>,
}

/// What happens to a revision.
#[derive(Clone, Debug)]
pub enum RevisionOp {
    /// It is made; its number is the next one.
    Create(Box<NewRevision>),
    /// It moves, or (with `to == from`) only its patch is recorded.
    Move(Box<RevisionMove>),
}

/// A revision to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevision {
    /// Its id.
    pub id: RevisionId,
    /// `Queued`, or `Built` where the image is reused.
    pub state: RevisionState,
    /// Why it is made.
    pub cause: Cause,
    /// SHA-256 of the delivery's body.
    pub delivery_digest: Option<[u8; 32]>,
    /// What is built.
    pub commit: CommitInfo,
    /// From which branch.
    pub branch: BranchName,
    /// By whom.
    pub actor: Actor,
    /// How it is built.
    pub build: BuildSpec,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// Where it goes.
    pub target: Target,
    /// The reused image.
    pub image: Option<DeployedImage>,
    /// Whether it is at the branch's head: then pushes are ordered against it.
    pub at_head: bool,
}

/// A compare-and-set of a revision.
#[derive(Clone, Debug)]
pub struct RevisionMove {
    /// Which.
    pub id: RevisionId,
    /// The version it must have.
    pub version: u64,
    /// The state it must be in.
    pub from: RevisionState,
    /// The state decided by `domain::revision::next`, or `from` again.
    pub to: RevisionState,
    /// What else changes.
    pub patch: RevisionPatch,
}

/// What else changes with a revision; absent parts stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevisionPatch {
    /// What the builder is told.
    pub plan: Option<BuildPlan>,
    /// The runtime with its gaps filled.
    pub runtime: Option<RuntimeSpec>,
    /// What was built.
    pub image: Option<DeployedImage>,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// What took its place.
    pub superseded_by: Option<RevisionId>,
    /// The rollout as last seen.
    pub rollout: Option<Rollout>,
}

impl RevisionPatch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens to an attempt.
#[derive(Clone, Debug)]
pub enum AttemptOp {
    /// It is persisted; needs a free build slot of the tenant.
    Open(Box<NewAttempt>),
    /// It is patched.
    Patch {
        /// Which.
        jti: AttemptId,
        /// How.
        patch: AttemptPatch,
    },
    /// It is settled.
    Close {
        /// Which.
        jti: AttemptId,
        /// By what.
        settled: Settled,
        /// How the run ended, if that is known.
        outcome: Option<RunOutcome>,
        /// SHA-256 of the callback body that settled it.
        body_digest: Option<[u8; 32]>,
    },
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

/// What became of a change. Anything but `Committed` left everything as it was.
#[derive(Clone, Debug)]
#[must_use]
pub enum Applied {
    /// Done.
    Committed(Committed),
    /// Something was not as expected: read again and decide again.
    Stale(Stale),
    /// The lease is no longer held. The worker stops at once.
    LeaseLost,
    /// This very lease was finished before: an answer was lost.
    AlreadyFinished,
    /// A revision of this id is there: a redelivery. The caller compares its digest.
    Exists(Box<RevisionView>),
    /// The same request was carried out before.
    Replayed(IdempotencyRecord),
    /// The same idempotency key came with another request.
    KeyReused,
    /// A live deployment of this name exists in the tenant.
    NameTaken,
    /// A limit of the tenant is reached.
    Quota(QuotaKind),
    /// The tenant's build slots are full; the job of `Hold` now waits for one.
    AtCapacity,
    /// The deployment is being removed.
    Deleting,
}

/// What a commit gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The deployment's new version.
    pub version: u64,
    /// The numbers given to new revisions, in the order of the operations.
    pub numbers: Vec<(RevisionId, RevisionNumber)>,
    /// The sequence numbers of the first and the last event, if any.
    pub events: Option<(u64, u64)>,
    /// What became of the follow-up jobs, in order.
    pub enqueued: Vec<Enqueued>,
}

/// What was not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The deployment's version.
    Version,
    /// The number of the newest revision.
    NewestNumber,
    /// The configuration's version.
    ConfigVersion,
    /// A revision's version or state.
    Revision(RevisionId),
    /// An attempt is closed, or not there.
    Attempt(AttemptId),
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKind {
    /// Live deployments of the tenant.
    Deployments,
}
