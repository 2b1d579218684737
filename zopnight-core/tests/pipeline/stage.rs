//! What the tests of this binary share.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::config::PipelineConfig;
use zopnight_core::domain::{DeployedImage, DeploymentId, EventKind, Lane, ReleaseRef, RevisionState, Timestamp};
use zopnight_core::pipeline::{Pipeline, RequestContext};
use zopnight_core::ports::{Clock, Store};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::sim::{World, check_at_rest};

/// A world with a pipeline over the memory store.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) store: MemoryStore,
    pub(crate) pipeline: Pipeline,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(PipelineConfig::default())
    }

    pub(crate) fn with(config: PipelineConfig) -> Self {
        let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
        let driven: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let store = MemoryStore::new(driven);
        let world = World::new(Arc::new(store.clone()), clock).with_config(config);
        let pipeline = world.pipeline();
        Self { world, store, pipeline }
    }

    pub(crate) async fn live() -> (Self, DeploymentId) {
        let stage = Self::new();
        let id = stage.world.create(&stage.pipeline, "checkout").await.deployment.deployment.id;
        stage.world.settle(&stage.pipeline).await;
        check_at_rest(&stage.world, id).await;
        (stage, id)
    }

    pub(crate) async fn push(&self, text: &str) -> zopnight_core::pipeline::WebhookAnswer {
        let delivery = self.world.forge.push(&self.world.repo, "main", &[("Dockerfile", "FROM scratch\n"), ("text", text)]);
        self.pipeline.push(&delivery).await.unwrap()
    }

    pub(crate) async fn states(&self, id: DeploymentId) -> Vec<RevisionState> {
        let query = zopnight_core::domain::RevisionQuery {
            sort: zopnight_core::domain::RevisionSort::NumberAscending,
            ..Default::default()
        };
        let page = self.world.store.revisions(&self.world.org, id, &query).await.unwrap();
        page.items.into_iter().map(|r| r.revision.state).collect()
    }

    pub(crate) async fn commits(&self, id: DeploymentId) -> Vec<zopnight_core::domain::CommitSha> {
        let query = zopnight_core::domain::RevisionQuery {
            sort: zopnight_core::domain::RevisionSort::NumberAscending,
            ..Default::default()
        };
        let page = self.world.store.revisions(&self.world.org, id, &query).await.unwrap();
        page.items.into_iter().map(|r| r.revision.commit.sha).collect()
    }

    pub(crate) async fn newest(&self, id: DeploymentId) -> zopnight_core::domain::Revision {
        self.world.store.deployment(&self.world.org, id).await.unwrap().newest
    }

    pub(crate) async fn drain(&self) {
        let queue: Arc<dyn Store> = Arc::clone(&self.world.store);
        self.world.worker(queue, &self.pipeline).drain_once().await;
    }

    pub(crate) fn request(&self) -> RequestContext {
        RequestContext::new(self.world.org.clone())
    }

    pub(crate) async fn kinds(&self, id: DeploymentId) -> Vec<EventKind> {
        self.world.timeline(id).await.into_iter().map(|e| e.kind).collect()
    }

    pub(crate) async fn running(&self, id: DeploymentId) -> DeployedImage {
        let d = self.world.store.deployment(&self.world.org, id).await.unwrap().deployment;
        self.world.applier.running(&ReleaseRef::of(&self.world.org, id, &d.name, &d.target)).unwrap().image
    }

    pub(crate) async fn claim(&self, lane: Lane) -> zopnight_core::domain::LeaseRef {
        let request = zopnight_core::domain::ClaimRequest {
            worker: zopnight_core::domain::WorkerId::parse("test").unwrap(),
            want: vec![zopnight_core::domain::Want { lane, max: 1 }],
            lease: Duration::from_secs(30),
        };
        self.world.store.claim(&request).await.unwrap().pop().unwrap().job
    }
}
