//! A change freeze around any [`ClusterApplier`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use zopnight_core::domain::{
    LoadBalancerStatus, ReleaseOutcome, ReleaseRef, ReleaseStatus, UninstallOutcome, UninstallRequest,
};
use zopnight_core::ports::{ClusterApplier, ReleaseRequest};
use zopnight_core::{Error, Result, Retry};

/// While frozen, nothing is written; reading goes on. The error says when to come back, so the worker keeps the job and the
/// revision waits: it is neither failed nor lost.
#[derive(Debug)]
pub(crate) struct Freezable {
    inner: Arc<dyn ClusterApplier>,
    frozen: AtomicBool,
    look_again: Duration,
}

impl Freezable {
    /// Not frozen. Frozen work is tried again after `look_again`.
    pub(crate) fn new(inner: Arc<dyn ClusterApplier>, look_again: Duration) -> Self {
        Self { inner, frozen: AtomicBool::new(false), look_again }
    }

    /// Begins or ends the freeze.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }

    fn writable(&self) -> Result<()> {
        if !self.frozen.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Error::unavailable("freeze", "a change freeze is on")
            .with("code", "change_freeze")
            .with_retry(Retry::After(self.look_again)))
    }
}

// A method that is added to the port later must be looked at here, not inherited.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl ClusterApplier for Freezable {
    async fn apply(&self, request: &ReleaseRequest) -> Result<ReleaseOutcome> {
        self.writable()?;
        self.inner.apply(request).await
    }

    async fn status(&self, release: &ReleaseRef) -> Result<ReleaseStatus> {
        self.inner.status(release).await
    }

    async fn load_balancer(&self, release: &ReleaseRef) -> Result<LoadBalancerStatus> {
        self.inner.load_balancer(release).await
    }

    async fn uninstall(&self, request: &UninstallRequest) -> Result<UninstallOutcome> {
        self.writable()?;
        self.inner.uninstall(request).await
    }
}
