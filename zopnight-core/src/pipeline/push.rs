//! A push to a branch becomes revisions: one `apply` for each deployment that follows it.

use crate::domain::push_order::{PushKey, PushOrder, order_push};
use crate::domain::revision::RevisionEvent;
use crate::domain::{
    Actor, BranchKey, BranchName, Cause, CommitInfo, Delivery, DeliveryId, Deployment, DeploymentId, DeploymentOp,
    DeploymentRef, EventKind, Expect, JobPayload, NewEvent, NewRevision, OrgId, PushEvent, RefEvent, RevisionChange,
    RevisionId, RevisionJob, RevisionOp, RevisionState, SourcePatch, SweepJob,
};
use crate::error::{Error, ErrorKind, Result};

use super::create::accepted_event;
use super::decide::{Written, until_settled};
use super::{Pipeline, WebhookAnswer, WebhookOutcome};

/// What a push came to for one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushed {
    /// A revision was made now.
    Made,
    /// The delivery's revision was there.
    Known,
    /// The newest revision is at that commit already.
    Same,
    /// Left to a sweep.
    Unproven,
    /// The author, or the deployment's state, wants no revision.
    Skipped(&'static str),
}

/// A revision for a commit that was found at the branch's head.
#[derive(Clone, Debug)]
pub(super) struct HeadCommit {
    pub(super) delivery: DeliveryId,
    pub(super) digest: Option<[u8; 32]>,
    pub(super) commit: CommitInfo,
    pub(super) actor: Actor,
}

impl Pipeline {
    pub(super) async fn push_branch(&self, delivery: &Delivery, push: &PushEvent) -> Result<WebhookAnswer> {
        let Ok(branch) = BranchName::parse(&push.name) else {
            return Ok(ignored(delivery, "branch_name"));
        };
        let key = BranchKey { forge: delivery.forge.clone(), repository: push.repository.id, branch };
        let (followers, more) = self.followers(&key).await?;
        if more {
            // Stored before anything is answered: the sweep serves those beyond the bound.
            self.ensure_sweep().await?;
        }
        let mut outcomes = Vec::with_capacity(followers.len());
        for follower in &followers {
            outcomes.push(self.push_to(&follower.org, follower.id, delivery, push).await?);
        }
        let revisions = outcomes.iter().filter(|o| matches!(o, Pushed::Made | Pushed::Known)).count();
        let any = |wanted: &[Pushed]| outcomes.iter().any(|o| wanted.contains(o));
        let skipped = outcomes.iter().find_map(|o| if let Pushed::Skipped(reason) = o { Some(*reason) } else { None });
        let (outcome, reason) = if any(&[Pushed::Made, Pushed::Unproven]) {
            (WebhookOutcome::Accepted, None)
        } else if any(&[Pushed::Known, Pushed::Same]) {
            (WebhookOutcome::Duplicate, None)
        } else {
            (WebhookOutcome::Ignored, Some(skipped.unwrap_or("not_followed")))
        };
        let revisions = u32::try_from(revisions).unwrap_or(u32::MAX);
        Ok(WebhookAnswer { delivery: delivery.id.clone(), outcome, reason, revisions })
    }

    /// The deployments that follow a branch, up to the bound, and whether there are more.
    async fn followers(&self, key: &BranchKey) -> Result<(Vec<DeploymentRef>, bool)> {
        let bound = self.config().limits.fan_out;
        let mut all: Vec<DeploymentRef> = Vec::new();
        loop {
            let page = self.store().following(key, all.last().cloned()).await?;
            let full = page.len() >= 500;
            all.extend(page);
            if all.len() > bound {
                all.truncate(bound);
                return Ok((all, true));
            }
            if !full {
                return Ok((all, false));
            }
        }
    }

    async fn push_to(&self, org: &OrgId, id: DeploymentId, delivery: &Delivery, push: &PushEvent) -> Result<Pushed> {
        let revision = RevisionId::for_delivery(id, &delivery.id);
        until_settled("push", async || {
            if let Some(known) = self.known_delivery(org, id, revision, delivery).await? {
                return Ok(Some(known));
            }
            let deployment = match self.store().deployment(org, id).await {
                Ok(view) => view.deployment,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(Pushed::Skipped("not_followed"))),
                Err(error) => return Err(error),
            };
            if deployment.deleting_at.is_some() {
                return Ok(Some(Pushed::Skipped("deployment_deleting")));
            }
            // It may have turned to another branch since the followers were listed.
            if !deployment.source.auto_deploy || deployment.source.branch.as_str() != push.name {
                return Ok(Some(Pushed::Skipped("not_followed")));
            }
            if push.skip.is_some() {
                return self.skip(&deployment, delivery, push).await;
            }
            let key = PushKey { before: push.before.clone(), after: push.after.clone() };
            match order_push(&key, deployment.source_head.as_ref(), false) {
                PushOrder::Redelivery => Ok(Some(Pushed::Known)),
                PushOrder::SameContent => self.note(&deployment, delivery, EventKind::WebhookDuplicate, Pushed::Same).await,
                PushOrder::Unproven => self.leave_to_sweep(&deployment, delivery, push).await,
                PushOrder::Next => {
                    let commit = push.head.clone().filter(|h| h.sha == push.after);
                    let head = HeadCommit {
                        delivery: delivery.id.clone(),
                        digest: Some(delivery.body_sha256),
                        commit: commit.unwrap_or_else(|| CommitInfo::of(push.after.clone())),
                        actor: Actor::webhook(),
                    };
                    let event = NewEvent::new(EventKind::WebhookAccepted, "a push was accepted")
                        .of(revision)
                        .by(&head.actor)
                        .with("deliveryID", delivery.id.as_str())
                        .with("ref", push.git_ref.as_str());
                    let change = self.revision_at_head(&deployment, &head).await?.with_event(event);
                    match self.write("push", change).await {
                        Ok(Written::Committed) => Ok(Some(Pushed::Made)),
                        Ok(Written::Stale | Written::Replayed(..)) => Ok(None),
                        Err(error) if error.code() == Some("deployment_deleting") => {
                            Ok(Some(Pushed::Skipped("deployment_deleting")))
                        }
                        Err(error) => Err(error),
                    }
                }
            }
        })
        .await
    }

    /// The revision that this very delivery made, if it did; its body must be the same.
    async fn known_delivery(
        &self,
        org: &OrgId,
        id: DeploymentId,
        revision: RevisionId,
        delivery: &Delivery,
    ) -> Result<Option<Pushed>> {
        let known = match self.store().revision(org, id, revision).await {
            Ok(known) => known,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if known.delivery_digest == Some(delivery.body_sha256) {
            return Ok(Some(Pushed::Known));
        }
        let event = NewEvent::new(EventKind::WebhookConflict, "a delivery id came back with another body")
            .of(revision)
            .by(&Actor::webhook())
            .with("deliveryID", delivery.id.as_str());
        self.write("push", RevisionChange::new(org.clone(), id).with_event(event)).await?;
        Err(Error::conflict("push", "delivery_conflict", "this delivery id was used for another body"))
    }

    /// A change that makes a revision at the branch's head, in place of those that are under way.
    pub(super) async fn revision_at_head(&self, deployment: &Deployment, head: &HeadCommit) -> Result<RevisionChange> {
        let id = RevisionId::for_delivery(deployment.id, &head.delivery);
        let new = NewRevision {
            id,
            state: RevisionState::Queued,
            cause: Cause::Push { delivery: head.delivery.clone() },
            delivery_digest: head.digest,
            commit: head.commit.clone(),
            branch: deployment.source.branch.clone(),
            actor: head.actor.clone(),
            build: deployment.build.clone(),
            runtime: deployment.runtime.clone(),
            target: deployment.target.clone(),
            image: None,
            at_head: true,
        };
        let older = self.older_unfinished(&deployment.org, deployment.id, None).await?;
        let job = self.job(&deployment.org, deployment.id, JobPayload::Build(RevisionJob { revision: id }));
        let expect = Expect { newest_number: Some(deployment.newest_number), ..Expect::default() };
        let event = accepted_event(&new);
        let change = RevisionChange::new(deployment.org.clone(), deployment.id)
            .with_expect(expect)
            .with_revision(RevisionOp::Create(Box::new(new)))
            .with_event(event)
            .with_follow_up(job);
        let change = self.superseding(change, &older, id, RevisionEvent::NewerAccepted);
        Ok(self.reporting(change, id))
    }

    async fn skip(&self, deployment: &Deployment, delivery: &Delivery, push: &PushEvent) -> Result<Option<Pushed>> {
        if deployment.skipped_head.as_ref() == Some(&push.after) {
            return Ok(Some(Pushed::Skipped("skip_token")));
        }
        let patch = SourcePatch { skipped_head: Some(push.after.clone()), ..SourcePatch::default() };
        let event =
            webhook_event(EventKind::WebhookIgnored, delivery, "the commit asks for no build").with("reason", "skip_token");
        let change = RevisionChange::new(deployment.org.clone(), deployment.id)
            .with_deployment(DeploymentOp::Source(Box::new(patch)))
            .with_event(event);
        Ok(committed(&self.write("push.skip", change).await?, Pushed::Skipped("skip_token")))
    }

    async fn leave_to_sweep(
        &self,
        deployment: &Deployment,
        delivery: &Delivery,
        push: &PushEvent,
    ) -> Result<Option<Pushed>> {
        let payload =
            SweepJob::One { deployment: deployment.id, delivery: Some(delivery.id.clone()), head: Some(push.after.clone()) };
        let event = webhook_event(
            EventKind::WebhookAccepted,
            delivery,
            "the push does not follow the newest revision: the head is asked",
        )
        .with("reason", "unproven");
        let change = RevisionChange::new(deployment.org.clone(), deployment.id).with_event(event).with_follow_up(self.job(
            &deployment.org,
            deployment.id,
            JobPayload::Sweep(payload),
        ));
        Ok(committed(&self.write("push.unproven", change).await?, Pushed::Unproven))
    }

    async fn note(
        &self,
        deployment: &Deployment,
        delivery: &Delivery,
        kind: EventKind,
        pushed: Pushed,
    ) -> Result<Option<Pushed>> {
        let event = webhook_event(kind, delivery, "the push brings nothing new");
        let change = RevisionChange::new(deployment.org.clone(), deployment.id).with_event(event);
        Ok(committed(&self.write("push.note", change).await?, pushed))
    }

    pub(super) async fn branch_deleted(&self, delivery: &Delivery, gone: &RefEvent) -> Result<WebhookAnswer> {
        let Ok(branch) = BranchName::parse(&gone.name) else { return Ok(ignored(delivery, "branch_name")) };
        let key = BranchKey { forge: delivery.forge.clone(), repository: gone.repository.id, branch };
        let (followers, _) = self.followers(&key).await?;
        for follower in followers {
            let event = webhook_event(EventKind::WebhookIgnored, delivery, "the branch was deleted; what serves goes on")
                .with("reason", "branch_deleted");
            self.write("push.deleted", RevisionChange::new(follower.org, follower.id).with_event(event)).await?;
        }
        Ok(ignored(delivery, "branch_deleted"))
    }
}

fn webhook_event(kind: EventKind, delivery: &Delivery, message: &str) -> NewEvent {
    NewEvent::new(kind, message).by(&Actor::webhook()).with("deliveryID", delivery.id.as_str())
}

fn committed(written: &Written, pushed: Pushed) -> Option<Pushed> {
    matches!(written, Written::Committed).then_some(pushed)
}

fn ignored(delivery: &Delivery, reason: &'static str) -> WebhookAnswer {
    WebhookAnswer { delivery: delivery.id.clone(), outcome: WebhookOutcome::Ignored, reason: Some(reason), revisions: 0 }
}
