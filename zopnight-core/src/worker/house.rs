//! What a worker does beside its jobs: housekeeping of the queue, and counting it.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::shared::Shared;
use super::telemetry;
use crate::domain::{Budget, Maintained};

/// How soon rows past their retention are looked for again: after some were found, and after none were.
const PURGE_AGAIN: Duration = Duration::from_secs(60);
const PURGE_IDLE: Duration = Duration::from_secs(900);
/// Between two rounds of housekeeping, whatever is due.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// How often the queue is counted for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(15);

impl Shared {
    /// Housekeeping for ever: due jobs, expired leases, the sweep's row.
    pub(super) async fn keep_house(&self) {
        let mut swept: Option<Instant> = None;
        let mut purge_at = Instant::now() + PURGE_AGAIN;
        loop {
            let due = swept.is_none_or(|at| at.elapsed() >= self.config.sweep_interval);
            if !self.config.sweep_interval.is_zero() && due && self.pipeline.has_builds() {
                match self.pipeline.ensure_sweep_row().await {
                    Ok(()) => swept = Some(Instant::now()),
                    Err(error) => tracing::warn!(%error, "the sweep could not be asked for"),
                }
            }
            let now = Instant::now();
            let purge = now >= purge_at;
            let done = self.housekeep(purge).await;
            if purge {
                purge_at = now + if done.purged > 0 { PURGE_AGAIN } else { PURGE_IDLE };
            }
            let pause = self.jittered(self.config.maintain_every, 20);
            let pause = done.next_due.map_or(pause, |due| due.min(pause)).max(SHORTEST_PAUSE);
            let until = Instant::now() + pause;
            tokio::select! {
                () = sleep_until(until) => {}
                // What is going on here may have stored a job that is due earlier than any known one.
                () = self.stirred.notified() => sleep_until(until.min(Instant::now() + self.config.poll_max)).await,
            }
        }
    }

    pub(super) async fn housekeep(&self, purge: bool) -> Maintained {
        let done = match self.queue.maintain(&Budget { time: Duration::from_millis(500), purge }).await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(%error, "housekeeping failed");
                Maintained::default()
            }
        };
        telemetry::kept_house(&done);
        done
    }

    /// Counts the queue for the metrics for ever.
    pub(super) async fn keep_count(&self) {
        self.tell_slots();
        loop {
            match self.queue.stats().await {
                Ok(stats) => telemetry::counted(&stats),
                Err(error) => tracing::warn!(%error, "jobs could not be counted"),
            }
            sleep(COUNT_EVERY).await;
        }
    }
}
