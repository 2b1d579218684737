//! The transaction loop: begin, work, commit; again where that helps.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use zopnight_core::Result;

use crate::error::StoreError;
use crate::sqlite::{Pools, Session};

/// How a transaction ends.
#[derive(Debug)]
pub(crate) enum End<T> {
    Commit(T),
    RollBack(T),
}

/// The statements of one transaction. It may run several times.
pub(crate) trait Work: Sync {
    type Out: Send;

    fn run(&self, session: &mut Session) -> impl Future<Output = Result<End<Self::Out>, StoreError>> + Send;
}

/// Runs `work` in a writing transaction. A conflict or a taken key runs it again, `retries` times at most; a lost
/// connection once. A lost answer to the commit is never repeated here: every write is recognisable to its caller.
pub(crate) async fn write<W: Work>(pools: &Pools, operation: &'static str, work: &W) -> Result<W::Out> {
    let mut conflicts = 0;
    let mut links = 0;
    loop {
        let error = match attempt(pools, operation, work).await {
            Ok(out) => return Ok(out),
            Err(error) => error,
        };
        let count = match &error {
            StoreError::Conflict(_) | StoreError::Unique(_) if conflicts < pools.options().retries => &mut conflicts,
            StoreError::Link(cause)
                if links < 1 && !matches!(cause, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) =>
            {
                &mut links
            }
            _ => return Err(error.into_core(operation)),
        };
        *count = count.saturating_add(1);
        tracing::debug!(operation, error = %error, "a transaction is run again");
        tokio::time::sleep(pause(*count)).await;
    }
}

async fn attempt<W: Work>(pools: &Pools, operation: &'static str, work: &W) -> Result<W::Out, StoreError> {
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
