//! The transaction loop: begin, work, commit; again where that helps.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use zopnight_core::Result;

use crate::database::{Database, Pools};
use crate::error::StoreError;
use crate::session::Session;
use crate::telemetry;

/// How often a transaction is run again because another came first, where fewer retries are wanted for conflicts.
const RACES: u32 = 3;

/// How a transaction ends.
#[derive(Debug)]
pub(crate) enum End<T> {
    Commit(T),
    RollBack(T),
}

/// The statements of one transaction. It may run several times.
pub(crate) trait Work<D: Database>: Sync {
    type Out: Send;

    fn run(&self, session: &mut Session<D>) -> impl Future<Output = Result<End<Self::Out>, StoreError>> + Send;
}

/// How often each kind of failure was met.
#[derive(Debug, Default)]
struct Met {
    conflicts: u32,
    races: u32,
    links: u32,
}

impl Met {
    /// Counts a failure after which to run again, and how often its kind was met; `None` where that does not help.
    fn again(&mut self, error: &StoreError, retries: u32) -> Option<(&'static str, u32)> {
        let (class, count, limit) = match error {
            StoreError::Conflict(_) => ("conflict", &mut self.conflicts, retries),
            StoreError::Unique(_) | StoreError::Raced => ("race", &mut self.races, retries.max(RACES)),
            StoreError::Link(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => return None,
            StoreError::Link(_) => ("link", &mut self.links, 1),
            _ => return None,
        };
        if *count >= limit {
            return None;
        }
        *count = count.saturating_add(1);
        Some((class, *count))
    }
}

/// Runs `work` in a writing transaction. A conflict or a taken key runs it again, `retries` times at most; a lost
/// connection once. A lost answer to the commit is never repeated here: every write is recognisable to its caller.
pub(crate) async fn write<D: Database, W: Work<D>>(pools: &Pools<D>, operation: &'static str, work: &W) -> Result<W::Out> {
    let mut met = Met::default();
    loop {
        let error = match attempt(pools, operation, work).await {
            Ok(out) => return Ok(out),
            Err(error) => error,
        };
        let Some((class, count)) = met.again(&error, pools.options().retries) else {
            return Err(error.into_core(operation));
        };
        if matches!(error, StoreError::Link(_)) {
            pools.doubt().raise();
        }
        tracing::debug!(backend = D::NAME, operation, class, error = %error, "a transaction is run again");
        telemetry::retried(D::NAME, class);
        tokio::time::sleep(pause(count)).await;
    }
}

async fn attempt<D: Database, W: Work<D>>(
    pools: &Pools<D>,
    operation: &'static str,
    work: &W,
) -> Result<W::Out, StoreError> {
    let mut session = pools.write(operation).await?;
    match work.run(&mut session).await {
        Ok(End::Commit(out)) => {
            session.commit().await?;
            Ok(out)
        }
        Ok(End::RollBack(out)) => {
            session.roll_back().await?;
            Ok(out)
        }
        Err(error) => {
            // The cause counts; a connection that cannot roll back is closed by its pool.
            let _ = session.roll_back().await;
            Err(error)
        }
    }
}

/// 5 ms · 2^k, ± 50 %.
pub(crate) fn pause(k: u32) -> Duration {
    let base = 5_000_u64.saturating_mul(1 << k.min(10));
    let random = RandomState::new().build_hasher().finish();
    Duration::from_micros((base / 2).saturating_add(random % base.max(1)))
}
