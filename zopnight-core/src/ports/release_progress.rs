//! Hears how a rollout goes.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::{ProgressLine, ReleaseRef};

/// Lines of a rollout while it goes on.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ReleaseProgress: Debug + Send + Sync + 'static {
    /// Takes a line. Never fails, and must not block for more than a second.
    async fn progress(&self, target: &ReleaseRef, line: ProgressLine);
}
