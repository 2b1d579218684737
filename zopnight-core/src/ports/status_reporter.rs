//! Tells the forge how revisions go.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::RevisionReport;
use crate::error::Result;

/// Tells the forge how revisions go.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait StatusReporter: Debug + Send + Sync + 'static {
    /// Tells the revision's present state. Idempotent; called by the `report_status` job, which reads the revision anew each
    /// time. A failure never changes a revision.
    ///
    /// # Errors
    /// `Forbidden` if the forge does not let us; `Unavailable`, `RateLimited`, `Conflict`.
    async fn report(&self, report: &RevisionReport) -> Result<()>;
}
