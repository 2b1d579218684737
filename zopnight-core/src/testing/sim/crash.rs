//! Kills a process at one of its store calls.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::domain::{
    Applied, BranchKey, Budget, BuildAttempt, ClaimRequest, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentView,
    Enqueued, Event, EventQuery, Extended, Finish, Finished, IdempotencyRecord, IdempotencyRef, JobId, Lease, LeaseRef,
    LogSource, LogTail, Maintained, NewJob, OrgId, Page, ParkedJob, QueueStats, RevisionChange, RevisionId, RevisionQuery,
    RevisionView, Scope, SweepPage, SweepQuery,
};
use crate::error::{Error, Result};
use crate::ports::{JobQueue, RevisionStore, Store};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call is made.
    Before,
    /// The call is made, its answer is lost, the process dies.
    After,
    /// `Unavailable`, and the call is not made.
    Error,
    /// The call is made, and `Unavailable` is answered.
    Lost,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 4] = [Self::Before, Self::After, Self::Error, Self::Lost];
}

/// A store as one process sees it: every call is numbered, and at one of them a [`Fault`] happens. Once the process is dead, no call of
/// it comes back.
#[derive(Debug)]
pub struct CrashStore {
    inner: Arc<dyn Store>,
    calls: AtomicU64,
    at: u64,
    fault: Option<Fault>,
    dead: AtomicBool,
    died: Notify,
}

impl CrashStore {
    /// A store that only counts.
    #[must_use]
    pub fn counting(inner: Arc<dyn Store>) -> Arc<Self> {
        Self::make(inner, 0, None)
    }

    /// A store with `fault` at the call number `at`, from 0.
    #[must_use]
    pub fn at(inner: Arc<dyn Store>, at: u64, fault: Fault) -> Arc<Self> {
        Self::make(inner, at, Some(fault))
    }

    fn make(inner: Arc<dyn Store>, at: u64, fault: Option<Fault>) -> Arc<Self> {
        let (calls, dead, died) = (AtomicU64::new(0), AtomicBool::new(false), Notify::new());
        Arc::new(Self { inner, calls, at, fault, dead, died })
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether the fault has happened.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.fault.is_some() && self.calls() > self.at
    }

    /// Resolves when the process dies.
    pub async fn died(&self) {
        while !self.dead.load(Ordering::SeqCst) {
            self.died.notified().await;
        }
    }

    async fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
        pending::<()>().await;
    }

    async fn enter(&self) -> Result<Option<Fault>> {
        if self.dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.fault.filter(|_| number == self.at) {
            Some(Fault::Before) => {
                self.die().await;
                Ok(None)
            }
            Some(Fault::Error) => Err(Error::unavailable("sim.store", "the store is scripted to fail")),
            fault => Ok(fault),
        }
    }

    async fn leave<T: Send>(&self, fault: Option<Fault>, answer: Result<T>) -> Result<T> {
        match fault {
            Some(Fault::After) => {
                self.die().await;
                answer
            }
            Some(Fault::Lost) => {
                answer?;
                Err(Error::unavailable("sim.store", "the answer is scripted to be lost").with("commit", "unknown"))
            }
            _ => answer,
        }
    }
}

macro_rules! through {
    ($self:ident.$method:ident($($arg:expr),*)) => {{
        let fault = $self.enter().await?;
        let answer = $self.inner.$method($($arg),*).await;
        $self.leave(fault, answer).await
    }};
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl JobQueue for CrashStore {
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        through!(self.enqueue(jobs))
    }
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        through!(self.claim(request))
    }
    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        through!(self.extend(leases, lease))
    }
    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        through!(self.finish(items))
    }
    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        through!(self.maintain(budget))
    }
    async fn wait(&self, at_most: Duration) {
        self.inner.wait(at_most).await;
    }
    async fn stats(&self) -> Result<QueueStats> {
        through!(self.stats())
    }
    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
        through!(self.parked(scope))
    }
    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
        through!(self.revive(scope, job))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RevisionStore for CrashStore {
    async fn apply(&self, change: RevisionChange) -> Result<Applied> {
        through!(self.apply(change))
    }
    async fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView> {
        through!(self.deployment(org, id))
    }
    async fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>> {
        through!(self.deployments(org, query))
    }
    async fn revision(&self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Result<RevisionView> {
        through!(self.revision(org, deployment, id))
    }
    async fn revisions(&self, org: &OrgId, deployment: DeploymentId, query: &RevisionQuery) -> Result<Page<RevisionView>> {
        through!(self.revisions(org, deployment, query))
    }
    async fn unfinished(&self, org: &OrgId, deployment: DeploymentId) -> Result<Vec<RevisionView>> {
        through!(self.unfinished(org, deployment))
    }
    async fn attempts(&self, org: &OrgId, revision: RevisionId) -> Result<Vec<BuildAttempt>> {
        through!(self.attempts(org, revision))
    }
    async fn events(&self, org: &OrgId, deployment: DeploymentId, query: &EventQuery) -> Result<Page<Event>> {
        through!(self.events(org, deployment, query))
    }
    async fn log(&self, org: &OrgId, revision: RevisionId, source: LogSource) -> Result<Option<LogTail>> {
        through!(self.log(org, revision, source))
    }
    async fn idempotency(&self, org: &OrgId, key: &IdempotencyRef) -> Result<Option<IdempotencyRecord>> {
        through!(self.idempotency(org, key))
    }
    async fn following(&self, key: &BranchKey, after: Option<DeploymentRef>) -> Result<Vec<DeploymentRef>> {
        through!(self.following(key, after))
    }
    async fn sweep_page(&self, query: &SweepQuery) -> Result<SweepPage> {
        through!(self.sweep_page(query))
    }
}
