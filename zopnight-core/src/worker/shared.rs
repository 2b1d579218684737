//! What the parts of one worker share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::config::WorkerConfig;
use super::running::Running;
use crate::domain::{Finish, Finished, LeaseRef, Outcome, WorkerId};
use crate::pipeline::Pipeline;
use crate::ports::JobQueue;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Arc<dyn JobQueue>,
    pub(super) pipeline: Pipeline,
    pub(super) config: WorkerConfig,
    pub(super) id: WorkerId,
    pub(super) running: Running,
    /// A job has ended: a slot is free.
    pub(super) freed: Notify,
    /// A job may have been stored that is due earlier than any known one.
    pub(super) stirred: Notify,
    pub(super) last_turn: Mutex<Instant>,
}

impl Shared {
    /// Gives leases back, at most 100 in one call. Answers how many were still ours.
    pub(super) async fn release(&self, leases: &[LeaseRef]) -> u64 {
        let mut released = 0_u64;
        for some in leases.chunks(100) {
            let items = some.iter().map(|lease| Finish { lease: *lease, outcome: Outcome::Release }).collect();
            match self.queue.finish(items).await {
                Ok(answers) => {
                    let given = answers.iter().filter(|a| matches!(a, Finished::Accepted)).count();
                    released = released.saturating_add(given as u64);
                }
                Err(error) => tracing::warn!(%error, "leases could not be given back; they will run out"),
            }
        }
        released
    }

    pub(super) fn turned(&self) {
        *self.last_turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
    }

    /// `d`, up to `percent` more or less.
    pub(super) fn jittered(&self, d: Duration, percent: u32) -> Duration {
        let mut bytes = [0; 4];
        self.pipeline.random().fill(&mut bytes);
        let share = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        let spread = f64::from(percent) / 100.0;
        d.mul_f64(1.0 - spread + 2.0 * spread * share)
    }
}

/// What a worker did before it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Jobs that ran to their end.
    pub finished: u64,
    /// Leases given back unfinished.
    pub released: u64,
}

/// How one job went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobReport {
    /// Its handler ended it.
    Ended,
    /// It will be tried again.
    Retried,
    /// It looks again later.
    Snoozed,
    /// It was given up.
    Parked,
    /// It was cancelled.
    Cancelled,
    /// Another holds it, or its lease could not be kept.
    Lost,
    /// The worker stops; the lease is given back.
    Stopped,
}

/// Whether a worker is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerHealth {
    /// Since its loop last turned.
    pub idle: Duration,
    /// Jobs it runs now.
    pub running: usize,
}
