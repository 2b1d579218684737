//! Somebody asks for a deployment to be deployed again.

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    Cause, CommitInfo, CommitSha, DeployedImage, Deployment, DeploymentId, EventKind, Expect, JobPayload, NewEvent,
    NewRevision, RevisionChange, RevisionId, RevisionJob, RevisionOp, RevisionState, Source,
};
use crate::error::{Error, Result};
use crate::ports::repo_source::head;
use crate::ports::{At, SnapshotRequest};

use super::access::ours_to_mend;
use super::create::accepted_event;
use super::decide::{Written, check_not_deleting, until_settled};
use super::plan::keep_filled;
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
        until_settled("deployment.redeploy", async || {
            let view = self.store().deployment(&request.org, id).await?;
            check_not_deleting("deployment.redeploy", &view.deployment)?;
            let source = &view.deployment.source;
            let (commit, image) = if what.reuse_image {
                let Some(current) = &view.current else {
                    return Err(Error::conflict("deployment.redeploy", "no_image", "nothing serves yet"));
                };
                (current.commit.clone(), current.image.clone())
            } else {
                // Asked again in every round: what was the head before a push or another branch came is not to replace it.
                let commit = self.wanted_commit(request, source, what.commit.as_ref()).await?;
                (commit, None)
            };
            let event =
                NewEvent::new(EventKind::RedeployRequested, "a redeploy was asked for").of(revision).by(&request.actor);
            let at_head = image.is_none() && what.commit.is_none();
            let mut new =
                NewRevision { at_head, ..again(&view.deployment, request, revision, Cause::Redeploy, commit, image) };
            if let Some(current) = view.current.as_ref().filter(|_| what.reuse_image) {
                keep_filled(&mut new.runtime, &current.runtime);
            }
            let mut change = self.replacing(&view.deployment, new, request).await?.with_event(event);
            change.expect.config_version = Some(view.deployment.config_version);
            match self.write("deployment.redeploy", change).await? {
                Written::Committed => self.accepted(&request.org, id, Some(revision), false).await.map(Some),
                Written::Replayed(revision, id) => self.accepted(&request.org, id, revision, true).await.map(Some),
                Written::Stale => Ok(None),
            }
        })
        .await
    }

    /// The head of the branch, or the commit that was named.
    async fn wanted_commit(
        &self,
        request: &RequestContext,
        source: &Source,
        named: Option<&CommitSha>,
    ) -> Result<CommitInfo> {
        self.check_integration(&request.org, &source.integration).await?;
        let Some(sha) = named else {
            return head(self.source(), &source.repo(), &source.branch).await.map_err(ours_to_mend);
        };
        let (at, root) = (At::Commit(sha.clone()), source.root_path.clone());
        let request = SnapshotRequest { repo: source.repo(), at, root, want: Vec::new() };
        Ok(self.source().snapshot(&request).await.map_err(ours_to_mend)?.commit)
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
