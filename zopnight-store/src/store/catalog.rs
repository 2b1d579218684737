//! The port `RevisionStore`.

use async_trait::async_trait;
use tracing::instrument;
use zopnight_core::domain::{
    Applied, BranchKey, BuildAttempt, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentView, Event, EventQuery,
    IdempotencyRecord, IdempotencyRef, LogSource, LogTail, OrgId, Page, RevisionChange, RevisionId, RevisionQuery,
    RevisionView, SweepPage, SweepQuery,
};
use zopnight_core::ports::RevisionStore;
use zopnight_core::{Error, Result};

use super::SqlStore;
use crate::database::Database;
use crate::engine::{self, Apply, WaitForSlot, Waiting};
use crate::retry::write;

/// How often a change meets full slots that are free a moment later.
const SLOT_ROUNDS: u32 = 20;

#[async_trait]
impl<D: Database> RevisionStore for SqlStore<D> {
    #[instrument(name = "zopnight.store.apply", skip_all, fields(backend = D::NAME, rows = change.revisions.len()))]
    async fn apply(&self, change: RevisionChange) -> Result<Applied> {
        let work = Apply::new(change)?;
        for _ in 0..SLOT_ROUNDS {
            let applied = write(&self.pools, "store.apply", &work).await?;
            let (Applied::AtCapacity, Some(lease)) = (&applied, work.holder()) else { return Ok(applied) };
            match write(&self.pools, "store.apply", &WaitForSlot { org: work.org(), lease }).await? {
                Waiting::Blocked => return Ok(applied),
                Waiting::Lost => return Ok(Applied::LeaseLost),
                Waiting::Free => {}
            }
        }
        Err(Error::unavailable("store.apply", "build slots come and go too fast").with("code", "store_busy"))
    }

    async fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView> {
        let mut s = self.reader("store.deployment").await?;
        engine::deployment_view(&mut s, org, id).await.map_err(|e| e.into_core("store.deployment"))
    }

    async fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>> {
        let mut s = self.reader("store.deployments").await?;
        engine::deployment_page(&mut s, org, query).await.map_err(|e| e.into_core("store.deployments"))
    }

    async fn revision(&self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Result<RevisionView> {
        let mut s = self.reader("store.revision").await?;
        engine::revision_view(&mut s, org, deployment, id).await.map_err(|e| e.into_core("store.revision"))
    }

    async fn revisions(&self, org: &OrgId, deployment: DeploymentId, query: &RevisionQuery) -> Result<Page<RevisionView>> {
        let mut s = self.reader("store.revisions").await?;
        engine::revision_page(&mut s, org, deployment, query).await.map_err(|e| e.into_core("store.revisions"))
    }

    async fn unfinished(&self, org: &OrgId, deployment: DeploymentId) -> Result<Vec<RevisionView>> {
        let mut s = self.reader("store.unfinished").await?;
        engine::unfinished(&mut s, org, deployment).await.map_err(|e| e.into_core("store.unfinished"))
    }

    async fn attempts(&self, org: &OrgId, revision: RevisionId) -> Result<Vec<BuildAttempt>> {
        let mut s = self.reader("store.attempts").await?;
        engine::attempts_of(&mut s, org, revision).await.map_err(|e| e.into_core("store.attempts"))
    }

    async fn events(&self, org: &OrgId, deployment: DeploymentId, query: &EventQuery) -> Result<Page<Event>> {
        let mut s = self.reader("store.events").await?;
        engine::event_page(&mut s, org, deployment, query).await.map_err(|e| e.into_core("store.events"))
    }

    async fn log(&self, org: &OrgId, revision: RevisionId, source: LogSource) -> Result<Option<LogTail>> {
        let mut s = self.reader("store.log").await?;
        s.log(org, revision, source).await.map_err(|e| e.into_core("store.log"))
    }

    async fn idempotency(&self, org: &OrgId, key: &IdempotencyRef) -> Result<Option<IdempotencyRecord>> {
        let mut s = self.reader("store.idempotency").await?;
        let ttl = s.options().idempotency_ttl;
        let read = async { Ok((s.now().await?, s.idempotency(org, *key).await?)) };
        let (now, record) = read.await.map_err(|e: crate::error::StoreError| e.into_core("store.idempotency"))?;
        Ok(record.filter(|r| now <= r.created_at.plus(ttl)))
    }

    async fn following(&self, key: &BranchKey, after: Option<DeploymentRef>) -> Result<Vec<DeploymentRef>> {
        let mut s = self.reader("store.following").await?;
        s.following(key, after.as_ref()).await.map_err(|e| e.into_core("store.following"))
    }

    async fn sweep_page(&self, query: &SweepQuery) -> Result<SweepPage> {
        const OPERATION: &str = "store.sweep_page";
        let mut s = self.reader(OPERATION).await?;
        match query {
            SweepQuery::Tracked { after } => s.tracked(after.as_ref()).await.map(SweepPage::Tracked),
            SweepQuery::Stalled { idle, after } => {
                let now = s.now().await.map_err(|e| e.into_core(OPERATION))?;
                s.stalled(now.minus(*idle), after.as_ref()).await.map(SweepPage::Stalled)
            }
        }
        .map_err(|e| e.into_core(OPERATION))
    }
}
