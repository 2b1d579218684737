//! The forge's own record of what it could not deliver.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::{Missed, MissedDelivery, MissedRequest};
use crate::error::Result;

/// The forge's own record of webhook deliveries. Optional: the sweep also works from branch heads alone.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait DeliveryLog: Debug + Send + Sync + 'static {
    /// Deliveries since `since` that nobody answered well and that are worth sending again, oldest first.
    ///
    /// # Errors
    /// `Unsupported` where the credential cannot read the record; `Unavailable`, `RateLimited`, `Unauthenticated`.
    async fn missed(&self, request: &MissedRequest) -> Result<Missed>;

    /// Asks the forge to send a delivery again, under the same id.
    ///
    /// # Errors
    /// As [`DeliveryLog::missed`].
    async fn redeliver(&self, delivery: &MissedDelivery) -> Result<()>;
}
