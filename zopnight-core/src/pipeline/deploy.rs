//! The deploy job: one apply of the cluster, and its verdict on the revision.

use std::sync::Arc;

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    Actor, DeployedImage, Deployment, EventKind, Lease, LogSource, LogTail, NewEvent, Reason, ReleaseOutcome, ReleaseRef,
    RevisionChange, RevisionJob, RevisionLog, RevisionOp, RevisionPatch, RevisionState, RevisionView, Rollout,
    RolloutFailure, RolloutStatus, Verdict,
};
use crate::error::{Result, Retry};
use crate::ports::ReleaseRequest;

use super::decide::until_settled;
use super::end::{moved, reached};
use super::jobs::{Handled, Task};
use super::progress::ProgressWriter;
use super::rollback::restored;
use super::{Pipeline, RequestContext};

impl Pipeline {
    pub(super) async fn run_deploy(&self, lease: &Lease, job: RevisionJob) -> Result<Handled> {
        let task = Task::of(lease)?;
        let cluster = self.cluster()?;
        let Some(found) = self.job_deployment(&task).await? else { return Ok(Handled::DONE) };
        let deployment = found.deployment;
        let Some(view) = self.begin_rollout(&task, job).await? else { return Ok(Handled::DONE) };
        if let Err(error) = self.check_grant(&deployment, &view.revision.target).await {
            return self.abandon(&task, job, error, EventKind::TargetNotGranted).await;
        }
        let Some(image) = view.revision.image.clone() else {
            let reason = Reason::new("internal", "a built revision has no image");
            return self.end_revision(&task, job, RevisionEvent::RolloutFailed, reason).await;
        };
        let request = self.release_request(&task, &deployment, &view, image);
        match cluster.apply(&request).await {
            Ok(outcome) => self.record_outcome(&task, job, &outcome).await,
            Err(error) if error.retry() == Retry::Never => {
                self.end_revision(&task, job, RevisionEvent::RolloutFailed, Reason::from_error(&error)).await
            }
            Err(error) => Err(error),
        }
    }

    /// Moves the revision to deploying, unless an earlier run of this job did. `None`: there is nothing to deploy.
    async fn begin_rollout(&self, task: &Task, job: RevisionJob) -> Result<Option<RevisionView>> {
        until_settled("deploy.begin", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(None)) };
            match view.revision.state {
                RevisionState::Deploying => return Ok(Some(Some(view))),
                RevisionState::Built => {}
                _ => return Ok(Some(None)),
            }
            let rollout = Rollout { status: RolloutStatus::Progressing, ..Rollout::default() };
            let patch = RevisionPatch { rollout: Some(rollout), ..RevisionPatch::default() };
            let Some(step) = moved(&view.revision, RevisionEvent::RolloutStarted, patch) else { return Ok(Some(None)) };
            let line = reached(&view.revision, step.to);
            let change = task.hold().with_revision(RevisionOp::Move(Box::new(step))).with_event(line);
            match self.step(self.reporting(change, job.revision)).await? {
                super::jobs::Step::Committed | super::jobs::Step::Stale | super::jobs::Step::Exists => Ok(None),
                super::jobs::Step::Over(_) => Ok(Some(None)),
            }
        })
        .await
    }

    fn release_request(
        &self,
        task: &Task,
        deployment: &Deployment,
        view: &RevisionView,
        image: DeployedImage,
    ) -> ReleaseRequest {
        let target = ReleaseRef::of(&task.org, deployment.id, &deployment.name, &view.revision.target);
        let deadline = self.now().plus(self.config().rollout_timeout);
        let revision = &view.revision;
        let (commit, runtime) = (revision.commit.sha.clone(), revision.runtime.clone());
        let progress = ProgressWriter::new(self.clone(), task.clone(), revision.id);
        ReleaseRequest::new(target, revision.number, task.lease.fence, commit, image, runtime, deadline)
            .with_progress(Arc::new(progress))
    }

    async fn record_outcome(&self, task: &Task, job: RevisionJob, outcome: &ReleaseOutcome) -> Result<Handled> {
        until_settled("deploy.verdict", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(Handled::DONE)) };
            let base = applied_events(task.finish(), &view, outcome);
            let change = match &outcome.verdict {
                Verdict::Ready => self.succeeded(base, &view),
                Verdict::Failed(failure) => {
                    let failed = self.rollout_failed(base, &view, outcome, failure);
                    self.agreeing(task, failed, &view, outcome).await?
                }
                Verdict::Superseded { by } => {
                    let message = format!("the cluster already runs revision {by}");
                    let event = NewEvent::new(EventKind::DeployFenced, &*message).of(job.revision).with("by", by.get());
                    let reason = Reason::new("superseded", &message);
                    self.ending(base.with_event(event), &view, RevisionEvent::Fenced, Some(reason))
                }
            };
            match change {
                Some(change) => self.settled(change).await,
                None => Ok(Some(Handled::DONE)),
            }
        })
        .await
    }

    /// A failed rollout was rolled back to what ran in the cluster before. Where that is not what serves by the catalog (a revision
    /// that was superseded in the moment it became ready), what serves is put back.
    async fn agreeing(
        &self,
        task: &Task,
        change: Option<RevisionChange>,
        failed: &RevisionView,
        outcome: &ReleaseOutcome,
    ) -> Result<Option<RevisionChange>> {
        let (Some(change), Some(_), Some(runs)) = (change.as_ref(), outcome.rolled_back_to, outcome.previous) else {
            return Ok(change);
        };
        let Some(found) = self.job_deployment(task).await? else { return Ok(Some(change.clone())) };
        let newest = found.deployment.newest_revision == failed.revision.id;
        let serves = found.current.as_ref().filter(|c| newest && c.number != runs);
        let Some((current, image)) = serves.and_then(|c| Some((c, c.image.clone()?))) else {
            return Ok(Some(change.clone()));
        };
        let request = RequestContext::new(task.org.clone()).with_actor(Actor::system());
        let new = restored(current, self.new_revision_id(), &image, &request);
        Ok(Some(self.restoring(change.clone(), &found.deployment, new)))
    }

    fn succeeded(&self, base: RevisionChange, view: &RevisionView) -> Option<RevisionChange> {
        let rollout = Rollout { status: RolloutStatus::Ready, ..view.revision.rollout.clone() };
        let patch = RevisionPatch { rollout: Some(rollout), ..RevisionPatch::default() };
        let step = moved(&view.revision, RevisionEvent::RolloutSucceeded, patch)?;
        let line = reached(&view.revision, step.to);
        let change = base.with_revision(RevisionOp::Move(Box::new(step))).with_event(line);
        Some(self.reporting(change, view.revision.id))
    }

    fn rollout_failed(
        &self,
        base: RevisionChange,
        view: &RevisionView,
        outcome: &ReleaseOutcome,
        failure: &RolloutFailure,
    ) -> Option<RevisionChange> {
        let status = if outcome.rolled_back_to.is_some() { RolloutStatus::RolledBack } else { RolloutStatus::Failed };
        let counts = failure.evidence.counts;
        let reason = Reason::new(failure.class.as_str(), &failure.message);
        let rollout = Rollout {
            status,
            reason: Some(failure.class.as_str().to_owned()),
            message: Some(crate::domain::text::cut(reason.message(), 1_000)),
            ready: counts.ready,
            desired: counts.desired,
        };
        let patch = RevisionPatch { rollout: Some(rollout), reason: Some(reason), ..RevisionPatch::default() };
        let step = moved(&view.revision, RevisionEvent::RolloutFailed, patch)?;
        let line = reached(&view.revision, step.to).with("reason", failure.class.as_str());
        let mut change = base.with_revision(RevisionOp::Move(Box::new(step))).with_event(line);
        if !failure.evidence.log_lines.is_empty() {
            let redactor = crate::domain::Redactor::default();
            let lines = failure.evidence.log_lines.iter().map(|l| redactor.text(&crate::domain::text::clean(l))).collect();
            let tail = LogTail::bounded(lines, false, true);
            change = change.with_log(RevisionLog { revision: view.revision.id, source: LogSource::Rollout, tail });
        }
        Some(self.reporting(change, view.revision.id))
    }
}

/// The lines that tell what an apply did.
fn applied_events(base: RevisionChange, view: &RevisionView, outcome: &ReleaseOutcome) -> RevisionChange {
    let id = view.revision.id;
    let mut change = base;
    if let Some(audit) = &outcome.audit_id {
        let event = NewEvent::new(EventKind::DeployCredentialsMinted, "a cluster credential was made for this deploy");
        change = change.with_event(event.of(id).with("auditID", audit.as_str()));
    }
    if let Some(unlocked) = outcome.unlocked {
        let event = NewEvent::new(EventKind::DeployReleaseUnlocked, "a stale lock on the release was removed");
        change = change.with_event(event.of(id).with("releaseVersion", unlocked));
    }
    if matches!(outcome.verdict, Verdict::Superseded { .. }) {
        return change;
    }
    let message = match outcome.changed.len() {
        1 => "1 object was applied".to_owned(),
        many => format!("{many} objects were applied"),
    };
    let mut event = NewEvent::new(EventKind::DeployApplied, message).of(id).with("releaseVersion", outcome.helm_revision);
    if !outcome.warnings.is_empty() {
        event = event.with("warnings", crate::domain::text::cut(&outcome.warnings.join("; "), 1_000));
    }
    let verdict = match &outcome.verdict {
        Verdict::Ready => "ready",
        Verdict::Failed(failure) => failure.class.as_str(),
        Verdict::Superseded { .. } => "superseded",
    };
    let rollout =
        NewEvent::new(EventKind::DeployRollout, format!("the rollout is {verdict}")).of(id).with("verdict", verdict);
    change.with_event(event).with_event(rollout)
}
