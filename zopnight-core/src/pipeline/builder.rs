//! How a pipeline is put together.

use std::sync::Arc;

use crate::analyze::StackAnalyzer;
use crate::callback::CallbackKeys;
use crate::clock::{SystemClock, SystemRandom};
use crate::config::PipelineConfig;
use crate::domain::{AttemptId, JobId, RevisionId, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{
    Analyzer, BuildDispatcher, Clock, ClusterApplier, DeliveryLog, ImageResolver, Random, RepoSource, StatusReporter, Store,
    TenantDirectory, WebhookDecoder,
};

/// Everything a host can ask for. A cheap clone.
#[derive(Clone, Debug)]
pub struct Pipeline(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Arc<dyn Store>,
    tenants: Arc<dyn TenantDirectory>,
    source: Arc<dyn RepoSource>,
    analyzer: Arc<dyn Analyzer>,
    builds: Option<Builds>,
    cluster: Option<Arc<dyn ClusterApplier>>,
    webhooks: Option<Arc<dyn WebhookDecoder>>,
    deliveries: Option<Arc<dyn DeliveryLog>>,
    reporter: Option<Arc<dyn StatusReporter>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    config: PipelineConfig,
}

/// What building needs; the three come only together.
#[derive(Debug)]
pub(super) struct Builds {
    pub(super) keys: CallbackKeys,
    pub(super) dispatcher: Arc<dyn BuildDispatcher>,
    pub(super) resolver: Arc<dyn ImageResolver>,
}

/// Collects the parts of a [`Pipeline`].
///
/// There is no way to have a dispatcher, or a callback route, without callback keys:
///
/// ```compile_fail
/// # use zopnight_core::pipeline::PipelineBuilder;
/// # use zopnight_core::{callback::CallbackKeys, ports::{BuildDispatcher, ImageResolver}};
/// # use std::sync::Arc;
/// fn wire(b: PipelineBuilder, d: Arc<dyn BuildDispatcher>, r: Arc<dyn ImageResolver>) -> PipelineBuilder {
///     b.builds(d, r)
/// }
/// ```
/// ```
/// # use zopnight_core::pipeline::PipelineBuilder;
/// # use zopnight_core::{callback::CallbackKeys, ports::{BuildDispatcher, ImageResolver}};
/// # use std::sync::Arc;
/// fn wire(b: PipelineBuilder, k: CallbackKeys, d: Arc<dyn BuildDispatcher>, r: Arc<dyn ImageResolver>) -> PipelineBuilder {
///     b.builds(k, d, r)
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct PipelineBuilder(Parts);

impl PipelineBuilder {
    /// With builds: callback keys, dispatcher and resolver.
    pub fn builds(
        mut self,
        keys: CallbackKeys,
        dispatcher: Arc<dyn BuildDispatcher>,
        resolver: Arc<dyn ImageResolver>,
    ) -> Self {
        self.0.builds = Some(Builds { keys, dispatcher, resolver });
        self
    }

    /// With clusters to deploy to.
    pub fn cluster(mut self, applier: Arc<dyn ClusterApplier>) -> Self {
        self.0.cluster = Some(applier);
        self
    }

    /// With a webhook route.
    pub fn webhooks(mut self, decoder: Arc<dyn WebhookDecoder>) -> Self {
        self.0.webhooks = Some(decoder);
        self
    }

    /// With the forge's record of deliveries, for the sweep.
    pub fn deliveries(mut self, log: Arc<dyn DeliveryLog>) -> Self {
        self.0.deliveries = Some(log);
        self
    }

    /// Telling the forge how revisions go.
    pub fn reporter(mut self, reporter: Arc<dyn StatusReporter>) -> Self {
        self.0.reporter = Some(reporter);
        self
    }

    /// With another analyzer than [`StackAnalyzer`].
    pub fn analyzer(mut self, analyzer: Arc<dyn Analyzer>) -> Self {
        self.0.analyzer = analyzer;
        self
    }

    /// With another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// With other randomness than the system's.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.0.random = random;
        self
    }

    /// With these settings.
    pub fn config(mut self, config: PipelineConfig) -> Self {
        self.0.config = config;
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    /// `Invalid` with one detail for each setting out of bounds.
    pub fn build(self) -> Result<Pipeline> {
        self.0.config.check()?;
        Ok(Pipeline(Arc::new(self.0)))
    }
}

impl Pipeline {
    /// Begins with what every pipeline needs: the store, the authority on tenants, the forge.
    pub fn builder(
        store: Arc<dyn Store>,
        tenants: Arc<dyn TenantDirectory>,
        source: Arc<dyn RepoSource>,
    ) -> PipelineBuilder {
        PipelineBuilder(Parts {
            store,
            tenants,
            source,
            analyzer: Arc::new(StackAnalyzer::default()),
            builds: None,
            cluster: None,
            webhooks: None,
            deliveries: None,
            reporter: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            config: PipelineConfig::default(),
        })
    }

    /// Whether builds are configured, and with them the callback route.
    #[must_use]
    pub fn has_builds(&self) -> bool {
        self.0.builds.is_some()
    }

    /// Whether a webhook decoder is configured, and with it the webhook route.
    #[must_use]
    pub fn has_webhooks(&self) -> bool {
        self.0.webhooks.is_some()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &PipelineConfig {
        &self.0.config
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The randomness.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.0.random
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    pub(super) fn tenants(&self) -> &dyn TenantDirectory {
        &*self.0.tenants
    }

    pub(super) fn source(&self) -> &dyn RepoSource {
        &*self.0.source
    }

    pub(super) fn analyzer(&self) -> &dyn Analyzer {
        &*self.0.analyzer
    }

    pub(super) fn deliveries(&self) -> Option<&dyn DeliveryLog> {
        self.0.deliveries.as_deref()
    }

    pub(super) fn reporter(&self) -> Option<&dyn StatusReporter> {
        self.0.reporter.as_deref()
    }

    pub(super) fn webhooks(&self) -> Option<&dyn WebhookDecoder> {
        self.0.webhooks.as_deref()
    }

    pub(super) fn builds(&self) -> Result<&Builds> {
        self.0.builds.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "pipeline", "builds are not configured here").with("code", "builds_disabled")
        })
    }

    pub(super) fn cluster(&self) -> Result<&dyn ClusterApplier> {
        self.0.cluster.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "pipeline", "no cluster is configured here").with("code", "cluster_disabled")
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.random.fill(&mut bytes);
        bytes
    }

    pub(super) fn new_revision_id(&self) -> RevisionId {
        RevisionId::new(self.now(), self.random_bytes())
    }

    pub(super) fn new_attempt_id(&self) -> AttemptId {
        AttemptId::new(self.now(), self.random_bytes())
    }

    pub(crate) fn new_job_id(&self) -> JobId {
        JobId::new(self.now(), self.random_bytes())
    }

    pub(super) fn new_deployment_id(&self) -> crate::domain::DeploymentId {
        crate::domain::DeploymentId::new(self.now(), self.random_bytes())
    }
}
