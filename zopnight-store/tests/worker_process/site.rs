//! A pipeline over a database, the same in every process.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zopnight_core::StaticTenants;
use zopnight_core::callback::{CallbackKey, CallbackKeys};
use zopnight_core::clock::SystemClock;
use zopnight_core::config::PipelineConfig;
use zopnight_core::domain::{
    AppName, BranchName, BuildSpec, DeploymentId, Event, EventQuery, HttpsUrl, IntegrationId, Namespace, OrgId, OwnerName,
    PageRequest, RepoName, RepoPath, Revision, RevisionId, RuntimeSpec, Secret, SpaceId,
};
use zopnight_core::pipeline::{DeploymentSpec, Pipeline, RequestContext, SourceSpec};
use zopnight_core::ports::{JobQueue, Store};
use zopnight_core::tenants::SpaceGrant;
use zopnight_core::testing::fakes::{FakeAnalyzer, FakeApplier, FakeForge, FakeResolver};
use zopnight_core::worker::{Worker, WorkerConfig};

use crate::builder::FileBuilder;

/// The shortest lease there is.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
pub(crate) const ORGS: [&str; 2] = ["acme", "globex"];

/// A pipeline with its fakes. What must outlive a process lies in the database and in a directory.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pipeline: Pipeline,
    pub(crate) applier: Arc<FakeApplier>,
    pub(crate) resolver: Arc<FakeResolver>,
    pub(crate) builder: FileBuilder,
}

impl Site {
    pub(crate) fn new(store: Arc<dyn Store>, directory: &Path) -> Self {
        let tenants = StaticTenants::new("registry.example.test/{org}/{name}").unwrap();
        let forge = FakeForge::new();
        for name in ORGS {
            let (org, integration) = (OrgId::parse(name).unwrap(), integration(name));
            tenants.grant_integration(&org, integration.clone());
            let namespace = SpaceGrant::namespace(Namespace::parse(name).unwrap());
            tenants.grant_space(&org, SpaceId::parse("prod").unwrap(), namespace);
            let repo = forge.create_repo(&integration, &format!("{name}/shop"));
            forge.commit(&repo, "main", &[("Dockerfile", "FROM scratch\nEXPOSE 8080\n")]);
        }
        let key = CallbackKey::from_secret(Secret::new(b"zopnight-test-callback-key-00032".to_vec())).unwrap();
        let url = HttpsUrl::parse("https://deploy.example.test").unwrap();
        let keys = CallbackKeys::builder(key).public_url(url).build().unwrap();
        let mut config = PipelineConfig::default();
        config.settle_schedule = vec![Duration::from_secs(1)];
        let (applier, resolver) = (FakeApplier::new(Arc::new(SystemClock)), FakeResolver::new());
        let builder = FileBuilder::new(directory);
        let pipeline = Pipeline::builder(Arc::clone(&store), Arc::new(tenants), forge)
            .builds(keys, Arc::new(builder.clone()), Arc::<FakeResolver>::clone(&resolver))
            .cluster(Arc::<FakeApplier>::clone(&applier))
            .analyzer(FakeAnalyzer::new())
            .config(config)
            .build()
            .unwrap();
        Self { store, pipeline, applier, resolver, builder }
    }

    pub(crate) fn worker(&self, queue: Arc<dyn JobQueue>, drain: Duration) -> Worker {
        let config = WorkerConfig::default()
            .with_lease(LEASE)
            .with_heartbeat(Duration::from_millis(1_500))
            .with_abandon_before(Duration::from_secs(1))
            .with_drain(drain)
            .with_sweep_interval(Duration::ZERO);
        Worker::builder(queue, self.pipeline.clone()).config(config).build().unwrap()
    }

    /// Runs what is ready, here.
    pub(crate) async fn drain(&self) {
        let queue: Arc<dyn Store> = Arc::clone(&self.store);
        self.worker(queue, Duration::ZERO).drain_once().await;
    }

    pub(crate) async fn create(&self, org: &str, name: &str) -> App {
        let spec = DeploymentSpec {
            name: AppName::parse(name).unwrap(),
            source: SourceSpec {
                integration: integration(org),
                owner: OwnerName::parse(org).unwrap(),
                repo: RepoName::parse("shop").unwrap(),
                branch: Some(BranchName::parse("main").unwrap()),
                root_path: RepoPath::root(),
                auto_deploy: true,
            },
            build: BuildSpec::default(),
            runtime: RuntimeSpec::default(),
            space: SpaceId::parse("prod").unwrap(),
            namespace: None,
        };
        let org = OrgId::parse(org).unwrap();
        let request = RequestContext::new(org.clone());
        let made = self.pipeline.create_deployment(&request, &spec).await.unwrap();
        App { org, deployment: made.deployment.deployment.id, revision: made.deployment.newest.id }
    }

    /// A deployment whose first revision is built: its deploy job is ready.
    pub(crate) async fn create_built(&self) -> App {
        let app = self.create(ORGS[0], "shop").await;
        self.drain().await;
        let playing = self.builder.play(self, Duration::from_millis(10));
        tokio::select! {
            () = playing => {}
            () = self.until(&app, |r| r.built_at.is_some()) => {}
        }
        app
    }

    pub(crate) async fn revision(&self, app: &App) -> Revision {
        self.store.revision(&app.org, app.deployment, app.revision).await.unwrap().revision
    }

    /// Waits until the revision is as wanted.
    pub(crate) async fn until(&self, app: &App, wanted: impl Fn(&Revision) -> bool) {
        let begun = Instant::now();
        loop {
            let revision = self.revision(app).await;
            if wanted(&revision) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "still {revision:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn events(&self, app: &App) -> Vec<Event> {
        let page = PageRequest { page: 1, limit: 100 };
        let query = EventQuery { page, newest_first: false, after: Some(0) };
        self.store.events(&app.org, app.deployment, &query).await.unwrap().items
    }
}

/// A deployment and its first revision.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) org: OrgId,
    pub(crate) deployment: DeploymentId,
    pub(crate) revision: RevisionId,
}

fn integration(org: &str) -> IntegrationId {
    IntegrationId::parse(&format!("int_{org}")).unwrap()
}
