//! Brings one deployment to its branch's head, whatever was missed.

use crate::domain::{
    Actor, BranchMark, CommitInfo, CommitSha, DeliveryId, Deployment, DeploymentId, DeploymentOp, EventKind, NewEvent,
    OrgId, OwnerName, RepoName, RevisionChange, SourcePatch,
};
use crate::error::{ErrorKind, Result};
use crate::ports::{Head, HeadsRequest};

use super::Pipeline;
use super::decide::{Written, until_settled};
use super::push::HeadCommit;

/// What asked for the reconciliation, if a webhook did.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) delivery: Option<DeliveryId>,
    pub(super) head: Option<CommitSha>,
}

impl Pipeline {
    /// Asks the forge for one deployment's head and acts on it.
    pub(super) async fn reconcile_one(&self, org: &OrgId, id: DeploymentId, asked: &Asked) -> Result<()> {
        until_settled("sweep.one", async || {
            let deployment = match self.store().deployment(org, id).await {
                Ok(view) => view.deployment,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(())),
                Err(error) => return Err(error),
            };
            if !follows(&deployment) {
                return Ok(Some(()));
            }
            self.check_integration(org, &deployment.source.integration).await?;
            let heads = vec![(deployment.source.repo(), deployment.source.branch.clone())];
            let request = HeadsRequest { integration: deployment.source.integration.clone(), heads };
            match self.source().heads(&request).await?.pop() {
                Some(Head::Failed(error)) => Err(error),
                Some(head) => self.reconcile_head(org, id, deployment.newest_number, &head, asked).await,
                None => Ok(Some(())),
            }
        })
        .await
    }

    /// Acts on a head that the forge gave: a revision if it is news, a mark if there is none. `None`: the newest revision is not
    /// the one of number `newest` that was there when the forge was asked, so that the answer may be older than it.
    pub(super) async fn reconcile_head(
        &self,
        org: &OrgId,
        id: DeploymentId,
        newest: u32,
        head: &Head,
        asked: &Asked,
    ) -> Result<Option<()>> {
        until_settled("sweep.reconcile", async || {
            let deployment = match self.store().deployment(org, id).await {
                Ok(view) => view.deployment,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(Some(()))),
                Err(error) => return Err(error),
            };
            if !follows(&deployment) {
                return Ok(Some(Some(())));
            }
            if deployment.newest_number != newest {
                return Ok(Some(None));
            }
            let settled = match head {
                Head::At { commit, owner, name } => self.head_found(&deployment, commit, (owner, name), asked).await?,
                Head::BranchAbsent => self.mark(&deployment, BranchMark::Absent).await?,
                Head::Empty => self.mark(&deployment, BranchMark::Empty).await?,
                Head::RepositoryAbsent => self.mark(&deployment, BranchMark::RepositoryAbsent).await?,
                Head::Failed(_) => Some(()),
            };
            Ok(settled.map(Some))
        })
        .await
    }

    async fn head_found(
        &self,
        deployment: &Deployment,
        commit: &CommitInfo,
        (owner, name): (&OwnerName, &RepoName),
        asked: &Asked,
    ) -> Result<Option<()>> {
        let source = &deployment.source;
        let renamed = source.owner.as_str() != owner.as_str() || source.name.as_str() != name.as_str();
        if renamed || deployment.branch_mark.is_some() {
            let patch = SourcePatch {
                renamed: renamed.then(|| (owner.clone(), name.clone())),
                mark: deployment.branch_mark.map(|_| None),
                skipped_head: None,
            };
            let change = RevisionChange::new(deployment.org.clone(), deployment.id)
                .with_deployment(DeploymentOp::Source(Box::new(patch)));
            if !matches!(self.write("sweep.renamed", change).await?, Written::Committed) {
                return Ok(None);
            }
        }
        let known = deployment.source_head.as_ref() == Some(&commit.sha);
        if known || deployment.skipped_head.as_ref() == Some(&commit.sha) {
            return self.stale(deployment, asked).await;
        }
        let named = asked.delivery.as_ref().filter(|_| asked.head.as_ref() == Some(&commit.sha));
        let (delivery, actor) = match named {
            Some(delivery) => (delivery.clone(), Actor::webhook()),
            None => (DeliveryId::head(deployment.newest_number, &commit.sha), Actor::system()),
        };
        let recovered = named.is_none();
        let head = HeadCommit { delivery, digest: None, commit: commit.clone(), actor };
        let mut change = self.revision_at_head(deployment, &head).await?;
        if recovered {
            let event = NewEvent::new(EventKind::WebhookRecovered, "the branch's head was found without a webhook")
                .of(crate::domain::RevisionId::for_delivery(deployment.id, &head.delivery))
                .with("commit", commit.sha.as_str());
            change = change.with_event(event);
        }
        match self.write("sweep.revision", change).await {
            Ok(Written::Committed) => {
                if recovered {
                    metrics::counter!("zopnight_sweep_recovered_total").increment(1);
                }
                Ok(Some(()))
            }
            Ok(_) => Ok(None),
            Err(error) if error.code() == Some("deployment_deleting") => Ok(Some(())),
            Err(error) => Err(error),
        }
    }

    /// A delivery was late: its push is no longer the head.
    async fn stale(&self, deployment: &Deployment, asked: &Asked) -> Result<Option<()>> {
        let Some(delivery) = &asked.delivery else { return Ok(Some(())) };
        let event = NewEvent::new(EventKind::WebhookIgnored, "a late push: the newest revision is at the head already")
            .with("deliveryID", delivery.as_str())
            .with("reason", "stale");
        let change = RevisionChange::new(deployment.org.clone(), deployment.id).with_event(event);
        Ok(matches!(self.write("sweep.stale", change).await?, Written::Committed).then_some(()))
    }

    /// Notes once that the branch has no head; what serves goes on.
    async fn mark(&self, deployment: &Deployment, mark: BranchMark) -> Result<Option<()>> {
        if deployment.branch_mark == Some(mark) {
            return Ok(Some(()));
        }
        let patch = SourcePatch { mark: Some(Some(mark)), ..SourcePatch::default() };
        let event = NewEvent::new(EventKind::WebhookIgnored, "the branch has no head").with("reason", mark.as_str());
        let change = RevisionChange::new(deployment.org.clone(), deployment.id)
            .with_deployment(DeploymentOp::Source(Box::new(patch)))
            .with_event(event);
        Ok(matches!(self.write("sweep.mark", change).await?, Written::Committed).then_some(()))
    }
}

fn follows(deployment: &Deployment) -> bool {
    deployment.source.auto_deploy && deployment.deleting_at.is_none()
}
