//! Somebody asks for a deployment to be deployed again.

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    Cause, CommitInfo, DeployedImage, Deployment, DeploymentId, EventKind, Expect, JobPayload, NewEvent, NewRevision,
    RevisionChange, RevisionId, RevisionJob, RevisionOp, RevisionState,
};
use crate::error::{Error, Result};
use crate::ports::repo_source::head;
use crate::ports::{At, SnapshotRequest};

use super::access::ours_to_mend;
use super::create::accepted_event;
use super::decide::{Written, check_not_deleting, until_settled};
use super::{Accepted, Pipeline, RedeployRequest, RequestContext};

impl Pipeline {
    /// Makes a revision of the branch's head, of a given commit, or of the image that serves.
    ///
    /// # Errors
    /// `NotFound` (`branch_not_found`, `commit_not_found`, …); `Conflict` (`no_image`, `deployment_deleting`,
    /// `integration_unauthorized`, `idempotency_key_reused`); `Unavailable`.
    pub async fn redeploy(&self, request: &RequestContext, id: DeploymentId, what: &RedeployRequest) -> Result<Accepted> {
        if let Some(answer) = self.replayed(request).await? {
            return Ok(answer);
        }
        let revision = self.new_revision_id();
        let fresh = self.store().deployment(&request.org, id).await?.deployment;
        check_not_deleting("deployment.redeploy", &fresh)?;
        self.check_integration(&request.org, &fresh.source.integration).await?;
        let commit = match (&what.commit, what.reuse_image) {
            (_, true) => None,
            (None, false) => {
                Some(head(self.source(), &fresh.source.repo(), &fresh.source.branch).await.map_err(ours_to_mend)?)
            }
            (Some(sha), false) => {
                let at = At::Commit(sha.clone());
                let root = fresh.source.root_path.clone();
                let request = SnapshotRequest { repo: fresh.source.repo(), at, root, want: Vec::new() };
                Some(self.source().snapshot(&request).await.map_err(ours_to_mend)?.commit)
            }
        };
        until_settled("deployment.redeploy", async || {
            let view = self.store().deployment(&request.org, id).await?;
            let (commit, image) = match (&commit, &view.current) {
                (Some(commit), _) => (commit.clone(), None),
                (None, Some(current)) => (current.commit.clone(), current.image.clone()),
                (None, None) => {
                    return Err(Error::conflict("deployment.redeploy", "no_image", "nothing serves yet"));
                }
            };
            let event =
                NewEvent::new(EventKind::RedeployRequested, "a redeploy was asked for").of(revision).by(&request.actor);
            let at_head = image.is_none() && what.commit.is_none();
            let new = NewRevision { at_head, ..again(&view.deployment, request, revision, Cause::Redeploy, commit, image) };
            let change = self.replacing(&view.deployment, new, request).await?.with_event(event);
            match self.write("deployment.redeploy", change).await? {
                Written::Committed => self.accepted(&request.org, id, Some(revision), false).await.map(Some),
                Written::Replayed(revision, id) => self.accepted(&request.org, id, revision, true).await.map(Some),
                Written::Stale => Ok(None),
            }
        })
        .await
    }

    /// A change that makes `new` in place of what is under way: with its job, its line, its report.
    pub(super) async fn replacing(
        &self,
        deployment: &Deployment,
        new: NewRevision,
        request: &RequestContext,
    ) -> Result<RevisionChange> {
        let older = self.older_unfinished(&request.org, deployment.id, None).await?;
        let id = new.id;
        let (payload, event) = match new.state {
            RevisionState::Built => (JobPayload::Deploy(RevisionJob { revision: id }), RevisionEvent::NewerBuilt),
            _ => (JobPayload::Build(RevisionJob { revision: id }), RevisionEvent::NewerAccepted),
        };
        let line = accepted_event(&new);
        let change = RevisionChange::new(request.org.clone(), deployment.id)
            .with_expect(Expect { newest_number: Some(deployment.newest_number), ..Expect::default() })
            .with_idempotency(request.idempotency.clone())
            .with_revision(RevisionOp::Create(Box::new(new)))
            .with_event(line)
            .with_follow_up(self.job(&request.org, deployment.id, payload));
        Ok(self.reporting(self.superseding(change, &older, id, event), id))
    }
}

/// A revision of a deployment's present configuration: queued at `commit`, or built where an image is given.
pub(super) fn again(
    deployment: &Deployment,
    request: &RequestContext,
    id: RevisionId,
    cause: Cause,
    commit: CommitInfo,
    image: Option<DeployedImage>,
) -> NewRevision {
    NewRevision {
        id,
        state: if image.is_some() { RevisionState::Built } else { RevisionState::Queued },
        cause,
        delivery_digest: None,
        commit,
        branch: deployment.source.branch.clone(),
        actor: request.actor.clone(),
        build: deployment.build.clone(),
        runtime: deployment.runtime.clone(),
        target: deployment.target.clone(),
        image,
        at_head: false,
    }
}
