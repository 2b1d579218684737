//! Deleting what is past its retention, a batch a transaction.

use std::time::Duration;

use zopnight_core::Result;
use zopnight_core::domain::{JobState, Lane};

use crate::database::{Database, Pools};
use crate::error::StoreError;
use crate::retry::{End, Work, write};
use crate::session::Session;
use crate::telemetry;

const OPERATION: &str = "queue.purge";
const BATCH: u32 = 500;

/// Deletes until nothing is left or the time is over; answers how many rows.
pub(super) async fn purge<D: Database>(pools: &Pools<D>, in_time: &(dyn Fn() -> bool + Sync)) -> Result<u64> {
    let o = pools.options();
    let ended = [(JobState::Done, o.keep_done), (JobState::Cancelled, o.keep_cancelled), (JobState::Parked, o.keep_parked)];
    let of = |(state, keep): (JobState, Duration)| Lane::ALL.map(|lane| Batch::Jobs(lane, state, keep));
    let mut batches: Vec<Batch> = ended.into_iter().flat_map(of).collect();
    batches.extend([Batch::Idempotency(o.idempotency_ttl), Batch::Deployment(o.keep_deleted)]);
    let mut purged = 0_u64;
    for batch in batches {
        loop {
            let n = write(pools, OPERATION, &batch).await?;
            purged = purged.saturating_add(n);
            telemetry::purged(batch.table(), n);
            let more = if matches!(batch, Batch::Deployment(_)) { n > 0 } else { n >= u64::from(BATCH) };
            if !more || !in_time() {
                break;
            }
        }
        if !in_time() {
            break;
        }
    }
    Ok(purged)
}

enum Batch {
    Jobs(Lane, JobState, Duration),
    Idempotency(Duration),
    /// One deployment with all that is its.
    Deployment(Duration),
}

impl Batch {
    const fn table(&self) -> &'static str {
        match self {
            Self::Jobs(..) => "jobs",
            Self::Idempotency(_) => "idempotency",
            Self::Deployment(_) => "deployments",
        }
    }
}

impl<D: Database> Work<D> for Batch {
    type Out = u64;

    async fn run(&self, s: &mut Session<D>) -> Result<End<u64>, StoreError> {
        let now = s.now().await?;
        Ok(End::Commit(match self {
            Self::Jobs(lane, state, keep) => s.purge_jobs(*lane, *state, now.minus(*keep), BATCH).await?,
            Self::Idempotency(keep) => s.purge_idempotency(now.minus(*keep)).await?,
            Self::Deployment(keep) => s.purge_deployment(now.minus(*keep)).await?,
        }))
    }
}
