//! Everything put together: store, pipeline, worker and the real routes on a loopback port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zopnight_core::StaticTenants;
use zopnight_core::callback::{CallbackKey, CallbackKeys};
use zopnight_core::clock::SystemRandom;
use zopnight_core::domain::{Actor, ActorKind, ForgeId, HttpsUrl, IntegrationId, OrgId, Secret, SpaceId, hex};
use zopnight_core::http::{HttpConfig, ingress_routes, tenant_routes};
use zopnight_core::pipeline::Pipeline;
use zopnight_core::ports::Random as _;
use zopnight_core::tenants::SpaceGrant;
use zopnight_core::worker::{Worker, WorkerConfig};
use zopnight_github::{GithubWebhookDecoder, WebhookSecrets};
use zopnight_k8s::OciLayoutResolver;
use zopnight_store::StoreOptions;

use crate::args::{Args, Database};
use crate::builder::{LocalBuilder, Parts};
use crate::client::{self, Answer, Broken};
use crate::cluster;
use crate::image_layout::ImageLayout;
use crate::report::Report;
use crate::source::LocalForge;
use crate::stop::Stop;
use crate::tool::Tool;
use crate::webhook::{Push, signature};

pub(crate) const ORG: &str = "demo";
pub(crate) const SPACE: &str = "local";
const INTEGRATION: &str = "local";
const FORGE: &str = "git.localhost";
const IMAGES: &str = "registry.local/{org}/{name}";
/// How long running jobs and open connections may go on after a stop.
const GRACE: Duration = Duration::from_secs(3);
/// No other process has these files: what a killed run held is free again as soon as a lease can be.
const LEASE: Duration = Duration::from_secs(5);

/// Where things lie on disk.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) work: PathBuf,
    pub(crate) repositories: PathBuf,
    pub(crate) images: PathBuf,
    pub(crate) manifests: PathBuf,
    pub(crate) database: Option<PathBuf>,
}

impl Paths {
    fn below(work: &Path, db: &Database) -> Self {
        let database = match db {
            Database::Memory => None,
            Database::File(file) => Some(std::path::absolute(file).unwrap_or_else(|_| file.clone())),
        };
        let at = |name: &str| work.join(name);
        Self {
            work: work.to_owned(),
            repositories: at("repositories"),
            images: at("images"),
            manifests: at("manifests"),
            database,
        }
    }
}

/// A running product.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) base: HttpsUrl,
    pub(crate) paths: Paths,
    pub(crate) forge: LocalForge,
    pub(crate) builder: LocalBuilder,
    pub(crate) api_token: Secret<String>,
    webhook_secret: Secret<String>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    worker: JoinHandle<()>,
}

impl World {
    /// Starts everything. Secrets are random for each run.
    pub(crate) async fn start(args: &Args, work: &Path, tool: Tool, report: &Report) -> Result<Self, Stop> {
        let paths = Paths::below(work, &args.db);
        let listener = listen(args.listen).await?;
        let address = listener.local_addr().map_err(|e| Stop::Failed(format!("the port is lost: {e}")))?;
        let base = HttpsUrl::parse(&format!("http://{address}"))?;
        let forge = LocalForge::new(paths.repositories.clone(), ForgeId::parse(FORGE)?, IntegrationId::parse(INTEGRATION)?);
        let parts = Parts {
            tool,
            forge: forge.clone(),
            layout: Arc::new(ImageLayout::new(paths.images.clone())),
            scratch: paths.work.join("builds"),
            base: base.clone(),
            report: report.clone(),
        };
        let builder = LocalBuilder::new(parts);
        let (webhook_secret, api_token) = (random_secret(), random_secret());

        let store = zopnight_store::connect(&database_url(&paths)?, StoreOptions::default()).await?;
        let tenants = StaticTenants::new(IMAGES)?;
        let org = OrgId::parse(ORG)?;
        tenants.grant_integration(&org, forge.integration().clone());
        tenants.grant_space(&org, SpaceId::parse(SPACE)?, SpaceGrant::template("zn-{org}")?);
        let decoder = GithubWebhookDecoder::new(ForgeId::parse(FORGE)?, WebhookSecrets::new(webhook_secret.clone())?);
        let pipeline = Pipeline::builder(Arc::clone(&store), Arc::new(tenants), Arc::new(forge.clone()))
            .builds(callback_keys(&base)?, Arc::new(builder.clone()), Arc::new(OciLayoutResolver::new(&paths.images)))
            .cluster(cluster::applier(&paths.manifests)?)
            .webhooks(Arc::new(decoder))
            .build()?;

        let auth = Auth { token: api_token.clone(), org, actor: Actor::new(ActorKind::User, "quickstart")? };
        let config = HttpConfig::default();
        let tenant = tenant_routes(pipeline.clone(), config.clone()).layer(from_fn_with_state(Arc::new(auth), authenticate));
        let routes = tenant.merge(ingress_routes(pipeline.clone(), config));
        let settings = WorkerConfig::default()
            .with_drain(GRACE)
            .with_lease(LEASE)
            .with_heartbeat(Duration::from_millis(1_500))
            .with_abandon_before(Duration::from_secs(1));
        let worker = Worker::builder(store, pipeline).config(settings).build()?;

        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn({
            let stopped = stopped.clone();
            async move {
                // It ends by the signal only; what goes wrong with one connection concerns that one.
                let _ = axum::serve(listener, routes).with_graceful_shutdown(signalled(stopped)).await;
            }
        });
        let worker = tokio::spawn(async move {
            worker.run_until(signalled(stopped)).await;
        });
        Ok(Self { base, paths, forge, builder, api_token, webhook_secret, stop, server, worker })
    }

    /// Stops claiming and accepting, lets what runs go on for a moment, gives the rest back.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let limit = GRACE.saturating_mul(2);
        // Whoever does not end in time ends with the process.
        let _ = tokio::time::timeout(limit, self.worker).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), self.server).await;
        self.builder.stop().await;
    }

    /// A request with the API token.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Broken> {
        let bearer = format!("Bearer {}", self.api_token.expose());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let text = body.map(ToString::to_string).unwrap_or_default();
        let headers = if body.is_some() { headers.as_slice() } else { headers.get(..1).unwrap_or_default() };
        client::send(method, &self.url(path), headers, text.as_bytes()).await
    }

    /// A webhook as the forge would send it.
    pub(crate) async fn deliver(&self, delivery: &str, push: &Push) -> Result<Answer, Broken> {
        let body = push.payload();
        let signed = signature(self.webhook_secret.expose().as_bytes(), &body).unwrap_or_default();
        let headers = [
            ("content-type", "application/json"),
            ("x-github-event", "push"),
            ("x-github-delivery", delivery),
            ("x-hub-signature-256", signed.as_str()),
        ];
        client::send("POST", &self.url("/webhooks/github"), &headers, &body).await
    }

    /// A build callback.
    pub(crate) async fn call_back(&self, path: &str, body: &Value) -> Result<Answer, Broken> {
        let headers = [("content-type", "application/json")];
        client::send("POST", &self.url(path), &headers, body.to_string().as_bytes()).await
    }

    fn url(&self, path: &str) -> String {
        [self.base.as_str(), path].concat()
    }
}

/// The host's own authentication: one bearer token, one tenant. Without it the routes answer 401 themselves.
#[derive(Debug)]
struct Auth {
    token: Secret<String>,
    org: OrgId,
    actor: Actor,
}

async fn authenticate(State(auth): State<Arc<Auth>>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| auth.token.ct_eq(given)) {
        request.extensions_mut().insert(auth.org.clone());
        request.extensions_mut().insert(auth.actor.clone());
    }
    next.run(request).await
}

async fn signalled(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Stop> {
    TcpListener::bind(address).await.map_err(|e| Stop::Usage(format!("--listen {address}: {e}")))
}

/// 32 random bytes as text.
pub(crate) fn random_secret() -> Secret<String> {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    Secret::new(hex::encode(&bytes))
}

fn callback_keys(base: &HttpsUrl) -> Result<CallbackKeys, Stop> {
    let key = CallbackKey::from_secret(Secret::new(random_secret().expose().clone().into_bytes()))?;
    Ok(CallbackKeys::builder(key).public_url(base.clone()).build()?)
}

fn database_url(paths: &Paths) -> Result<String, Stop> {
    let Some(file) = &paths.database else { return Ok("sqlite::memory:".to_owned()) };
    let path = file.to_str().ok_or_else(|| Stop::Usage("--db must be a UTF-8 path".to_owned()))?;
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).map_err(|e| Stop::Usage(format!("--db {path}: {e}")))?;
    }
    let escaped = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    Ok(format!("sqlite://{escaped}"))
}
