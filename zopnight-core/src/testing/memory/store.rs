//! The store itself: a lock, a clock and a bell around the data.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
use crate::error::{Error, Result, Retry};
use crate::ports::{Clock, JobQueue, RevisionStore};
use crate::testing::hook::{Act, Hook, Point};
use crate::testing::peek::{JobPeek, Peek};
use crate::testing::suites::harness::Cell;

const SOON: Retry = Retry::After(Duration::from_secs(1));

/// A store in memory. Clones share the data, as two processes share a database.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
    hook: Option<Arc<dyn Hook>>,
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
        Self { data: Arc::new(Mutex::new(data)), clock, bell: Arc::new(Notify::new()), hook: None }
    }

    /// The same data with `hook` asked at the beginning of each transaction and after its commit. A transaction is one step
    /// under one lock: it has no points between.
    #[must_use]
    pub fn with_hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hook = Some(hook);
        self
    }

    /// Writes a cell of jobs' rows past every rule.
    pub fn set(&self, jobs: &[JobId], cell: &Cell) {
        self.data().set(jobs, cell);
    }

    /// All that is stored, as text.
    #[must_use]
    pub fn raw(&self) -> String {
        self.data().raw()
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
    async fn write<T: Send>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&mut Data, &mut Op) -> Result<T> + Send,
        wrote: impl FnOnce(&T) -> bool + Send,
    ) -> Result<T> {
        self.begin(operation).await?;
        let answer = self.locked(run, wrote)?;
        match self.act(operation, "after_commit") {
            Act::Go => Ok(answer),
            Act::Hang => pending().await,
            Act::DropConnection | Act::Fail | Act::LoseAnswer => {
                let error = Error::unavailable(operation, "the answer to the commit was lost").with_retry(SOON);
                Err(error.with("code", "commit_unknown").with("commit", "unknown"))
            }
        }
    }

    fn locked<T>(&self, run: impl FnOnce(&mut Data, &mut Op) -> Result<T>, wrote: impl FnOnce(&T) -> bool) -> Result<T> {
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

    /// A lost connection is tried once more, as the SQL stores do.
    async fn begin(&self, operation: &'static str) -> Result<()> {
        let act = match self.act(operation, "begin") {
            Act::DropConnection => self.act(operation, "begin"),
            act => act,
        };
        match act {
            Act::Go => Ok(()),
            Act::Hang => pending().await,
            Act::DropConnection | Act::Fail | Act::LoseAnswer => {
                let error = Error::unavailable(operation, "the store cannot be reached").with_retry(SOON);
                Err(error.with("code", "store_unreachable"))
            }
        }
    }

    fn act(&self, operation: &'static str, step: &'static str) -> Act {
        self.hook.as_ref().map_or(Act::Go, |hook| hook.at(&Point { operation, step, nth: 0 }))
    }
}

#[async_trait]
impl JobQueue for MemoryStore {
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        let stored = |answers: &Vec<Enqueued>| answers.iter().any(|a| !a.folded);
        self.write("queue.enqueue", |data, op| data.enqueue(op, jobs), stored).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        self.write("queue.claim", |data, op| data.claim(op, request), |leases| !leases.is_empty()).await
    }

    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        let extended = |answers: &Vec<Extended>| answers.iter().any(|a| *a != Extended::Lost);
        self.write("queue.extend", |data, op| data.extend(op, leases, lease), extended).await
    }

    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        let accepted = |answers: &Vec<Finished>| answers.contains(&Finished::Accepted);
        self.write("queue.finish", |data, op| data.finish(op, items), accepted).await
    }

    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        const OPERATION: &str = "queue.maintain";
        let begun = Instant::now();
        let spent = || begun.elapsed() >= budget.time;
        let mut did = Maintained::default();
        loop {
            let (seen, promoted) = self.write(OPERATION, |data, op| Ok(data.promote(op)), |(_, n)| *n > 0).await?;
            did.promoted = did.promoted.saturating_add(promoted);
            if seen == 0 || spent() {
                break;
            }
        }
        did.taken_back = self.write(OPERATION, |data, op| Ok(data.take_back(op)), |n| *n > 0).await?;
        did.mended = self.write(OPERATION, |data, op| Ok(data.mend_keys(op)), |n| *n > 0).await?;
        let lines = self.data().slot_lines();
        for scope in lines {
            let mended = self.write(OPERATION, |data, op| Ok(data.mend_slots(op, &scope)), |n| *n > 0).await?;
            did.mended = did.mended.saturating_add(mended);
        }
        let mut more = budget.purge;
        while more {
            let purged = self.write("queue.purge", |data, op| Ok(data.purge(op.now)), |n| *n > 0).await?;
            did.purged = did.purged.saturating_add(purged);
            more = purged > 0 && !spent();
        }
        did.next_due = self.data().next_due(self.clock.now());
        Ok(did)
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
        self.write("queue.revive", |data, op| data.revive(op, scope, job), |()| true).await
    }
}

#[async_trait]
impl RevisionStore for MemoryStore {
    async fn apply(&self, change: RevisionChange) -> Result<Applied> {
        let wrote = |applied: &Applied| matches!(applied, Applied::Committed(_) | Applied::AtCapacity);
        self.write("store.apply", |data, op| data.apply(op, change), wrote).await
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
