//! A host: a world of fakes, the routes over it, an authentication of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use zopnight_core::domain::{Actor, ActorKind, IntegrationId, OrgId, Timestamp};
use zopnight_core::http::{HttpConfig, ingress_routes, tenant_routes};
use zopnight_core::pipeline::Pipeline;
use zopnight_core::ports::Store;
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::sim::{CrashStore, World};

use crate::client::{Answer, Request};

pub(crate) const START: i64 = 1_767_225_600;
pub(crate) const INTEGRATION: &str = "int_github_001";
pub(crate) const UNKNOWN: &str = "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11";

/// The host's own authentication: a header names the tenant.
async fn authenticate(mut request: AxumRequest, next: Next) -> Response {
    let org = request.headers().get("x-test-org").map(|v| OrgId::parse(v.to_str().unwrap()).unwrap());
    if let Some(org) = org {
        request.extensions_mut().insert(org);
        request.extensions_mut().insert(Actor::new(ActorKind::User, "ada").unwrap());
    }
    next.run(request).await
}

/// A world and a server over it; the server ends with it.
pub(crate) struct Host {
    pub(crate) world: World,
    pub(crate) memory: MemoryStore,
    pub(crate) store: Arc<CrashStore>,
    pub(crate) pipeline: Pipeline,
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Host {
    /// The world of the printed examples: org `acme` sees `acme/checkout` through `int_github_001`.
    pub(crate) fn world() -> (World, MemoryStore) {
        let clock = ManualClock::new(Timestamp::from_secs(START));
        let memory = MemoryStore::new(Arc::<ManualClock>::clone(&clock));
        let mut world = World::new(Arc::new(memory.clone()), clock);
        let integration = IntegrationId::parse(INTEGRATION).unwrap();
        let old = std::mem::replace(&mut world.repo.integration, integration.clone());
        world.repo = world.forge.share(&world.repo, &integration);
        world.tenants.grants().withdraw_integration(&world.org, &old);
        world.tenants.grants().grant_integration(&world.org, integration);
        (world, memory)
    }

    pub(crate) async fn start() -> Self {
        Self::with(HttpConfig::default()).await
    }

    pub(crate) async fn with(config: HttpConfig) -> Self {
        let (world, memory) = Self::world();
        Self::over(world, memory, config).await
    }

    pub(crate) async fn over(world: World, memory: MemoryStore, config: HttpConfig) -> Self {
        let store = CrashStore::counting(Arc::clone(&world.store));
        let pipeline = world.pipeline_on(Arc::<CrashStore>::clone(&store));
        let (address, server) = serve(routes(&pipeline, &config)).await;
        Self { world, memory, store, pipeline, address, server }
    }

    /// As the tenant.
    pub(crate) async fn send(&self, request: Request) -> Answer {
        request.header("x-test-org", "acme").send(self.address).await
    }

    /// As nobody.
    pub(crate) async fn anonymous(&self, request: Request) -> Answer {
        request.send(self.address).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Request::new("POST", path).json(body)).await
    }

    pub(crate) async fn patch(&self, id: &str, body: &str) -> Answer {
        self.send(Request::new("PATCH", &format!("/deployments/{id}/configs")).json(body)).await
    }

    /// Creates a deployment and answers its id.
    pub(crate) async fn create(&self, name: &str) -> String {
        let answer = self.post("/deployments", &spec(name)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.data()["deployment"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates a deployment and lets it become live.
    pub(crate) async fn live(&self) -> String {
        let id = self.create("checkout").await;
        self.settle().await;
        id
    }

    pub(crate) async fn settle(&self) {
        self.world.settle(&self.pipeline).await;
    }

    /// Lets the worker do what is due now, and nothing else.
    pub(crate) async fn work(&self) {
        let queue: Arc<dyn Store> = Arc::clone(&self.world.store);
        self.world.worker(queue, &self.pipeline).drain_once().await;
    }

    /// Pushes to `main` and delivers the webhook by the pipeline.
    pub(crate) async fn push(&self, text: &str) {
        let files = [("Dockerfile", "FROM scratch\n"), ("text", text)];
        let delivery = self.world.forge.push(&self.world.repo, "main", &files);
        self.pipeline.push(&delivery).await.unwrap();
    }

    /// The newest revision's id.
    pub(crate) async fn newest(&self, id: &str) -> String {
        self.get(&format!("/deployments/{id}")).await.data()["latestRevisionID"].as_str().unwrap().to_owned()
    }

    /// The states of all revisions, oldest first.
    pub(crate) async fn states(&self, id: &str) -> Vec<String> {
        let list = self.get(&format!("/deployments/{id}/revisions?sort=number")).await.data();
        list.as_array().unwrap().iter().map(|r| r["state"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn routes(pipeline: &Pipeline, config: &HttpConfig) -> Router {
    let tenant = tenant_routes(pipeline.clone(), config.clone()).layer(from_fn(authenticate));
    tenant.merge(ingress_routes(pipeline.clone(), config.clone()))
}

/// Serves routes on a loopback port.
pub(crate) async fn serve(routes: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() }))
}

/// The smallest body that creates a deployment.
pub(crate) fn spec(name: &str) -> String {
    format!(
        r#"{{"name": "{name}", "source": {{"integrationID": "{INTEGRATION}", "owner": "acme", "repo": "checkout"}}, "target": {{"spaceID": "prod"}}}}"#
    )
}
