//! The store itself: a lock, a clock and a bell around the data.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::data::Data;
use super::line::Op;
use super::options::MemoryOptions;
use crate::domain::{
    Applied, BranchKey, Budget, BuildAttempt, ClaimRequest, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentView,
    Enqueued, Event, EventQuery, Extended, Finish, Finished, IdempotencyRecord, IdempotencyRef, JobId, Lease, LeaseRef,
    LogSource, LogTail, Maintained, NewJob, OrgId, Page, ParkedJob, QueueStats, RevisionChange, RevisionId, RevisionQuery,
    RevisionView, Scope, SweepPage, SweepQuery,
};
use crate::error::Result;
use crate::ports::{Clock, JobQueue, RevisionStore};
use crate::testing::peek::{JobPeek, Peek};

/// A store in memory. Clones share the data, as two processes share a database.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
}

impl MemoryStore {
    /// An empty store that judges leases and due times by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_options(clock, MemoryOptions::default())
    }

    /// The same, with other limits and retentions.
    #[must_use]
    pub fn with_options(clock: Arc<dyn Clock>, options: MemoryOptions) -> Self {
        let data = Data { options, ..Data::default() };
        Self { data: Arc::new(Mutex::new(data)), clock, bell: Arc::new(Notify::new()) }
    }

    /// How many transactions have been committed.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.data().writes
    }

    /// The rows of all jobs, by sequence number.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobPeek> {
        self.peek().jobs
    }

    /// All rows, of every tenant.
    #[must_use]
    pub fn peek(&self) -> Peek {
        self.data().peek()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction. It counts as a write if `wrote` says so of its answer.
    fn write<T>(&self, run: impl FnOnce(&mut Data, &mut Op) -> Result<T>, wrote: impl FnOnce(&T) -> bool) -> Result<T> {
        let mut data = self.data();
        let mut op = Op::new(self.clock.now());
        let answer = run(&mut data, &mut op)?;
        if wrote(&answer) {
            data.writes = data.writes.saturating_add(1);
        }
        drop(data);
        if op.woke {
            self.bell.notify_waiters();
            self.bell.notify_one();
        }
        Ok(answer)
    }
}

#[async_trait]
impl JobQueue for MemoryStore {
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        self.write(|data, op| data.enqueue(op, jobs), |answers| answers.iter().any(|a| !a.folded))
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        self.write(|data, op| data.claim(op, request), |leases| !leases.is_empty())
    }

    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        self.write(|data, op| data.extend(op, leases, lease), |answers| answers.iter().any(|a| *a != Extended::Lost))
    }

    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        self.write(|data, op| data.finish(op, items), |answers| answers.contains(&Finished::Accepted))
    }

    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        let moved = |m: &Maintained| m.promoted > 0 || m.taken_back > 0 || m.mended > 0 || m.purged > 0;
        self.write(|data, op| Ok(data.maintain(op, budget)), moved)
    }

    async fn wait(&self, at_most: Duration) {
        // Running out of time is an answer like any other: look again.
        let _ = tokio::time::timeout(at_most, self.bell.notified()).await;
    }

    async fn stats(&self) -> Result<QueueStats> {
        Ok(self.data().stats(self.clock.now()))
    }

    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
        Ok(self.data().parked(scope))
    }

    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
        self.write(|data, op| data.revive(op, scope, job), |()| true)
    }
}

#[async_trait]
impl RevisionStore for MemoryStore {
    async fn apply(&self, change: RevisionChange) -> Result<Applied> {
        let wrote = |applied: &Applied| matches!(applied, Applied::Committed(_) | Applied::AtCapacity);
        self.write(|data, op| data.apply(op, change), wrote)
    }

    async fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView> {
        self.data().deployment(org, id)
    }

    async fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>> {
        self.data().deployments(org, query)
    }

    async fn revision(&self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Result<RevisionView> {
        self.data().revision(org, deployment, id)
    }

    async fn revisions(&self, org: &OrgId, deployment: DeploymentId, query: &RevisionQuery) -> Result<Page<RevisionView>> {
        self.data().revisions(org, deployment, query)
    }

    async fn unfinished(&self, org: &OrgId, deployment: DeploymentId) -> Result<Vec<RevisionView>> {
        self.data().unfinished(org, deployment)
    }

    async fn attempts(&self, org: &OrgId, revision: RevisionId) -> Result<Vec<BuildAttempt>> {
        Ok(self.data().catalog.attempts_of(org, revision).cloned().collect())
    }

    async fn events(&self, org: &OrgId, deployment: DeploymentId, query: &EventQuery) -> Result<Page<Event>> {
        self.data().events(org, deployment, query)
    }

    async fn log(&self, org: &OrgId, revision: RevisionId, source: LogSource) -> Result<Option<LogTail>> {
        Ok(self.data().catalog.logs.get(&(org.clone(), revision, source)).cloned())
    }

    async fn idempotency(&self, org: &OrgId, key: &IdempotencyRef) -> Result<Option<IdempotencyRecord>> {
        Ok(self.data().known(self.clock.now(), org, key).cloned())
    }

    async fn following(&self, key: &BranchKey, after: Option<DeploymentRef>) -> Result<Vec<DeploymentRef>> {
        Ok(self.data().following(key, after.as_ref()))
    }

    async fn sweep_page(&self, query: &SweepQuery) -> Result<SweepPage> {
        Ok(self.data().sweep_page(self.clock.now(), query))
    }
}
