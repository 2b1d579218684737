//! Keeps what a rollout told.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::faults::lock;
use crate::domain::{ProgressLine, ReleaseRef};
use crate::ports::ReleaseProgress;

/// A [`ReleaseProgress`] that keeps its lines.
#[derive(Debug, Default)]
pub struct FakeProgress(Mutex<Vec<(ReleaseRef, ProgressLine)>>);

impl FakeProgress {
    /// One without lines.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// All lines so far, with the release each is of.
    #[must_use]
    pub fn lines(&self) -> Vec<(ReleaseRef, ProgressLine)> {
        lock(&self.0).clone()
    }
}

#[async_trait]
impl ReleaseProgress for FakeProgress {
    async fn progress(&self, target: &ReleaseRef, line: ProgressLine) {
        lock(&self.0).push((target.clone(), line));
    }
}
