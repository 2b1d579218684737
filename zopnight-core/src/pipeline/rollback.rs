//! Back to an older revision's image and configuration.

use crate::domain::{
    Cause, DeployedImage, Deployment, DeploymentId, DeploymentView, EventKind, Expect, JobPayload, NewEvent, NewRevision,
    PageRequest, Revision, RevisionChange, RevisionJob, RevisionOp, RevisionQuery, RevisionSort, RevisionState,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::ResolveRequest;

use super::access::ours_to_mend;
use super::create::accepted_event;
use super::decide::{Written, check_not_deleting, until_settled};
use super::{Accepted, Pipeline, RequestContext, RollbackTo};

impl Pipeline {
    /// Makes a revision with the image and configuration of an older one that succeeded. It never builds.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` (`nothing_to_roll_back_to`, `revision_not_deployable`, `already_current`, `image_gone`,
    /// `deployment_deleting`, `idempotency_key_reused`); `Unavailable` (the registry, the store).
    pub async fn rollback(&self, request: &RequestContext, id: DeploymentId, to: RollbackTo) -> Result<Accepted> {
        if let Some(answer) = self.replayed(request).await? {
            return Ok(answer);
        }
        let revision = self.new_revision_id();
        let view = self.store().deployment(&request.org, id).await?;
        check_not_deleting("deployment.rollback", &view.deployment)?;
        let target = self.rollback_target(request, &view, to).await?;
        let image = self.still_there(&target).await?;
        until_settled("deployment.rollback", async || {
            let view = self.store().deployment(&request.org, id).await?;
            check_current(&view, &target)?;
            let new = restored(&target, revision, &image, request);
            let event = NewEvent::new(
                EventKind::RollbackRequested,
                format!("a rollback to revision {} was asked for", target.number),
            )
            .of(revision)
            .by(&request.actor)
            .with("target", target.number.get());
            let change = self.replacing(&view.deployment, new, request).await?.with_event(event);
            match self.write("deployment.rollback", change).await? {
                Written::Committed => self.accepted(&request.org, id, Some(revision), false).await.map(Some),
                Written::Replayed(revision, id) => self.accepted(&request.org, id, revision, true).await.map(Some),
                Written::Stale => Ok(None),
            }
        })
        .await
    }

    /// Adds to `change` a revision that puts what serves back into the cluster, with its deploy job.
    pub(super) fn restoring(&self, mut change: RevisionChange, deployment: &Deployment, new: NewRevision) -> RevisionChange {
        let id = new.id;
        let job = self.job(&change.org, deployment.id, JobPayload::Deploy(RevisionJob { revision: id }));
        change.expect = Expect { newest_number: Some(deployment.newest_number), ..change.expect };
        let change =
            change.with_event(accepted_event(&new)).with_revision(RevisionOp::Create(Box::new(new))).with_follow_up(job);
        self.reporting(change, id)
    }

    async fn rollback_target(&self, request: &RequestContext, view: &DeploymentView, to: RollbackTo) -> Result<Revision> {
        let id = view.deployment.id;
        let target = match to {
            RollbackTo::Revision(revision) => Some(self.store().revision(&request.org, id, revision).await?.revision),
            RollbackTo::Number(number) => {
                let newest = view.deployment.newest_number;
                if number.get() > newest {
                    return Err(Error::not_found("deployment.rollback", "revision_not_found", "there is no such revision"));
                }
                // Numbers have no gaps, so the place in the list is known.
                let page = PageRequest { page: number.get(), limit: 1 };
                let query = RevisionQuery { page, sort: RevisionSort::NumberAscending, state: None };
                self.store().revisions(&request.org, id, &query).await?.items.pop().map(|v| v.revision)
            }
            RollbackTo::Previous => {
                let current = view.deployment.current_number;
                let query = RevisionQuery {
                    page: PageRequest { page: 1, limit: 100 },
                    sort: RevisionSort::NumberDescending,
                    state: Some(RevisionState::Succeeded),
                };
                let succeeded = self.store().revisions(&request.org, id, &query).await?.items;
                let found = succeeded.into_iter().map(|v| v.revision).find(|r| r.number.get() < current);
                if found.is_none() {
                    let message = "no older revision has succeeded";
                    return Err(Error::conflict("deployment.rollback", "nothing_to_roll_back_to", message));
                }
                found
            }
        };
        let target = target
            .ok_or_else(|| Error::not_found("deployment.rollback", "revision_not_found", "there is no such revision"))?;
        check_current(view, &target)?;
        if target.state != RevisionState::Succeeded || target.image.is_none() {
            let message = "only a revision that has succeeded can be rolled back to";
            return Err(Error::conflict("deployment.rollback", "revision_not_deployable", message));
        }
        Ok(target)
    }

    /// The target's image, looked up again: a rollback to what the registry no longer holds would fail late.
    async fn still_there(&self, target: &Revision) -> Result<DeployedImage> {
        let Some(image) = target.image.clone() else {
            return Err(Error::internal("deployment.rollback", "a revision that succeeded has no image"));
        };
        let request = ResolveRequest {
            org: target.org.clone(),
            image: image.to_ref(),
            allotted: target.target.image_repository.clone(),
        };
        match self.builds()?.resolver.resolve(&request).await {
            Ok(_) => Ok(image),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                let message = "the image is no longer in the registry";
                Err(Error::conflict("deployment.rollback", "image_gone", message).with_source(error))
            }
            Err(error) => Err(ours_to_mend(error)),
        }
    }
}

fn check_current(view: &DeploymentView, target: &Revision) -> Result<()> {
    if view.deployment.current_revision == Some(target.id) {
        return Err(Error::conflict("deployment.rollback", "already_current", "that revision serves already"));
    }
    Ok(())
}

/// A revision with everything of `target`, entering at `built`.
pub(super) fn restored(
    target: &Revision,
    id: crate::domain::RevisionId,
    image: &DeployedImage,
    request: &RequestContext,
) -> NewRevision {
    NewRevision {
        id,
        state: RevisionState::Built,
        cause: Cause::Rollback { to: target.id, to_number: target.number },
        delivery_digest: None,
        commit: target.commit.clone(),
        branch: target.branch.clone(),
        actor: request.actor.clone(),
        build: target.build.clone(),
        runtime: target.runtime.clone(),
        target: target.target.clone(),
        image: Some(image.clone()),
        at_head: false,
    }
}
