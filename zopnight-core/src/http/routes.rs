//! The table of routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};

use super::config::HttpConfig;
use super::envelope::envelope;
use super::error::ApiError;
use super::state::App;
use super::timeouts::{bounded, deadline};
use super::{analyze, callback, cluster, deployments, events, logs, repositories, revisions, webhook};
use crate::pipeline::Pipeline;

/// Beyond the time that a live list gives itself, so that its own answer comes first.
const SLACK: Duration = Duration::from_secs(1);

/// All routes in one router. A host that authenticates with a layer takes [`tenant_routes`] and [`ingress_routes`], so that
/// the layer covers only the first.
pub fn router(pipeline: Pipeline, config: HttpConfig) -> Router {
    let app = App::new(pipeline, config);
    tenant(&app).merge(ingress(&app))
}

/// Routes that act for one tenant. Every handler needs an [`OrgId`](crate::domain::OrgId) in the request's extensions and
/// answers 401 without it; an [`Actor`](crate::domain::Actor) beside it says who acts. Unknown paths are left to
/// [`ingress_routes`] or to the host, so that the two can be merged.
pub fn tenant_routes(pipeline: Pipeline, config: HttpConfig) -> Router {
    tenant(&App::new(pipeline, config))
}

/// Routes that authenticate themselves: the webhook by its signature, the build callback by its token. A gateway leaves these
/// open. A route whose secret is not configured does not exist: it answers 404 like any unknown path.
pub fn ingress_routes(pipeline: Pipeline, config: HttpConfig) -> Router {
    ingress(&App::new(pipeline, config))
}

fn tenant(app: &App) -> Router {
    let config = &app.config;
    let within = |after: Duration| from_fn_with_state(after, deadline);
    let lists = Router::new()
        .route("/repositories", get(repositories::repositories))
        .route("/branches", get(repositories::branches))
        .route_layer(within(config.live_list_timeout.saturating_add(SLACK)));
    let analyses = Router::new()
        .route("/analyze", post(analyze::analyze))
        .route("/deployments/{id}/analyze", post(analyze::analyze_deployment))
        .route_layer(within(config.analyze_timeout));
    let rest = Router::new()
        .route("/deployments", get(deployments::deployments).post(deployments::create))
        .route("/deployments/{id}", get(deployments::deployment).delete(deployments::remove))
        .route("/deployments/{id}/configs", patch(deployments::configure))
        .route("/deployments/{id}/revisions", get(revisions::revisions).post(revisions::redeploy))
        .route("/deployments/{id}/revisions/{revisionID}", get(revisions::revision))
        .route("/deployments/{id}/revisions/{revisionID}/cancel", post(revisions::cancel))
        .route("/deployments/{id}/revisions/{revisionID}/logs", get(logs::logs))
        .route("/deployments/{id}/rollback", post(deployments::rollback))
        .route("/deployments/{id}/events", get(events::events))
        .route("/deployments/{id}/loadbalancer", get(cluster::load_balancer))
        .route_layer(within(config.request_timeout));
    lists
        .merge(analyses)
        .merge(rest)
        .route_layer(from_fn_with_state(Arc::clone(&app.requests), bounded))
        .layer(from_fn_with_state(app.clone(), envelope))
        .with_state(app.clone())
}

fn ingress(app: &App) -> Router {
    let mut routes = Router::new().fallback(unknown_path);
    if app.pipeline.has_webhooks() {
        routes = routes.route("/webhooks/github", post(webhook::webhook));
    }
    if app.pipeline.has_builds() {
        routes = routes.route("/build-callbacks/{revisionID}", post(callback::complete));
    }
    routes.layer(from_fn_with_state(app.clone(), envelope)).with_state(app.clone())
}

async fn unknown_path() -> Response {
    ApiError::unknown_path().into_response()
}
