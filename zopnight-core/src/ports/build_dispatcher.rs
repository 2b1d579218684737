//! Hands builds to a runner that the user owns.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::{BuildRequest, BuildRun, CancelOutcome, CancelRequest, Dispatch, LogRequest, LogTail, RunQuery, RunRef};
use crate::error::Result;

/// Hands builds to a runner that the user owns, and looks after their runs.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BuildDispatcher: Debug + Send + Sync + 'static {
    /// Sends once. The attempt is persisted already. An ambiguous answer is `Ok(Dispatch::Unknown)`, never an error and
    /// never a second send.
    ///
    /// # Errors
    /// The build was definitely not accepted; `retry()` says whether a new attempt may be made.
    async fn dispatch(&self, request: &BuildRequest) -> Result<Dispatch>;

    /// The run of one attempt. `None` = not there (yet).
    ///
    /// # Errors
    /// `Unavailable`, `RateLimited`, `Unauthenticated`.
    async fn find_run(&self, query: &RunQuery) -> Result<Option<BuildRun>>;

    /// A known run's state.
    ///
    /// # Errors
    /// `NotFound` (`run_not_found`) if it is gone or not ours, and as [`BuildDispatcher::find_run`].
    async fn run(&self, run: &RunRef) -> Result<BuildRun>;

    /// Asks for a run to end. Idempotent. With `force` it ends a run that ignores the first request; such a run reports
    /// nothing.
    ///
    /// # Errors
    /// As [`BuildDispatcher::find_run`].
    async fn cancel(&self, request: &CancelRequest) -> Result<CancelOutcome>;

    /// The end of the build's log, redacted, within the bounds asked for. Empty and not `complete` while the run goes on.
    ///
    /// # Errors
    /// As [`BuildDispatcher::run`].
    async fn log_tail(&self, request: &LogRequest) -> Result<LogTail>;
}
