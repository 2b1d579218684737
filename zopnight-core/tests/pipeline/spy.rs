//! A queue that counts its calls and plays a script of faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zopnight_core::Result;
use zopnight_core::domain::{
    Budget, ClaimRequest, Enqueued, Extended, Finish, Finished, JobId, Lease, LeaseRef, Maintained, NewJob, ParkedJob,
    QueueStats, Scope,
};
use zopnight_core::ports::{JobQueue, Store};
use zopnight_core::testing::fakes::Faults;

/// Calls and faults are named as the port's methods.
#[derive(Debug)]
pub(crate) struct Spy {
    store: Arc<dyn Store>,
    pub(crate) faults: Faults,
}

impl Spy {
    pub(crate) fn of(store: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store: Arc::clone(store), faults: Faults::new() })
    }
}

#[async_trait]
impl JobQueue for Spy {
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        let after = self.faults.enter("enqueue").await?;
        after.with(self.store.enqueue(jobs).await?).await
    }
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        let after = self.faults.enter("claim").await?;
        after.with(self.store.claim(request).await?).await
    }
    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        let after = self.faults.enter("extend").await?;
        after.with(self.store.extend(leases, lease).await?).await
    }
    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        let after = self.faults.enter("finish").await?;
        after.with(self.store.finish(items).await?).await
    }
    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        let after = self.faults.enter("maintain").await?;
        after.with(self.store.maintain(budget).await?).await
    }
    async fn wait(&self, at_most: Duration) {
        self.store.wait(at_most).await;
    }
    async fn stats(&self) -> Result<QueueStats> {
        let after = self.faults.enter("stats").await?;
        after.with(self.store.stats().await?).await
    }
    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
        self.store.parked(scope).await
    }
    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
        self.store.revive(scope, job).await
    }
}
