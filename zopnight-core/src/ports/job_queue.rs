//! Keeps jobs, hands them out, ends them.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    Budget, ClaimRequest, Enqueued, Extended, Finish, Finished, JobId, Lease, LeaseRef, Maintained, NewJob, ParkedJob,
    QueueStats, Scope,
};
use crate::error::Result;

/// A queue of jobs with leases and fences.
///
/// A *lease* is the right to run a job until a time of the store's own clock; a *fence* is the number of that right, and
/// every write by a worker names it. Promises: at-least-once execution, exactly-once effect in our tables. Callers give
/// durations, never instants.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait JobQueue: Debug + Send + Sync + 'static {
    /// Stores jobs in one transaction, all or none; answers in the order given. A job whose dedupe key is taken is folded:
    /// nothing is stored, the answer names the survivor, whose due time becomes the earlier of the two. A `JobId` that is
    /// already stored is also folded, so repeating the call after `Unavailable` is safe. At most 500 jobs, 4 MiB.
    ///
    /// # Errors
    /// `Invalid` if a job breaks a bound (see [`NewJob::check`]); `Unavailable`.
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>>;

    /// Leases up to `want.max` ready jobs of each wanted lane, in turn order, skipping what others are claiming. Never waits
    /// for a lock. An empty answer is normal.
    ///
    /// # Errors
    /// `Invalid` for a lease outside 5 s ..= 1 h or a `max` outside 1 ..= 100; `Unavailable`.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>>;

    /// Prolongs leases to now + `lease`, all in one statement. One answer per lease, same order. `Lost` is final.
    ///
    /// # Errors
    /// `Invalid` as [`JobQueue::claim`]; `Unavailable`.
    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>>;

    /// Ends leases; one transaction. One answer per item. `Lost`: another holds the job or it was cancelled; nothing was
    /// written. Repeating an item that was accepted is answered `Accepted` again. At most 100 items.
    ///
    /// # Errors
    /// `Invalid` for more than 100 items or a payload of another kind; `Unavailable`.
    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>>;

    /// Housekeeping any process may run at any time, no leader: promotes due jobs, takes back expired leases, mends blocked
    /// jobs, purges. Bounded by the budget; says how long until the next job is due.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn maintain(&self, budget: &Budget) -> Result<Maintained>;

    /// Returns when work may have appeared, or after `at_most`. A hint: may return early, may miss; never an error.
    async fn wait(&self, at_most: Duration);

    /// Counts for metrics; not a snapshot. Its cost is bounded by live and parked jobs, not by finished ones.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn stats(&self) -> Result<QueueStats>;

    /// An operator's view: parked jobs of an org or of the system, newest first, at most 100.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>>;

    /// Makes a parked job ready again with zeroed counters and the next fence.
    ///
    /// # Errors
    /// `NotFound` when it is not parked or not of this scope; `Conflict` when a live job has its key; `Unavailable`.
    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()>;
}
