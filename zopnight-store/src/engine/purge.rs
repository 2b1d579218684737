//! Deleting what is past its retention, a batch a transaction.

use std::time::Duration;

use zopnight_core::Result;
use zopnight_core::domain::JobState;

use crate::error::StoreError;
use crate::retry::{End, Work, write};
use crate::sqlite::{Pools, Session};

const OPERATION: &str = "queue.purge";
const BATCH: u64 = 500;

/// Deletes until nothing is left or the time is over; answers how many rows.
pub(super) async fn purge(pools: &Pools, in_time: &(dyn Fn() -> bool + Sync)) -> Result<u64> {
    let o = pools.options();
    let batches = [
        Batch::Jobs(JobState::Done, o.keep_done),
        Batch::Jobs(JobState::Cancelled, o.keep_cancelled),
        Batch::Jobs(JobState::Parked, o.keep_parked),
        Batch::Idempotency(o.idempotency_ttl),
        Batch::Deployment(o.keep_deleted),
    ];
    let mut purged = 0_u64;
    for batch in batches {
        loop {
            let n = write(pools, OPERATION, &batch).await?;
            purged = purged.saturating_add(n);
            let more = if matches!(batch, Batch::Deployment(_)) { n > 0 } else { n >= BATCH };
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
    Jobs(JobState, Duration),
    Idempotency(Duration),
    /// One deployment with all that is its.
    Deployment(Duration),
}

impl Work for Batch {
    type Out = u64;

    async fn run(&self, s: &mut Session) -> Result<End<u64>, StoreError> {
        let now = s.now().await?;
        Ok(End::Commit(match self {
            Self::Jobs(state, keep) => s.purge_jobs(*state, now.minus(*keep)).await?,
            Self::Idempotency(keep) => s.purge_idempotency(now.minus(*keep)).await?,
            Self::Deployment(keep) => s.purge_deployment(now.minus(*keep)).await?,
        }))
    }
}
