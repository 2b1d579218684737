//! The build job: plan, persist the attempt, dispatch once.

use std::time::Duration;

use crate::callback::{CallbackClaims, mint};
use crate::domain::revision::RevisionEvent;
use crate::domain::{
    AttemptId, AttemptOp, AttemptPatch, BuildAttempt, BuildRequest, Deployment, Dispatch, DispatchState, EventKind,
    ImageRef, JobPayload, Lease, NewAttempt, NewEvent, Reason, Revision, RevisionChange, RevisionJob, RevisionOp,
    RevisionPatch, RevisionState, RevisionView, RunRef, Settled, Tag, WatchBuildJob,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ports::At;

use super::Pipeline;
use super::builder::Builds;
use super::decide::until_settled;
use super::end::{moved, patched, reached};
use super::jobs::{Handled, Step, Task};
use super::plan::{fill, plan};

/// The first look at a build whose run is known, and at one whose run is not.
const FIRST_LOOK: Duration = Duration::from_secs(30);
const FIRST_SEARCH: Duration = Duration::from_secs(5);
/// Between the end of a build's own time and its deadline.
const MARGIN: Duration = Duration::from_secs(600);

impl Pipeline {
    pub(super) async fn run_build(&self, lease: &Lease, job: RevisionJob) -> Result<Handled> {
        let task = Task::of(lease)?;
        let builds = self.builds()?;
        let Some(view) = self.job_revision(&task, job.revision).await? else { return Ok(Handled::DONE) };
        if !view.revision.state.is_before_built() {
            return Ok(Handled::DONE);
        }
        if let Some(open) = view.attempt.as_ref().filter(|a| a.is_open()) {
            return self.adopt(&task, &view, open).await;
        }
        let Some(found) = self.job_deployment(&task).await? else { return Ok(Handled::DONE) };
        let deployment = found.deployment;
        if let Err(error) = self.check_grant(&deployment, &view.revision.target).await {
            return self.abandon(&task, job, error, EventKind::TargetNotGranted).await;
        }
        let prepared = match self.prepared(&deployment, &view.revision).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(reason)) => return self.end_revision(&task, job, RevisionEvent::BuildFailed, reason).await,
            Err(error) if error.retry() == Retry::Never => {
                return self.end_revision(&task, job, RevisionEvent::BuildFailed, Reason::from_error(&error)).await;
            }
            Err(error) => return Err(error),
        };
        let attempt = match self.open_attempt(&task, job, &prepared).await? {
            Ok(attempt) => attempt,
            Err(handled) => return Ok(handled),
        };
        let request = self.request(builds, &deployment, &view.revision, &prepared, &attempt)?;
        let answer = builds.dispatcher.dispatch(&request).await;
        metrics::counter!("zopnight_dispatches_total", "outcome" => outcome_name(&answer)).increment(1);
        match answer {
            Ok(Dispatch::Accepted { run }) => {
                self.record_dispatch(&task, job, &attempt, DispatchState::Accepted, run, None).await
            }
            Ok(Dispatch::Unknown { cause }) => {
                self.record_dispatch(&task, job, &attempt, DispatchState::Unknown, None, Some(cause)).await
            }
            Err(error) => self.record_refusal(&task, job, attempt.jti, error).await,
        }
    }

    /// An attempt was persisted by a process that then died: it may or may not have been sent. It is never sent again; its run
    /// is looked for.
    async fn adopt(&self, task: &Task, view: &RevisionView, open: &BuildAttempt) -> Result<Handled> {
        let attempt = NewAttempt {
            jti: open.jti,
            revision: open.revision,
            number: open.number,
            image_repository: open.image_repository.clone(),
            commit: open.commit.clone(),
            deadline: open.deadline,
        };
        let job = RevisionJob { revision: view.revision.id };
        match open.dispatch {
            DispatchState::Pending => {
                let cause = Some("the process ended before the answer was recorded".to_owned());
                self.record_dispatch(task, job, &attempt, DispatchState::Unknown, None, cause).await
            }
            known => self.record_dispatch(task, job, &attempt, known, open.run.clone(), None).await,
        }
    }

    /// What to build and how it runs, from the revision if an earlier attempt settled it, else from one analysis.
    async fn prepared(&self, deployment: &Deployment, revision: &Revision) -> Result<Result<RevisionPatch, Reason>> {
        if let Some(known) = &revision.plan {
            let patch =
                RevisionPatch { plan: Some(known.clone()), runtime: Some(revision.runtime.clone()), ..Default::default() };
            return Ok(Ok(patch));
        }
        let at = At::Commit(revision.commit.sha.clone());
        let env = revision.build.railpack_env();
        let found = self.analyze_at(&deployment.source.repo(), at, &deployment.source.root_path, env).await?;
        Ok(plan(&revision.build, &found.analysis).map(|plan| RevisionPatch {
            plan: Some(plan),
            runtime: Some(fill(&revision.runtime, &found.analysis)),
            ..RevisionPatch::default()
        }))
    }

    /// Persists the attempt before anything is sent; or how the job ends without one.
    async fn open_attempt(
        &self,
        task: &Task,
        job: RevisionJob,
        prepared: &RevisionPatch,
    ) -> Result<std::result::Result<NewAttempt, Handled>> {
        until_settled("build.attempt", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(Err(Handled::DONE))) };
            let revision = &view.revision;
            if !revision.state.is_before_built() || view.attempt.as_ref().is_some_and(BuildAttempt::is_open) {
                // Settled meanwhile: the next run of this job, if there is one, sees it.
                return Err(Error::unavailable("build.attempt", "the revision changed meanwhile"));
            }
            let waiting = self.config().callback_queue_allowance;
            let attempt = NewAttempt {
                jti: self.new_attempt_id(),
                revision: revision.id,
                number: view.attempt.as_ref().map_or(1, |a| a.number.saturating_add(1)),
                image_repository: revision.target.image_repository.clone(),
                commit: revision.commit.sha.clone(),
                deadline: self.now().plus(waiting).plus(revision.build.timeout()).plus(MARGIN),
            };
            let event = NewEvent::new(EventKind::BuildAttempt, format!("build attempt {}", attempt.number))
                .of(revision.id)
                .with("attempt", attempt.number)
                .with("jti", attempt.jti.to_string());
            let change = task
                .hold()
                .with_revision(patched(revision, prepared.clone()))
                .with_attempt(AttemptOp::Open(Box::new(attempt.clone())))
                .with_event(event);
            match self.step(change).await? {
                Step::Committed => Ok(Some(Ok(attempt))),
                Step::Stale | Step::Exists => Ok(None),
                Step::Over(handled) => Ok(Some(Err(handled))),
            }
        })
        .await
    }

    fn request(
        &self,
        builds: &Builds,
        deployment: &Deployment,
        revision: &Revision,
        prepared: &RevisionPatch,
        attempt: &NewAttempt,
    ) -> Result<BuildRequest> {
        let plan = prepared.plan.clone().ok_or_else(|| Error::internal("build.request", "there is no plan"))?;
        let issued_at = self.now().as_secs();
        let queue = self.config().callback_queue_allowance;
        let claims = CallbackClaims {
            revision: revision.id,
            attempt: attempt.jti,
            org: revision.org.clone(),
            deployment: revision.deployment,
            image_repository: attempt.image_repository.clone(),
            commit: attempt.commit.clone(),
            number: attempt.number,
            issued_at,
            expires_at: CallbackClaims::expiry(issued_at, queue, revision.build.timeout()),
        };
        let token = mint(&builds.keys, &claims)?;
        Ok(BuildRequest {
            org: revision.org.clone(),
            revision: revision.id,
            attempt: attempt.number,
            deployment: revision.deployment,
            source: deployment.source.repo(),
            commit: attempt.commit.clone(),
            root: deployment.source.root_path.clone(),
            plan,
            image: attempt_image(revision, attempt.number)?,
            timeout: revision.build.timeout(),
            callback_url: builds.keys.callback_url(revision.id)?,
            callback_token: token,
        })
    }

    async fn record_dispatch(
        &self,
        task: &Task,
        job: RevisionJob,
        attempt: &NewAttempt,
        dispatch: DispatchState,
        run: Option<RunRef>,
        cause: Option<String>,
    ) -> Result<Handled> {
        until_settled("build.dispatched", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(Handled::DONE)) };
            let open = view.attempt.as_ref().is_some_and(|a| a.jti == attempt.jti && a.is_open());
            if !open {
                return self.finish_overtaken(task, &view, attempt).await;
            }
            let kind = match dispatch {
                DispatchState::Accepted => EventKind::BuildDispatched,
                _ => EventKind::BuildDispatchUnknown,
            };
            let message = cause.clone().unwrap_or_else(|| "the builder accepted the build".to_owned());
            let mut event = NewEvent::new(kind, message).of(view.revision.id).with("attempt", attempt.number);
            if let Some(run) = &run {
                event = event.with("runID", run.id.as_str());
            }
            let payload = WatchBuildJob {
                revision: view.revision.id,
                jti: attempt.jti,
                deadline: attempt.deadline,
                looks: 0,
                finished_at: None,
            };
            let delay = if run.is_some() { FIRST_LOOK } else { FIRST_SEARCH };
            let patch = AttemptPatch { dispatch: Some(dispatch), run: run.clone(), refusal: None };
            let mut change = task
                .finish()
                .with_attempt(AttemptOp::Patch { jti: attempt.jti, patch })
                .with_event(event)
                .with_follow_up(task.job(self, JobPayload::WatchBuild(payload)).after(delay));
            if let Some(step) = moved(&view.revision, RevisionEvent::Dispatched, RevisionPatch::default()) {
                let line = reached(&view.revision, step.to);
                change = change.with_revision(RevisionOp::Move(Box::new(step))).with_event(line);
                change = self.reporting(change, view.revision.id);
            }
            self.settled(change).await
        })
        .await
    }

    /// The callback, a newer revision or a cancel was quicker than the answer to the dispatch. A run that nobody waits for is
    /// cancelled.
    async fn finish_overtaken(&self, task: &Task, view: &RevisionView, attempt: &NewAttempt) -> Result<Option<Handled>> {
        let mut change = task.finish();
        let settled = view.attempt.as_ref().filter(|a| a.jti == attempt.jti).and_then(|a| a.settled);
        if matches!(settled, Some(Settled::Ended | Settled::NotStarted)) {
            let cancel = crate::domain::CancelRunJob { revision: view.revision.id, jti: attempt.jti, force: false };
            change = change.with_follow_up(task.job(self, JobPayload::CancelRun(cancel)));
        }
        self.settled(change).await
    }

    /// The builder refused for certain: the attempt is over, and either the revision too, or the job tries again.
    async fn record_refusal(&self, task: &Task, job: RevisionJob, jti: AttemptId, error: Error) -> Result<Handled> {
        let again = error.retry() != Retry::Never;
        let handled = until_settled("build.refused", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(Handled::DONE)) };
            let open = view.attempt.as_ref().is_some_and(|a| a.jti == jti && a.is_open());
            if !open {
                return Ok(Some(Handled::DONE));
            }
            let close = AttemptOp::Close { jti, settled: Settled::NotStarted, outcome: None, body_digest: None };
            let reason = Reason::from_error(&error);
            let base = if again { task.hold() } else { task.finish() }.with_attempt(close);
            let mut silent = view.clone();
            silent.attempt = None;
            let change = if again {
                base
            } else {
                match self.ending(base, &silent, RevisionEvent::BuildFailed, Some(reason)) {
                    Some(change) => change,
                    None => return Ok(Some(Handled::DONE)),
                }
            };
            self.settled(change).await
        })
        .await?;
        if again && handled == Handled::Ended { Err(error) } else { Ok(handled) }
    }

    /// Ends a revision from its job.
    pub(super) async fn end_revision(
        &self,
        task: &Task,
        job: RevisionJob,
        event: RevisionEvent,
        reason: Reason,
    ) -> Result<Handled> {
        until_settled("revision.end", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(Handled::DONE)) };
            match self.ending(task.finish(), &view, event, Some(reason.clone())) {
                Some(change) => self.settled(change).await,
                None => Ok(Some(Handled::DONE)),
            }
        })
        .await
    }

    /// Ends a revision whose tenant lost the grant; any other error of asking is the job's to retry.
    pub(super) async fn abandon(&self, task: &Task, job: RevisionJob, error: Error, kind: EventKind) -> Result<Handled> {
        if error.kind() != ErrorKind::Forbidden {
            return Err(error);
        }
        until_settled("revision.abandon", async || {
            let Some(view) = self.job_revision(task, job.revision).await? else { return Ok(Some(Handled::DONE)) };
            let base = task.finish().with_event(NewEvent::new(kind, error.message()).of(job.revision));
            match self.ending(base, &view, RevisionEvent::Abandoned, Some(Reason::from_error(&error))) {
                Some(change) => self.settled(change).await,
                None => Ok(Some(Handled::DONE)),
            }
        })
        .await
    }

    /// Applies a change under a lease: `Some` = the handler is through with it, `None` = decide again.
    pub(super) async fn settled(&self, change: RevisionChange) -> Result<Option<Handled>> {
        match self.step(change).await? {
            Step::Committed => Ok(Some(Handled::Ended)),
            Step::Over(handled) => Ok(Some(handled)),
            Step::Stale | Step::Exists => Ok(None),
        }
    }
}

/// One tag an attempt, so that a run whose callback was lost can still be resolved.
pub(super) fn attempt_image(revision: &Revision, attempt: u32) -> Result<ImageRef> {
    let tag = Tag::parse(&format!("sha-{}-r{}-a{attempt}", revision.commit.sha.short(), revision.number))?;
    Ok(ImageRef::tagged(revision.target.image_repository.clone(), tag))
}

const fn outcome_name(answer: &Result<Dispatch>) -> &'static str {
    match answer {
        Ok(Dispatch::Accepted { .. }) => "accepted",
        Ok(Dispatch::Unknown { .. }) => "unknown",
        Err(_) => "rejected",
    }
}

/// Whether a revision's build is over, as its watcher sees it.
pub(super) const fn watched(state: RevisionState) -> bool {
    state.is_before_built()
}
