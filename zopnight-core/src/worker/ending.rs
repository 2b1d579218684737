//! How a run ends its lease. The worker reads an error's `retry()` and nothing else.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::shared::{JobReport, Shared};
use super::telemetry;
use crate::domain::{Finish, Finished, JobError, JobKind, JobPayload, Lease, Outcome, SweepJob};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::pipeline::Handled;

/// The longest pause an error may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Snoozes after which a rate limit is charged like any other failure.
const MAX_SNOOZES: u32 = 100;
/// Between tries to end a lease while the store does not answer.
const FINISH_PAUSE: Duration = Duration::from_millis(200);

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ran {
    /// By its handler.
    Handled(Result<Handled>),
    /// By a panic.
    Panicked(JobError),
    /// By its kind's limit.
    TooLong,
    /// By a cancel.
    Cancelled,
    /// The lease is not ours any more.
    Lost,
    /// The worker stops.
    Stopped,
    /// It is not run again.
    GivenUp(JobError),
}

/// How long one run of a kind may take.
pub(super) fn policy_limit(kind: JobKind, rollout_timeout: Duration) -> Duration {
    match kind {
        JobKind::Deploy => rollout_timeout.saturating_add(Duration::from_secs(600)),
        other => other.policy().run_limit,
    }
}

impl Shared {
    pub(super) async fn end(&self, lease: &Lease, ran: Ran) -> JobReport {
        let kind = lease.kind.as_str();
        match ran {
            Ran::Handled(Ok(Handled::Ended)) => JobReport::Ended,
            Ran::Handled(Ok(Handled::Finish(outcome))) => self.finish(lease, self.paced(lease, outcome)).await,
            Ran::Handled(Err(error)) => self.failed(lease, &error).await,
            Ran::TooLong => {
                let error = JobError::new("run_limit", "the job ran longer than its kind may");
                self.retry(lease, error, Retry::Backoff, false).await
            }
            Ran::Panicked(error) => {
                telemetry::panicked(lease.kind);
                tracing::error!(kind, job = %lease.id, message = error.message(), "a job panicked");
                if lease.panics.saturating_add(1) >= self.config.max_panics {
                    return self.give_up(lease, &error).await;
                }
                self.retry(lease, error, Retry::Backoff, true).await
            }
            Ran::Cancelled => self.finish(lease, Outcome::Cancelled).await,
            Ran::GivenUp(error) => self.give_up(lease, &error).await,
            Ran::Lost => {
                telemetry::lease_lost(lease.kind);
                tracing::warn!(kind, job = %lease.id, "a job's lease was lost");
                JobReport::Lost
            }
            Ran::Stopped => JobReport::Stopped,
        }
    }

    async fn failed(&self, lease: &Lease, error: &Error) -> JobReport {
        tracing::warn!(kind = lease.kind.as_str(), job = %lease.id, error = ?error, "a job failed");
        let told = JobError::new(error.code_or_kind(), error.message());
        match error.retry() {
            Retry::Never => self.give_up(lease, &told).await,
            Retry::After(pause) if error.kind() == ErrorKind::RateLimited && self.may_snooze(lease) => {
                self.finish(lease, Outcome::Snooze { after: pause.min(LONGEST_PAUSE), payload: None }).await
            }
            retry => self.retry(lease, told, retry, false).await,
        }
    }

    /// Whether a rate limit is still uncharged. The row counts all snoozes; among those of a job that comes back by itself are
    /// its own, so what ends it is its deadline, and nothing the periodic sweep, which is there for ever.
    fn may_snooze(&self, lease: &Lease) -> bool {
        let comes_back = match &lease.payload {
            JobPayload::WatchBuild(job) => self.pipeline.now() < job.deadline,
            JobPayload::Sweep(SweepJob::Periodic { .. }) => true,
            _ => false,
        };
        comes_back || lease.snoozes < MAX_SNOOZES
    }

    async fn retry(&self, lease: &Lease, error: JobError, retry: Retry, panic: bool) -> JobReport {
        let policy = lease.kind.policy();
        let failures = lease.failures.saturating_add(1);
        if failures >= policy.give_up_after {
            return self.give_up(lease, &error).await;
        }
        let backoff = self.jittered(policy.backoff(failures), 10);
        let after = match retry {
            Retry::After(pause) => backoff.max(pause).min(LONGEST_PAUSE),
            Retry::Backoff | Retry::Never => backoff,
        };
        self.finish(lease, Outcome::Retry { after, error, panic }).await
    }

    async fn give_up(&self, lease: &Lease, error: &JobError) -> JobReport {
        let given = self.while_held(|| self.pipeline.give_up(lease, error)).await;
        if given.is_some() { JobReport::Parked } else { JobReport::Lost }
    }

    async fn finish(&self, lease: &Lease, outcome: Outcome) -> JobReport {
        let report = match &outcome {
            Outcome::Done => JobReport::Ended,
            Outcome::Cancelled => JobReport::Cancelled,
            Outcome::Release => JobReport::Stopped,
            Outcome::Snooze { .. } => JobReport::Snoozed,
            Outcome::Retry { .. } => JobReport::Retried,
            Outcome::Park { .. } => JobReport::Parked,
        };
        let item = Finish { lease: lease.job, outcome };
        let answers = self.while_held(|| self.queue.finish(vec![item.clone()])).await;
        match answers.as_deref() {
            Some([Finished::Accepted]) => report,
            _ => JobReport::Lost,
        }
    }

    /// Repeats a write that the store could not take, as long as the lease can last.
    async fn while_held<T, F, Fut>(&self, mut write: F) -> Option<T>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let begun = Instant::now();
        loop {
            match write().await {
                Ok(answer) => return Some(answer),
                Err(error) if error.retry() != Retry::Never && begun.elapsed() < self.config.lease => {
                    sleep(FINISH_PAUSE).await;
                }
                Err(error) => {
                    tracing::error!(%error, "a job could not be ended; its lease will run out");
                    return None;
                }
            }
        }
    }

    /// The periodic sweep comes again after this worker's own interval.
    fn paced(&self, lease: &Lease, outcome: Outcome) -> Outcome {
        match (&lease.payload, outcome) {
            (JobPayload::Sweep(SweepJob::Periodic { .. }), Outcome::Snooze { payload, .. })
                if !self.config.sweep_interval.is_zero() =>
            {
                Outcome::Snooze { after: self.config.sweep_interval, payload }
            }
            (_, outcome) => outcome,
        }
    }
}
