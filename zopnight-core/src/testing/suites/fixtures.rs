//! Builders of what tests store: ids, jobs, deployments, revisions, attempts.
//!
//! ```
//! use zopnight_core::testing::suites::fixtures;
//! let org = fixtures::org("acme");
//! let change = fixtures::create(&org, fixtures::deployment_id(), "shop");
//! assert_eq!(change.jobs.len(), 1);
//! assert_ne!(fixtures::job_id(), fixtures::job_id());
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::{
    Actor, AppName, AttemptId, AttemptOp, BranchName, BuildSpec, CancelRunJob, Cause, CommitInfo, CommitSha, DeployedImage,
    DeploymentId, DeploymentOp, Digest, EventKind, ForgeId, ImageRepository, IntegrationId, JobId, JobPayload, Namespace,
    NewAttempt, NewDeployment, NewEvent, NewJob, NewRevision, OrgId, OwnerName, RepoName, RepoPath, RepositoryId,
    RevisionChange, RevisionId, RevisionJob, RevisionMove, RevisionOp, RevisionPatch, RevisionState, RevisionView,
    RuntimeSpec, Scope, Source, SpaceId, SweepJob, Target, TeardownJob, Timestamp, WatchBuildJob,
};

/// When the clocks of tests start: 2026-01-01T00:00:00Z.
#[must_use]
pub fn start() -> Timestamp {
    Timestamp::from_secs(1_767_225_600)
}

fn unique() -> [u8; 10] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 10];
    let count = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    for (byte, part) in bytes.iter_mut().skip(2).zip(count) {
        *byte = part;
    }
    bytes
}

fn name<T>(text: &str, parse: fn(&str) -> crate::Result<T>) -> T {
    parse(text).expect("a fixture's names are well formed")
}

/// A job id; a later one is greater.
#[must_use]
pub fn job_id() -> JobId {
    JobId::new(start(), unique())
}

/// A deployment id; a later one is greater.
#[must_use]
pub fn deployment_id() -> DeploymentId {
    DeploymentId::new(start(), unique())
}

/// A revision id; a later one is greater.
#[must_use]
pub fn revision_id() -> RevisionId {
    RevisionId::new(start(), unique())
}

/// An attempt id; a later one is greater.
#[must_use]
pub fn attempt_id() -> AttemptId {
    AttemptId::new(start(), unique())
}

/// The org of this id.
///
/// # Panics
/// If it is not an org's id.
#[must_use]
pub fn org(id: &str) -> OrgId {
    name(id, OrgId::parse)
}

/// A commit of its own for each `n`.
#[must_use]
pub fn commit(n: u32) -> CommitSha {
    name(&format!("{:040x}", u64::from(n).saturating_add(0xC0_0000_0000)), CommitSha::parse)
}

/// An image of its own for each `n`.
#[must_use]
pub fn image(n: u32) -> DeployedImage {
    DeployedImage { repository: image_repository(), digest: Digest::of(&n.to_be_bytes()) }
}

/// Where the images of all fixtures lie.
#[must_use]
pub fn image_repository() -> ImageRepository {
    name("registry.test/suite/app", ImageRepository::parse)
}

fn job(org: &OrgId, deployment: Option<DeploymentId>, payload: JobPayload) -> NewJob {
    NewJob::new(job_id(), Scope::Org(org.clone()), deployment, payload)
}

/// A job of kind build.
#[must_use]
pub fn build_job(org: &OrgId, deployment: DeploymentId, revision: RevisionId) -> NewJob {
    job(org, Some(deployment), JobPayload::Build(RevisionJob { revision }))
}

/// A job of kind deploy; its serial key is the deployment's.
#[must_use]
pub fn deploy_job(org: &OrgId, deployment: DeploymentId, revision: RevisionId) -> NewJob {
    job(org, Some(deployment), JobPayload::Deploy(RevisionJob { revision }))
}

/// A job of kind teardown; its serial key is the deployment's.
#[must_use]
pub fn teardown_job(org: &OrgId, deployment: DeploymentId) -> NewJob {
    job(org, Some(deployment), JobPayload::Teardown(TeardownJob { deployment }))
}

/// A job of kind report_status; it folds only until it is started.
#[must_use]
pub fn status_job(org: &OrgId, deployment: DeploymentId, revision: RevisionId) -> NewJob {
    job(org, Some(deployment), JobPayload::ReportStatus(RevisionJob { revision }))
}

/// A job of kind watch_build.
#[must_use]
pub fn watch_job(org: &OrgId, deployment: DeploymentId, revision: RevisionId, jti: AttemptId) -> NewJob {
    let deadline = start().plus(std::time::Duration::from_secs(1_800));
    let payload = WatchBuildJob { revision, jti, deadline, looks: 0, finished_at: None };
    job(org, Some(deployment), JobPayload::WatchBuild(payload))
}

/// A job of kind cancel_run.
#[must_use]
pub fn cancel_job(org: &OrgId, deployment: DeploymentId, revision: RevisionId, jti: AttemptId) -> NewJob {
    job(org, Some(deployment), JobPayload::CancelRun(CancelRunJob { revision, jti, force: false }))
}

/// The periodic sweep, of the System scope.
#[must_use]
pub fn sweep_job() -> NewJob {
    NewJob::new(job_id(), Scope::System, None, JobPayload::Sweep(SweepJob::Periodic { since: None, after: None }))
}

/// A job without any key, in the build lane.
#[must_use]
pub fn plain_job(org: &OrgId) -> NewJob {
    NewJob { dedupe: None, ..build_job(org, deployment_id(), revision_id()) }
}

/// A source in repository 7, branch `main`, followed.
#[must_use]
pub fn source() -> Source {
    Source {
        forge: name("github.com", ForgeId::parse),
        integration: name("int-1", IntegrationId::parse),
        repository: RepositoryId::new(7).expect("a fixture's names are well formed"),
        owner: name("acme", OwnerName::parse),
        name: name("shop", RepoName::parse),
        branch: name("main", BranchName::parse),
        root_path: name("", RepoPath::parse),
        auto_deploy: true,
    }
}

/// A target in space `space-1`, namespace `apps`.
#[must_use]
pub fn target() -> Target {
    Target {
        space: name("space-1", SpaceId::parse),
        namespace: name("apps", Namespace::parse),
        image_repository: image_repository(),
    }
}

/// A deployment of this name.
///
/// # Panics
/// If it is not a deployment's name.
#[must_use]
pub fn new_deployment(app: &str) -> NewDeployment {
    NewDeployment {
        name: name(app, AppName::parse),
        source: source(),
        build: BuildSpec::default(),
        runtime: RuntimeSpec::default(),
        target: target(),
    }
}

/// A queued revision at the head, of commit `n`.
#[must_use]
pub fn new_revision(id: RevisionId, n: u32) -> NewRevision {
    NewRevision {
        id,
        state: RevisionState::Queued,
        cause: Cause::Create,
        delivery_digest: None,
        commit: CommitInfo::of(commit(n)),
        branch: source().branch,
        actor: Actor::system(),
        build: BuildSpec::default(),
        runtime: RuntimeSpec::default(),
        target: target(),
        image: None,
        at_head: true,
    }
}

/// The revision operation with its event and its build job, on top of `change`.
#[must_use]
pub fn with_revision(change: RevisionChange, id: RevisionId, n: u32) -> RevisionChange {
    let job = build_job(&change.org, change.deployment, id);
    change
        .with_revision(RevisionOp::Create(Box::new(new_revision(id, n))))
        .with_event(NewEvent::new(EventKind::RevisionQueued, "queued").of(id))
        .with_follow_up(job)
}

/// The creation of a deployment: revision 1, two events, a build job.
///
/// # Panics
/// If `app` is not a deployment's name.
#[must_use]
pub fn create(org: &OrgId, deployment: DeploymentId, app: &str) -> RevisionChange {
    let change = RevisionChange::new(org.clone(), deployment)
        .with_deployment(DeploymentOp::Create(Box::new(new_deployment(app))))
        .with_event(NewEvent::new(EventKind::DeploymentCreated, "created"));
    with_revision(change, revision_id(), 1)
}

/// A compare-and-set of a revision as it was read.
#[must_use]
pub fn step(view: &RevisionView, to: RevisionState, patch: RevisionPatch) -> RevisionOp {
    let r = &view.revision;
    RevisionOp::Move(Box::new(RevisionMove { id: r.id, version: r.version, from: r.state, to, patch }))
}

/// The event that tells of a state.
#[must_use]
pub fn told(id: RevisionId, state: RevisionState) -> NewEvent {
    let kind = match state {
        RevisionState::Queued => EventKind::RevisionQueued,
        RevisionState::Building => EventKind::RevisionBuilding,
        RevisionState::Built => EventKind::RevisionBuilt,
        RevisionState::Deploying => EventKind::RevisionDeploying,
        RevisionState::Succeeded => EventKind::RevisionSucceeded,
        RevisionState::Failed => EventKind::RevisionFailed,
        RevisionState::Superseded => EventKind::RevisionSuperseded,
        RevisionState::Cancelled => EventKind::RevisionCancelled,
        RevisionState::TimedOut => EventKind::RevisionTimedOut,
    };
    NewEvent::new(kind, state.as_str()).of(id)
}

/// Attempt `number` of a revision of commit 1.
#[must_use]
pub fn attempt(jti: AttemptId, revision: RevisionId, number: u32) -> NewAttempt {
    NewAttempt {
        jti,
        revision,
        number,
        image_repository: image_repository(),
        commit: commit(1),
        deadline: start().plus(std::time::Duration::from_secs(1_800)),
    }
}

/// The operation that opens an attempt.
#[must_use]
pub fn open(jti: AttemptId, revision: RevisionId, number: u32) -> AttemptOp {
    AttemptOp::Open(Box::new(attempt(jti, revision, number)))
}
