//! A deployment is removed.

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    CancelJobs, DeploymentId, DeploymentOp, EventKind, Expect, JobPayload, Lease, NewEvent, Reason, ReleaseRef,
    RevisionChange, RevisionNumber, TeardownJob, UninstallRequest,
};
use crate::error::Result;

use super::decide::{Written, until_settled};
use super::jobs::{Handled, Task};
use super::{Accepted, Pipeline, RequestContext};

/// How long one uninstall may take.
const UNINSTALL: std::time::Duration = std::time::Duration::from_secs(600);

impl Pipeline {
    /// Begins a deployment's removal: unfinished revisions are cancelled, a job uninstalls the release and then removes the
    /// deployment. Asking again changes nothing, unless the job was given up: then it begins anew.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn teardown(&self, request: &RequestContext, id: DeploymentId) -> Result<Accepted> {
        until_settled("deployment.teardown", async || {
            let view = self.store().deployment(&request.org, id).await?;
            if view.deployment.deleting_at.is_some() {
                // It folds into the job that is there, unless that was given up.
                let job = self.job(&request.org, id, JobPayload::Teardown(TeardownJob { deployment: id }));
                self.enqueue(vec![job]).await?;
                return self.accepted(&request.org, id, None, false).await.map(Some);
            }
            let event = NewEvent::new(EventKind::DeploymentDeleting, "the removal was asked for").by(&request.actor);
            let job = self.job(&request.org, id, JobPayload::Teardown(TeardownJob { deployment: id }));
            let mut change = RevisionChange::new(request.org.clone(), id)
                .with_expect(Expect { newest_number: Some(view.deployment.newest_number), ..Expect::default() })
                .with_deployment(DeploymentOp::Deleting)
                .with_event(event)
                .with_follow_up(job);
            for unfinished in self.older_unfinished(&request.org, id, None).await? {
                let reason = Reason::new("deployment_deleted", "the deployment is being removed");
                let revision = unfinished.revision.id;
                let base = change.clone();
                change = match self.ending(base, &unfinished, RevisionEvent::Cancel, Some(reason)) {
                    Some(ended) => ended.with_cancel(CancelJobs::OfRevision(revision)),
                    None => change,
                };
            }
            match self.write("deployment.teardown", change).await? {
                Written::Committed => self.accepted(&request.org, id, None, false).await.map(Some),
                Written::Stale | Written::Replayed(..) => Ok(None),
            }
        })
        .await
    }

    pub(super) async fn run_teardown(&self, lease: &Lease) -> Result<Handled> {
        let task = Task::of(lease)?;
        let Some(view) = self.job_deployment(&task).await? else { return Ok(Handled::DONE) };
        let deployment = &view.deployment;
        if deployment.deleting_at.is_none() {
            return Ok(Handled::DONE);
        }
        let request = UninstallRequest {
            target: ReleaseRef::of(&task.org, deployment.id, &deployment.name, &deployment.target),
            revision: RevisionNumber::new(deployment.newest_number)?,
            job_fence: lease.job.fence,
            keep_history: false,
            deadline: self.now().plus(UNINSTALL),
        };
        self.cluster()?.uninstall(&request).await?;
        until_settled("deployment.gone", async || {
            let event = NewEvent::new(EventKind::DeploymentDeleted, "the deployment is gone");
            let change = task.finish().with_deployment(DeploymentOp::Gone).with_event(event);
            self.settled(change).await
        })
        .await
    }
}
