//! Runs one job to its end, whatever happens to it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument as _, Span};

use super::ending::{Ran, policy_limit};
use super::running::{Control, Signal};
use super::shared::{JobReport, Shared};
use super::telemetry;
use crate::domain::{JobError, Lease, LeaseRef, text};
use crate::error::Result;
use crate::pipeline::Handled;

/// A handler's task; it ends with whoever waits for it.
struct Handler(JoinHandle<Result<Handled>>);

impl Drop for Handler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A lease in hand; it is let go whatever becomes of its run.
struct Held<'a> {
    shared: &'a Shared,
    lease: LeaseRef,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.running.leave(self.lease);
        self.shared.freed.notify_one();
        self.shared.tell_slots();
    }
}

fn span(lease: &Lease) -> Span {
    tracing::info_span!(
        "zopnight.job.run",
        kind = lease.kind.as_str(),
        job = %lease.id,
        attempt = lease.job.fence.hand_out(),
        deployment = lease.deployment.map(tracing::field::display),
        revision = lease.revision.map(tracing::field::display),
    )
}

impl Shared {
    /// Runs a lease that was claimed at `claimed` to its finish.
    pub(super) async fn supervise(&self, lease: &Lease, claimed: Instant) -> JobReport {
        let told = self.running.enter(lease, claimed);
        let started = Instant::now();
        let report = {
            let _held = Held { shared: self, lease: lease.job };
            self.tell_slots();
            self.run_held(lease, told).instrument(span(lease)).await
        };
        telemetry::ended(lease, &report, started.elapsed());
        report
    }

    async fn run_held(&self, lease: &Lease, told: watch::Receiver<Control>) -> JobReport {
        if lease.cancel_asked {
            return self.end(lease, Ran::Cancelled).await;
        }
        if lease.losses >= self.config.max_losses {
            let error = JobError::new("lease_lost", "its workers died or lost it too often");
            return self.end(lease, Ran::GivenUp(error)).await;
        }
        if lease.losses > 0
            && let Err(error) = self.pipeline.note_lost_lease(lease).await
        {
            tracing::debug!(%error, "a lost lease was not noted");
        }
        let pipeline = self.pipeline.clone();
        let owned = lease.clone();
        let handler = async move { pipeline.handle(&owned).await };
        let handler = Handler(tokio::spawn(handler.in_current_span()));
        let limit = policy_limit(lease.kind, self.pipeline.config().rollout_timeout);
        let ran = self.watch_over(handler, told, limit).await;
        self.end(lease, ran).await
    }

    /// Waits for the handler, and stops it when the lease is lost, nearly over, cancelled, or the run takes too long.
    async fn watch_over(&self, mut handler: Handler, mut told: watch::Receiver<Control>, limit: Duration) -> Ran {
        let started = Instant::now();
        let over = started.checked_add(limit).unwrap_or(started);
        let stopped = loop {
            let control = *told.borrow_and_update();
            match control.signal {
                Signal::Run => {}
                Signal::Cancel => break Ran::Cancelled,
                Signal::Lost => break Ran::Lost,
                Signal::Stop => break Ran::Stopped,
            }
            // Abandoned before it expires: the loser stops before the winner starts.
            let abandon = control.good_until.checked_sub(self.config.abandon_before).unwrap_or(control.good_until);
            tokio::select! {
                biased;
                ended = &mut handler.0 => return ran(ended),
                changed = told.changed() => if changed.is_err() { break Ran::Lost },
                () = sleep_until(abandon) => break Ran::Lost,
                () = sleep_until(over) => break Ran::TooLong,
            }
        };
        handler.0.abort();
        match (&mut handler.0).await {
            // It ended in the same moment: its own end counts.
            Ok(result) if !matches!(stopped, Ran::Lost) => Ran::Handled(result),
            _ => stopped,
        }
    }
}

fn ran(ended: std::result::Result<Result<Handled>, JoinError>) -> Ran {
    match ended {
        Ok(result) => Ran::Handled(result),
        Err(error) if error.is_panic() => Ran::Panicked(panic_message(error)),
        Err(_) => Ran::Stopped,
    }
}

fn panic_message(error: JoinError) -> JobError {
    let message = match error.try_into_panic() {
        Ok(payload) => match payload.downcast_ref::<&'static str>() {
            Some(message) => (*message).to_owned(),
            None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a handler panicked".to_owned()),
        },
        Err(_) => "a handler panicked".to_owned(),
    };
    JobError::new("panic", &text::cut(&message, 200))
}
