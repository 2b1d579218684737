//! What a tenant can read.

use crate::domain::{
    DeploymentId, DeploymentQuery, DeploymentView, Event, EventQuery, LoadBalancerStatus, LogRequest, LogSource, LogTail,
    OrgId, Page, ReleaseRef, RevisionId, RevisionQuery, RevisionState, RevisionView,
};
use crate::error::Result;

use super::access::ours_to_mend;
use super::{Accepted, Pipeline, RequestContext};

impl Pipeline {
    /// A page of the tenant's deployments.
    ///
    /// # Errors
    /// `Invalid` for a page out of bounds; `Unavailable`.
    pub async fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>> {
        self.store().deployments(org, query).await
    }

    /// A deployment.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView> {
        self.store().deployment(org, id).await
    }

    /// A page of a deployment's revisions.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a page out of bounds, `Unavailable`.
    pub async fn revisions(&self, org: &OrgId, id: DeploymentId, query: &RevisionQuery) -> Result<Page<RevisionView>> {
        self.store().revisions(org, id, query).await
    }

    /// A revision.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn revision(&self, org: &OrgId, id: DeploymentId, revision: RevisionId) -> Result<RevisionView> {
        self.store().revision(org, id, revision).await
    }

    /// A page of a deployment's timeline.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a page out of bounds, `Unavailable`.
    pub async fn events(&self, org: &OrgId, id: DeploymentId, query: &EventQuery) -> Result<Page<Event>> {
        self.store().events(org, id, query).await
    }

    /// The end of a revision's log: while it builds, the builder is asked; afterwards the stored tail is given.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`, `Conflict` where our credentials at the builder are refused.
    pub async fn log_tail(&self, org: &OrgId, id: DeploymentId, revision: RevisionId, source: LogSource) -> Result<LogTail> {
        let view = self.store().revision(org, id, revision).await?;
        let run = view.attempt.as_ref().and_then(|a| a.run.clone());
        if let (LogSource::Build, RevisionState::Building, Some(run), Ok(builds)) =
            (source, view.revision.state, run, self.builds())
        {
            let request = LogRequest { run, max_lines: 2_000, max_bytes: 1 << 20 };
            return builds.dispatcher.log_tail(&request).await.map_err(ours_to_mend);
        }
        let stored = self.store().log(org, revision, source).await?;
        Ok(stored.unwrap_or_else(|| LogTail { complete: view.revision.state.is_terminal(), ..LogTail::default() }))
    }

    /// How a deployment is reached from outside.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` (`cluster_disabled`), `Unavailable`, `Conflict` where our credentials are refused.
    pub async fn load_balancer(&self, org: &OrgId, id: DeploymentId) -> Result<LoadBalancerStatus> {
        let view = self.store().deployment(org, id).await?;
        let d = view.deployment;
        self.cluster()?.load_balancer(&ReleaseRef::of(org, d.id, &d.name, &d.target)).await.map_err(ours_to_mend)
    }

    /// What a change that was accepted looks like now.
    pub(super) async fn accepted(
        &self,
        org: &OrgId,
        deployment: DeploymentId,
        revision: Option<RevisionId>,
        replayed: bool,
    ) -> Result<Accepted> {
        let view = self.store().deployment(org, deployment).await?;
        let revision = match revision {
            Some(id) => Some(self.store().revision(org, deployment, id).await?),
            None => None,
        };
        Ok(Accepted { deployment: view, revision, replayed })
    }

    /// The answer of an earlier request with the same key, before anything else is asked. A reused key for another request is
    /// found when the change is applied.
    pub(super) async fn replayed(&self, request: &RequestContext) -> Result<Option<Accepted>> {
        let Some(idempotency) = &request.idempotency else { return Ok(None) };
        match self.store().idempotency(&request.org, &idempotency.key).await? {
            Some(record) if record.request_digest == idempotency.request_digest => {
                self.accepted(&request.org, record.deployment, record.revision, true).await.map(Some)
            }
            _ => Ok(None),
        }
    }
}
