//! The port `JobQueue`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tracing::{Span, instrument};
use zopnight_core::Result;
use zopnight_core::domain::{
    Budget, ClaimRequest, Enqueued, Extended, Finish, Finished, JobId, JobState, Lane, Lease, LeaseRef, Maintained, NewJob,
    ParkedJob, QueueStats, Scope, Timestamp, Want,
};
use zopnight_core::ports::JobQueue;

use super::SqlStore;
use crate::database::Database;
use crate::engine::{self, Claim, Enqueue, Extend, Revive};
use crate::error::StoreError;
use crate::retry::write;
use crate::row::Cells;
use crate::telemetry;

impl<D: Database> SqlStore<D> {
    /// The wanted lanes that have a ready job: an idle poll is one statement that takes no lock.
    async fn probe(&self, want: &[Want]) -> Result<Vec<Want>, StoreError> {
        let rows = self.pools.fetch_alone(D::JOBS.probe, &[]).await?;
        let lane = |row: &D::Row| Cells::of(row, "jobs", "what").name("what", Lane::from_name);
        let ready = rows.iter().map(lane).collect::<Result<Vec<Lane>, StoreError>>()?;
        Ok(want.iter().filter(|w| ready.contains(&w.lane)).copied().collect())
    }
}

#[async_trait]
impl<D: Database> JobQueue for SqlStore<D> {
    #[instrument(name = "zopnight.store.enqueue", skip_all, fields(backend = D::NAME, rows = jobs.len()))]
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        let work = Enqueue::new(jobs)?;
        if work.is_empty() {
            return Ok(Vec::new());
        }
        write(&self.pools, "queue.enqueue", &work).await
    }

    #[instrument(name = "zopnight.store.claim", skip_all, fields(backend = D::NAME, rows))]
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        Claim::check(request)?;
        self.pools.wake().look();
        let lanes = self.probe(&request.want).await.map_err(|e| e.into_core("queue.claim"))?;
        if lanes.is_empty() {
            return Ok(Vec::new());
        }
        let leases = write(&self.pools, "queue.claim", &Claim::new(request, lanes)).await?;
        Span::current().record("rows", leases.len());
        Ok(leases)
    }

    #[instrument(name = "zopnight.store.extend", skip_all, fields(backend = D::NAME, rows = leases.len()))]
    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        let work = Extend::new(leases, lease)?;
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        write(&self.pools, "queue.extend", &work).await
    }

    #[instrument(name = "zopnight.store.finish", skip_all, fields(backend = D::NAME, rows = items.len()))]
    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        engine::finish(&self.pools, items).await
    }

    #[instrument(name = "zopnight.store.maintain", skip_all, fields(backend = D::NAME, rows))]
    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        let did = engine::maintain(&self.pools, budget).await?;
        Span::current().record("rows", did.promoted.saturating_add(did.taken_back).saturating_add(did.purged));
        Ok(did)
    }

    async fn wait(&self, at_most: Duration) {
        self.pools.wake().wait(at_most).await;
    }

    async fn stats(&self) -> Result<QueueStats> {
        telemetry::connected(D::NAME, self.pools.connected());
        let mut s = self.reader("queue.stats").await?;
        let read = async { Ok::<_, StoreError>((s.now().await?, s.stats().await?)) };
        let (now, rows) = read.await.map_err(|e| e.into_core("queue.stats"))?;
        let mut oldest: BTreeMap<Lane, i64> = BTreeMap::new();
        for row in rows.iter().filter(|r| r.state == JobState::Ready) {
            let at = oldest.entry(row.lane).or_insert(row.oldest);
            *at = row.oldest.min(*at);
        }
        Ok(QueueStats {
            jobs: rows.iter().map(|r| (r.kind, r.state, r.count)).collect(),
            oldest_ready: oldest.into_iter().map(|(lane, at)| (lane, now.since(Timestamp::from_micros(at)))).collect(),
        })
    }

    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
        let mut s = self.reader("queue.parked").await?;
        s.parked(engine::plan::org_of(scope)).await.map_err(|e| e.into_core("queue.parked"))
    }

    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
        write(&self.pools, "queue.revive", &Revive { scope, job }).await
    }
}
