//! Everything that outlives a process.

use std::sync::Arc;
use std::time::Duration;

use super::builder::Builder;
use crate::callback::{CallbackKey, CallbackKeys};
use crate::config::PipelineConfig;
use crate::domain::{
    AppName, BranchName, BuildSpec, HttpsUrl, IntegrationId, JobState, Namespace, OrgId, OwnerName, RepoName, RepoPath,
    RepoRef, RuntimeSpec, Secret, SpaceId,
};
use crate::pipeline::{Accepted, DeploymentSpec, Pipeline, RequestContext, SourceSpec};
use crate::ports::{Clock, JobQueue, Store};
use crate::tenants::{SpaceGrant, StaticTenants};
use crate::testing::fakes::{
    FakeAnalyzer, FakeApplier, FakeDecoder, FakeDispatcher, FakeForge, FakeResolver, FakeTenants, Faults, ManualClock,
    SeededRandom,
};
use crate::worker::{Worker, WorkerConfig};

/// Store, forge, builder, registry, cluster and clock, with one tenant (`acme`), one repository (`acme/checkout`) and one cluster
/// (`prod`).
#[derive(Debug)]
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The clock of everything, the store's too if it was given the same one.
    pub clock: Arc<ManualClock>,
    /// The forge.
    pub forge: Arc<FakeForge>,
    /// The builder's API.
    pub dispatcher: Arc<FakeDispatcher>,
    /// The registry.
    pub resolver: Arc<FakeResolver>,
    /// The cluster.
    pub applier: Arc<FakeApplier>,
    /// The grants.
    pub tenants: Arc<FakeTenants>,
    /// The analyzer.
    pub analyzer: Arc<FakeAnalyzer>,
    /// The webhook decoder.
    pub decoder: Arc<FakeDecoder>,
    /// What runs the builds.
    pub builder: Builder,
    /// The tenant.
    pub org: OrgId,
    /// Its repository.
    pub repo: RepoRef,
    random: Arc<SeededRandom>,
    config: PipelineConfig,
}

impl World {
    /// A world over this store, whose clock must be `clock`.
    ///
    /// # Panics
    /// Never: the constants are valid.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        let org = OrgId::parse("acme").expect("an org");
        let integration = IntegrationId::parse("int_acme").expect("an integration");
        let grants = StaticTenants::new("registry.example.test/{org}/{name}").expect("a template");
        grants.grant_integration(&org, integration.clone());
        let namespace = Namespace::parse("acme").expect("a namespace");
        grants.grant_space(&org, SpaceId::parse("prod").expect("a space"), SpaceGrant::namespace(namespace));
        let forge = FakeForge::new();
        forge.connect(&integration);
        let repo = forge.create_repo(&integration, "acme/checkout");
        forge.commit(&repo, "main", &[("Dockerfile", "FROM scratch\nEXPOSE 8080\n")]);
        let as_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let resolver = FakeResolver::new();
        let dispatcher = FakeDispatcher::new(Arc::clone(&as_clock));
        Self {
            store,
            forge,
            builder: Builder::new(Arc::clone(&dispatcher), Arc::clone(&resolver)),
            dispatcher,
            resolver,
            applier: FakeApplier::new(as_clock),
            tenants: FakeTenants::new(grants, Faults::new()),
            analyzer: FakeAnalyzer::new(),
            decoder: FakeDecoder::new("a secret of the fake forge"),
            clock,
            org,
            repo,
            random: SeededRandom::new(1),
            config: PipelineConfig::default(),
        }
    }

    /// With these settings of its pipelines.
    #[must_use]
    pub fn with_config(mut self, config: PipelineConfig) -> Self {
        self.config = config;
        self
    }

    /// The callback keys of its pipelines.
    ///
    /// # Panics
    /// Never: the constants are valid.
    #[must_use]
    pub fn keys(&self) -> CallbackKeys {
        let key = CallbackKey::from_secret(Secret::new(b"zopnight-test-callback-key-00032".to_vec())).expect("a key");
        let url = HttpsUrl::parse("https://deploy.example.test").expect("a url");
        CallbackKeys::builder(key).public_url(url).build().expect("keys")
    }

    /// A pipeline over the world's own store.
    #[must_use]
    pub fn pipeline(&self) -> Pipeline {
        self.pipeline_on(Arc::clone(&self.store))
    }

    /// A pipeline that reaches the store through another handle, such as a [`super::CrashStore`].
    ///
    /// # Panics
    /// If the world's settings are out of bounds.
    #[must_use]
    pub fn pipeline_on(&self, store: Arc<dyn Store>) -> Pipeline {
        let (tenants, source) = (Arc::<FakeTenants>::clone(&self.tenants), Arc::<FakeForge>::clone(&self.forge));
        Pipeline::builder(store, tenants, source)
            .builds(self.keys(), Arc::<FakeDispatcher>::clone(&self.dispatcher), Arc::<FakeResolver>::clone(&self.resolver))
            .cluster(Arc::<FakeApplier>::clone(&self.applier))
            .webhooks(Arc::<FakeDecoder>::clone(&self.decoder))
            .deliveries(Arc::<FakeForge>::clone(&self.forge))
            .reporter(Arc::<FakeForge>::clone(&self.forge))
            .analyzer(Arc::<FakeAnalyzer>::clone(&self.analyzer))
            .clock(Arc::<ManualClock>::clone(&self.clock))
            .random(Arc::<SeededRandom>::clone(&self.random))
            .config(self.config.clone())
            .build()
            .expect("settings within bounds")
    }

    /// A worker over a queue and a pipeline.
    ///
    /// # Panics
    /// Never: the default settings are valid.
    #[must_use]
    pub fn worker(&self, queue: Arc<dyn JobQueue>, pipeline: &Pipeline) -> Worker {
        Worker::builder(queue, pipeline.clone()).config(WorkerConfig::default()).build().expect("settings within bounds")
    }

    /// What creates a deployment of the world's repository.
    ///
    /// # Panics
    /// If `name` is no deployment's name.
    #[must_use]
    pub fn spec(&self, name: &str) -> DeploymentSpec {
        DeploymentSpec {
            name: AppName::parse(name).expect("a name"),
            source: SourceSpec {
                integration: self.repo.integration.clone(),
                owner: OwnerName::parse(self.repo.owner.as_str()).expect("an owner"),
                repo: RepoName::parse(self.repo.name.as_str()).expect("a repository"),
                branch: Some(BranchName::parse("main").expect("a branch")),
                root_path: RepoPath::root(),
                auto_deploy: true,
            },
            build: BuildSpec::default(),
            runtime: RuntimeSpec::default(),
            space: SpaceId::parse("prod").expect("a space"),
            namespace: None,
        }
    }

    /// Creates a deployment.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn create(&self, pipeline: &Pipeline, name: &str) -> Accepted {
        let request = RequestContext::new(self.org.clone());
        pipeline.create_deployment(&request, &self.spec(name)).await.expect("the deployment is created")
    }

    /// Lets workers and builder go on until nothing is left to do, moving the clock when all wait.
    ///
    /// # Panics
    /// If it never comes to rest.
    pub async fn settle(&self, pipeline: &Pipeline) {
        let queue: Arc<dyn Store> = Arc::clone(&self.store);
        self.settle_on(queue, pipeline).await;
    }

    /// The same with a worker that reaches the queue through another handle.
    ///
    /// # Panics
    /// If it never comes to rest.
    pub async fn settle_on(&self, queue: Arc<dyn JobQueue>, pipeline: &Pipeline) {
        let worker = self.worker(queue, pipeline);
        for _ in 0..400 {
            let ran = worker.drain_once().await.finished;
            let built = self.builder.play(pipeline).await;
            if ran > 0 || built > 0 {
                continue;
            }
            if self.is_at_rest().await {
                return;
            }
            self.clock.advance(Duration::from_secs(11));
        }
        let stats = self.store.stats().await;
        let logged = self.applier.faults().log().len();
        panic!(
            "the world does not come to rest: {stats:?}, {} dispatches, {logged} cluster calls",
            self.dispatcher.requests().len()
        );
    }

    /// Whether no job is left but the periodic sweep's.
    ///
    /// # Panics
    /// If the store does not answer.
    pub async fn is_at_rest(&self) -> bool {
        let stats = self.store.stats().await.expect("the store answers");
        let live = [JobState::Ready, JobState::Leased, JobState::Delayed, JobState::Blocked];
        stats.jobs.iter().all(|(kind, state, n)| {
            *n == 0 || !live.contains(state) || *kind == crate::domain::JobKind::Sweep && *state == JobState::Delayed
        })
    }
}
