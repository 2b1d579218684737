//! Somebody cancels a revision.

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    CancelJobs, DeploymentId, EventKind, NewEvent, OrgId, Reason, RevisionChange, RevisionId, RevisionState, RevisionView,
};
use crate::error::{Error, Result};

use super::decide::{Written, check_not_deleting, until_settled};
use super::rollback::restored;
use super::{Accepted, Pipeline, RequestContext};

impl Pipeline {
    /// Cancels a revision. Its run is cancelled by a job, so an outage of the forge does not matter. Cancelling one that is being
    /// rolled out also makes a rollback revision to the one that serves, so that no half rollout stays live.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` (`revision_terminal`, `deployment_deleting`); `Unavailable`.
    pub async fn cancel(&self, request: &RequestContext, id: DeploymentId, revision: RevisionId) -> Result<Accepted> {
        if let Some(answer) = self.replayed(request).await? {
            return Ok(answer);
        }
        let restoring = self.new_revision_id();
        until_settled("revision.cancel", async || {
            let deployment = self.store().deployment(&request.org, id).await?;
            let view = self.store().revision(&request.org, id, revision).await?;
            let state = view.revision.state;
            if state == RevisionState::Cancelled {
                return self.accepted(&request.org, id, Some(revision), false).await.map(Some);
            }
            check_not_deleting("revision.cancel", &deployment.deployment)?;
            let reason = Reason::new("cancelled", "the revision was cancelled");
            let event = NewEvent::new(EventKind::CancelRequested, "a cancel was asked for").of(revision).by(&request.actor);
            let base = RevisionChange::new(request.org.clone(), id)
                .with_idempotency(request.idempotency.clone())
                .with_event(event)
                .with_cancel(CancelJobs::OfRevision(revision));
            let Some(mut change) = self.ending(base, &view, RevisionEvent::Cancel, Some(reason)) else {
                let message = format!("the revision is {} already", state.as_str());
                return Err(Error::conflict("revision.cancel", "revision_terminal", message));
            };
            let current = match &deployment.current {
                Some(current) if state == RevisionState::Deploying && !self.has_newer(&request.org, id, &view).await? => {
                    Some(current)
                }
                _ => None,
            };
            if let Some((current, image)) = current.and_then(|c| Some((c, c.image.clone()?))) {
                change = self.restoring(change, &deployment.deployment, restored(current, restoring, &image, request));
            }
            match self.write("revision.cancel", change).await? {
                Written::Committed => self.accepted(&request.org, id, Some(revision), false).await.map(Some),
                Written::Replayed(revision, id) => self.accepted(&request.org, id, revision, true).await.map(Some),
                Written::Stale => Ok(None),
            }
        })
        .await
    }

    /// Whether a newer revision is under way, which will take the cluster over.
    async fn has_newer(&self, org: &OrgId, id: DeploymentId, view: &RevisionView) -> Result<bool> {
        let unfinished = self.older_unfinished(org, id, None).await?;
        Ok(unfinished.iter().any(|v| v.revision.number > view.revision.number))
    }
}
