//! A queue that remembers what it handed out.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use zopnight_core::Result;
use zopnight_core::domain::{
    Budget, ClaimRequest, Enqueued, Extended, Finish, Finished, JobId, JobKind, Lease, LeaseRef, Maintained, NewJob,
    ParkedJob, QueueStats, Scope,
};
use zopnight_core::ports::{JobQueue, Store};

#[derive(Debug)]
pub(crate) struct Witness {
    store: Arc<dyn Store>,
    claimed: Mutex<Vec<(Instant, Lease)>>,
}

impl Witness {
    pub(crate) fn of(store: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store: Arc::clone(store), claimed: Mutex::default() })
    }

    /// The leases of this kind that were handed out, with when.
    pub(crate) fn of_kind(&self, kind: JobKind) -> Vec<(Instant, Lease)> {
        self.claimed.lock().unwrap().iter().filter(|(_, lease)| lease.kind == kind).cloned().collect()
    }
}

#[async_trait]
impl JobQueue for Witness {
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        self.store.enqueue(jobs).await
    }
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        let leases = self.store.claim(request).await?;
        let now = Instant::now();
        self.claimed.lock().unwrap().extend(leases.iter().map(|lease| (now, lease.clone())));
        Ok(leases)
    }
    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        self.store.extend(leases, lease).await
    }
    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        self.store.finish(items).await
    }
    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        self.store.maintain(budget).await
    }
    async fn wait(&self, at_most: Duration) {
        self.store.wait(at_most).await;
    }
    async fn stats(&self) -> Result<QueueStats> {
        self.store.stats().await
    }
    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
        self.store.parked(scope).await
    }
    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
        self.store.revive(scope, job).await
    }
}
