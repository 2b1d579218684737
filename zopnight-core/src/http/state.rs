//! What every handler is given.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::config::HttpConfig;
use crate::pipeline::Pipeline;

/// The pipeline, the settings and the counters of what is under way. A cheap clone.
#[derive(Clone, Debug)]
pub(super) struct App(Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) pipeline: Pipeline,
    pub(super) config: HttpConfig,
    /// Tenant requests that may still begin.
    pub(super) requests: Arc<Semaphore>,
    /// Build callbacks that may still begin.
    pub(super) callbacks: Arc<Semaphore>,
    /// KiB of webhook bodies that may still be held.
    pub(super) webhook_kib: Arc<Semaphore>,
}

impl App {
    pub(super) fn new(pipeline: Pipeline, config: HttpConfig) -> Self {
        let semaphore = |n: usize| Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS)));
        let (requests, callbacks) = (semaphore(config.max_in_flight), semaphore(config.max_callbacks));
        let webhook_kib = semaphore(config.webhook_buffer_total.div_ceil(1_024));
        Self(Arc::new(Parts { pipeline, config, requests, callbacks, webhook_kib }))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
