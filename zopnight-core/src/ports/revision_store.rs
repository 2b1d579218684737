//! Deployments, revisions, attempts, events and logs.

use std::fmt::Debug;

use async_trait::async_trait;

use super::job_queue::JobQueue;
use crate::domain::{
    Applied, BranchKey, BuildAttempt, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentView, Event, EventQuery,
    IdempotencyRecord, IdempotencyRef, LogSource, LogTail, OrgId, Page, RevisionChange, RevisionId, RevisionQuery,
    RevisionView, SweepPage, SweepQuery,
};
use crate::error::Result;

/// The catalog. Every read and write takes the tenant; a foreign id and an unknown one give the same `NotFound`.
///
/// ```compile_fail
/// # use zopnight_core::{domain::DeploymentId, ports::RevisionStore};
/// async fn read(store: &dyn RevisionStore, id: DeploymentId) { let _ = store.deployment(id).await; }
/// ```
/// ```
/// # use zopnight_core::{domain::{DeploymentId, OrgId}, ports::RevisionStore};
/// async fn read(store: &dyn RevisionStore, org: &OrgId, id: DeploymentId) { let _ = store.deployment(org, id).await; }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RevisionStore: Debug + Send + Sync + 'static {
    /// The only way to change anything in the catalog. **In one transaction** it checks what the change expects,
    /// compare-and-sets revisions, applies patches, appends events, stores follow-up jobs and completes the job the change
    /// comes from under its fence. Any answer but `Committed` left everything as it was (`AtCapacity` only blocks the job).
    ///
    /// # Errors
    /// `NotFound` (no such deployment in that org), `Invalid` (a malformed change), `Unavailable`. After an `Unavailable` whose
    /// commit is unknown the caller repeats: every write here is recognisable.
    async fn apply(&self, change: RevisionChange) -> Result<Applied>;

    /// A deployment with its newest and its current revision.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    async fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView>;

    /// A page of deployments.
    ///
    /// # Errors
    /// `Invalid` for a page outside its bounds; `Unavailable`.
    async fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>>;

    /// A revision with its open or last attempt.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    async fn revision(&self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Result<RevisionView>;

    /// A page of a deployment's revisions.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Unavailable`.
    async fn revisions(&self, org: &OrgId, deployment: DeploymentId, query: &RevisionQuery) -> Result<Page<RevisionView>>;

    /// Revisions that are not terminal, by number, at most 50, with their open attempts: what a newer push supersedes.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    async fn unfinished(&self, org: &OrgId, deployment: DeploymentId) -> Result<Vec<RevisionView>>;

    /// All attempts of a revision, by number.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn attempts(&self, org: &OrgId, revision: RevisionId) -> Result<Vec<BuildAttempt>>;

    /// A page of a deployment's timeline.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Unavailable`.
    async fn events(&self, org: &OrgId, deployment: DeploymentId, query: &EventQuery) -> Result<Page<Event>>;

    /// A log tail of a revision, if one was kept.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn log(&self, org: &OrgId, revision: RevisionId, source: LogSource) -> Result<Option<LogTail>>;

    /// What is known of a repeated request.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn idempotency(&self, org: &OrgId, key: &IdempotencyRef) -> Result<Option<IdempotencyRecord>>;

    /// Cross-tenant: live deployments with auto_deploy that follow this branch, by (org, id), after `after`, at most 500.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn following(&self, key: &BranchKey, after: Option<DeploymentRef>) -> Result<Vec<DeploymentRef>>;

    /// Cross-tenant: a page (at most 500) of what the sweep looks at.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn sweep_page(&self, query: &SweepQuery) -> Result<SweepPage>;
}

/// What a pipeline and a worker are built on: one object that is both ports, since a change and its jobs commit together.
/// Blanket-implemented; never implement it by hand.
pub trait Store: JobQueue + RevisionStore {}

impl<T: JobQueue + RevisionStore + ?Sized> Store for T {}
