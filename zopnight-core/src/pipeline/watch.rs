//! The watch_build job: whoever else fails, this settles the build before its deadline.

use std::time::Duration;

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    AttemptOp, AttemptPatch, BuildAttempt, BuildRun, DeployedImage, DispatchState, EventKind, JobPayload, Lease, LogRequest,
    LogSource, LogTail, NewEvent, Outcome, Reason, RevisionJob, RevisionLog, RevisionView, RunOutcome, RunQuery, RunState,
    Settled, Timestamp, WatchBuildJob,
};
use crate::error::{ErrorKind, Result};
use crate::ports::ResolveRequest;

use super::Pipeline;
use super::build::{attempt_image, watched};
use super::decide::until_settled;
use super::jobs::{Handled, Task};

/// The pause after the first look at a known run; half as much again after each.
const LOOK: Duration = Duration::from_secs(30);
const LONGEST_LOOK: Duration = Duration::from_secs(300);
/// Between looks for an image that its run should have pushed, and how many.
const IMAGE_LOOK: Duration = Duration::from_secs(5);
const IMAGE_LOOKS: u32 = 3;
/// How often the log of a settled build is asked for.
const LOG_LOOKS: u32 = 6;

impl Pipeline {
    pub(super) async fn run_watch_build(&self, lease: &Lease, job: &WatchBuildJob) -> Result<Handled> {
        let task = Task::of(lease)?;
        let builds = self.builds()?;
        let Some(view) = self.job_revision(&task, job.revision).await? else { return Ok(Handled::DONE) };
        let now = self.now();
        let Some(attempt) = view.attempt.clone().filter(|a| a.jti == job.jti) else { return Ok(Handled::DONE) };
        if !attempt.is_open() || !watched(view.revision.state) {
            return self.keep_log(&task, job, &attempt, now).await;
        }
        if now >= job.deadline {
            return self.time_out(&task, job).await;
        }
        let found = match &attempt.run {
            Some(run) => match builds.dispatcher.run(run).await {
                Ok(run) => Some(run),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            },
            None => {
                let not_before = attempt.opened_at;
                let query = RunQuery { revision: attempt.revision, attempt: attempt.number, not_before };
                builds.dispatcher.find_run(&query).await?
            }
        };
        match found {
            None => self.not_found(&task, job, &attempt, now).await,
            Some(run) => {
                if attempt.run.is_none() && !self.record_run(&task, &attempt, &run).await? {
                    return Ok(Handled::Ended);
                }
                match run.state {
                    RunState::Queued | RunState::Running => {
                        let next = WatchBuildJob { finished_at: None, ..looked(job) };
                        Ok(look_again(job, now, growing(job.looks), next))
                    }
                    RunState::Finished(outcome) => self.run_finished(&task, job, &run, outcome, now).await,
                }
            }
        }
    }

    /// The build is settled by its callback: what is left is to keep its log.
    async fn keep_log(&self, task: &Task, job: &WatchBuildJob, attempt: &BuildAttempt, now: Timestamp) -> Result<Handled> {
        let kept = self.store().log(&task.org, job.revision, LogSource::Build).await?;
        // Looks for the build, while it went on, are not looks for its log.
        let job = &match job.finished_at {
            Some(_) => job.clone(),
            None => WatchBuildJob { looks: 0, finished_at: Some(now), ..job.clone() },
        };
        if attempt.settled != Some(Settled::Callback) || kept.is_some() || job.looks >= LOG_LOOKS {
            return Ok(Handled::DONE);
        }
        let dispatcher = &self.builds()?.dispatcher;
        let run = match &attempt.run {
            Some(run) => Some(run.clone()),
            None => {
                let not_before = attempt.opened_at;
                let query = RunQuery { revision: attempt.revision, attempt: attempt.number, not_before };
                dispatcher.find_run(&query).await?.map(|r| r.run)
            }
        };
        let tail = match run {
            Some(run) => dispatcher.log_tail(&LogRequest { run, max_lines: 2_000, max_bytes: 1 << 20 }).await?,
            None => LogTail::default(),
        };
        if !tail.complete && job.looks.saturating_add(1) < LOG_LOOKS {
            return Ok(look_again(job, now, growing(job.looks), looked(job)));
        }
        if tail.lines.is_empty() {
            return Ok(Handled::DONE);
        }
        let log = RevisionLog { revision: job.revision, source: LogSource::Build, tail };
        Ok(self.settled(task.finish().with_log(log)).await?.unwrap_or(Handled::DONE))
    }

    /// The run of an unconfirmed dispatch was found.
    async fn record_run(&self, task: &Task, attempt: &BuildAttempt, run: &BuildRun) -> Result<bool> {
        let patch = AttemptPatch { dispatch: Some(DispatchState::Accepted), run: Some(run.run.clone()), refusal: None };
        let event = NewEvent::new(EventKind::BuildDispatchSettled, "the run of the build was found")
            .of(attempt.revision)
            .with("attempt", attempt.number)
            .with("runID", run.run.id.as_str());
        let change = task.hold().with_attempt(AttemptOp::Patch { jti: attempt.jti, patch }).with_event(event);
        Ok(matches!(self.step(change).await?, super::jobs::Step::Committed))
    }

    /// No run (yet). An unconfirmed dispatch is settled at the end of the schedule; a confirmed one is looked for until the
    /// deadline.
    async fn not_found(&self, task: &Task, job: &WatchBuildJob, attempt: &BuildAttempt, now: Timestamp) -> Result<Handled> {
        let sent = attempt.dispatched_at.unwrap_or(attempt.opened_at);
        let waited = now.since(sent);
        let schedule = &self.config().settle_schedule;
        if let Some(next) = schedule.iter().find(|at| **at > waited) {
            return Ok(look_again(job, now, next.saturating_sub(waited), job.clone()));
        }
        if attempt.dispatch == DispatchState::Accepted {
            return Ok(look_again(job, now, Duration::from_secs(60), job.clone()));
        }
        self.never_started(task, job, attempt.number).await
    }

    /// An unconfirmed dispatch left no run: one further attempt, then the revision fails.
    async fn never_started(&self, task: &Task, job: &WatchBuildJob, number: u32) -> Result<Handled> {
        until_settled("watch.not_started", async || {
            let Some(view) = self.watched_view(task, job).await? else { return Ok(Some(Handled::DONE)) };
            let attempts = self.store().attempts(&task.org, job.revision).await?;
            let earlier = attempts.iter().any(|a| a.number < number && a.dispatch == DispatchState::Unknown);
            let close = AttemptOp::Close { jti: job.jti, settled: Settled::NotStarted, outcome: None, body_digest: None };
            let event = NewEvent::new(EventKind::BuildDispatchSettled, "no run was found: the build never started")
                .of(job.revision)
                .with("attempt", number);
            let base = task.finish().with_attempt(close).with_event(event);
            if earlier {
                let reason = Reason::new("dispatch_unconfirmed", "the builder did not confirm two dispatches in a row");
                return self.end_watched(base, &view, RevisionEvent::BuildFailed, reason).await;
            }
            let again = JobPayload::Build(RevisionJob { revision: job.revision });
            self.settled(base.with_follow_up(task.job(self, again))).await
        })
        .await
    }

    /// The run is over: its callback is given a little time, then the run's own word counts.
    async fn run_finished(
        &self,
        task: &Task,
        job: &WatchBuildJob,
        run: &BuildRun,
        outcome: RunOutcome,
        now: Timestamp,
    ) -> Result<Handled> {
        let grace = self.config().finished_grace;
        let seen = job.finished_at.unwrap_or(now);
        if now.since(seen) < grace {
            let next = WatchBuildJob { finished_at: Some(seen), looks: 0, ..job.clone() };
            return Ok(look_again(job, now, grace.saturating_sub(now.since(seen)), next));
        }
        match outcome {
            RunOutcome::Succeeded => self.resolve_lost(task, job, now).await,
            RunOutcome::Failed => {
                self.end_run(task, job, run, outcome, RevisionEvent::BuildFailed, "build_failed", "the build failed").await
            }
            RunOutcome::Cancelled => {
                let (code, message) = ("run_cancelled", "the run was cancelled at the builder");
                self.end_run(task, job, run, outcome, RevisionEvent::BuildCancelled, code, message).await
            }
            RunOutcome::TimedOut => {
                let (code, message) = ("build_timed_out", "the run exceeded its time at the builder");
                self.end_run(task, job, run, outcome, RevisionEvent::BuildTimedOut, code, message).await
            }
        }
    }

    /// The run succeeded and its callback is lost: the image is looked up by the attempt's own tag.
    async fn resolve_lost(&self, task: &Task, job: &WatchBuildJob, now: Timestamp) -> Result<Handled> {
        let Some(view) = self.watched_view(task, job).await? else { return Ok(Handled::DONE) };
        let Some(attempt) = view.attempt.clone() else { return Ok(Handled::DONE) };
        let image = attempt_image(&view.revision, attempt.number)?;
        let allotted = attempt.image_repository.clone();
        let request = ResolveRequest { org: task.org.clone(), image, allotted: allotted.clone() };
        match self.builds()?.resolver.resolve(&request).await {
            Ok(digest) => {
                let image = DeployedImage { repository: allotted, digest };
                until_settled("watch.built", async || {
                    let Some(view) = self.watched_view(task, job).await? else { return Ok(Some(Handled::DONE)) };
                    let settled = (Settled::Watch, Some(RunOutcome::Succeeded), None);
                    match self.built(task.finish(), &view, job.jti, image.clone(), "tag", settled).await? {
                        Some(change) => self.settled(change).await,
                        None => Ok(Some(Handled::DONE)),
                    }
                })
                .await
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let looks = job.looks.saturating_add(1);
                if looks < IMAGE_LOOKS {
                    let next = WatchBuildJob { looks, ..job.clone() };
                    return Ok(look_again(job, now, IMAGE_LOOK, next));
                }
                let reason = Reason::new("image_missing", "the run succeeded, but its image is not in the registry");
                self.end_attempt(task, job, Some(RunOutcome::Succeeded), RevisionEvent::BuildFailed, reason, None).await
            }
            Err(error) if error.retry() == crate::error::Retry::Never => {
                let reason = Reason::from_error(&error);
                self.end_attempt(task, job, Some(RunOutcome::Succeeded), RevisionEvent::BuildFailed, reason, None).await
            }
            Err(error) => Err(error),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what the run said, and how that reads")]
    async fn end_run(
        &self,
        task: &Task,
        job: &WatchBuildJob,
        run: &BuildRun,
        outcome: RunOutcome,
        event: RevisionEvent,
        code: &str,
        message: &str,
    ) -> Result<Handled> {
        let refused = self.watched_view(task, job).await?.and_then(|v| v.attempt).and_then(|a| a.last_refusal);
        let message = match refused {
            Some(refusal) => format!("{message}; its callback was refused: {refusal}"),
            None => message.to_owned(),
        };
        let request = LogRequest { run: run.run.clone(), max_lines: 2_000, max_bytes: 1 << 20 };
        // The log explains; that it cannot be read does not change how the build ended.
        let log = self.builds()?.dispatcher.log_tail(&request).await.ok();
        self.end_attempt(task, job, Some(outcome), event, Reason::new(code, &message), log).await
    }

    async fn end_attempt(
        &self,
        task: &Task,
        job: &WatchBuildJob,
        outcome: Option<RunOutcome>,
        event: RevisionEvent,
        reason: Reason,
        log: Option<LogTail>,
    ) -> Result<Handled> {
        until_settled("watch.ended", async || {
            let Some(view) = self.watched_view(task, job).await? else { return Ok(Some(Handled::DONE)) };
            let close = AttemptOp::Close { jti: job.jti, settled: Settled::Watch, outcome, body_digest: None };
            let mut base = task.finish().with_attempt(close);
            if let Some(tail) = log.clone() {
                base = base.with_log(RevisionLog { revision: job.revision, source: LogSource::Build, tail });
            }
            self.end_watched(base, &view, event, reason.clone()).await
        })
        .await
    }

    /// The deadline: the revision times out, its run is cancelled.
    async fn time_out(&self, task: &Task, job: &WatchBuildJob) -> Result<Handled> {
        until_settled("watch.timed_out", async || {
            let Some(view) = self.watched_view(task, job).await? else { return Ok(Some(Handled::DONE)) };
            let reason = Reason::new("build_timed_out", "the build did not end before its deadline");
            let outcome = Some(RunOutcome::TimedOut);
            let close = AttemptOp::Close { jti: job.jti, settled: Settled::Watch, outcome, body_digest: None };
            match self.ending(task.finish().with_attempt(close), &view, RevisionEvent::BuildTimedOut, Some(reason)) {
                Some(change) => self.settled(change).await,
                None => Ok(Some(Handled::DONE)),
            }
        })
        .await
    }

    /// Ends the revision with its attempt; the run is over, so there is nothing to cancel.
    async fn end_watched(
        &self,
        base: crate::domain::RevisionChange,
        view: &RevisionView,
        event: RevisionEvent,
        reason: Reason,
    ) -> Result<Option<Handled>> {
        let over = RevisionView { attempt: None, ..view.clone() };
        match self.ending(base, &over, event, Some(reason)) {
            Some(change) => self.settled(change).await,
            None => Ok(Some(Handled::DONE)),
        }
    }

    /// The revision as long as this job's attempt is open and its build goes on.
    async fn watched_view(&self, task: &Task, job: &WatchBuildJob) -> Result<Option<RevisionView>> {
        let view = self.job_revision(task, job.revision).await?;
        Ok(view.filter(|v| watched(v.revision.state) && v.attempt.as_ref().is_some_and(|a| a.jti == job.jti && a.is_open())))
    }
}

/// Snoozes, but never past the deadline.
fn look_again(job: &WatchBuildJob, now: Timestamp, after: Duration, next: WatchBuildJob) -> Handled {
    let left = job.deadline.since(now).max(Duration::from_millis(1));
    Handled::Finish(Outcome::Snooze { after: after.min(left), payload: Some(JobPayload::WatchBuild(next)) })
}

fn looked(job: &WatchBuildJob) -> WatchBuildJob {
    WatchBuildJob { looks: job.looks.saturating_add(1), ..job.clone() }
}

fn growing(looks: u32) -> Duration {
    (0..looks.min(8)).fold(LOOK, |d, _| d.saturating_mul(3) / 2).min(LONGEST_LOOK)
}
