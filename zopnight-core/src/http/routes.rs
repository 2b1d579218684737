//! The routers, made from the table of routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};

use super::config::HttpConfig;
use super::envelope::envelope;
use super::error::ApiError;
use super::state::App;
use super::table::{Group, ROUTES};
use super::timeouts::{bounded, deadline};
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
/// answers 401 without it, but for the OpenAPI document; an [`Actor`](crate::domain::Actor) beside it says who acts. Unknown paths are left to
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
    let within = |group, after: Duration| routes_of(group).route_layer(from_fn_with_state(after, deadline));
    within(Group::Lists, config.live_list_timeout.saturating_add(SLACK))
        .merge(within(Group::Analyses, config.analyze_timeout))
        .merge(within(Group::Tenant, config.request_timeout))
        .merge(within(Group::Open, config.request_timeout))
        .route_layer(from_fn_with_state(Arc::clone(&app.requests), bounded))
        .layer(from_fn_with_state(app.clone(), envelope))
        .with_state(app.clone())
}

fn ingress(app: &App) -> Router {
    let mut routes = Router::new().fallback(unknown_path);
    if app.pipeline.has_webhooks() {
        routes = routes.merge(routes_of(Group::Webhook));
    }
    if app.pipeline.has_builds() {
        routes = routes.merge(routes_of(Group::Callback));
    }
    routes.layer(from_fn_with_state(app.clone(), envelope)).with_state(app.clone())
}

fn routes_of(group: Group) -> Router<App> {
    let rows = ROUTES.iter().filter(|route| route.group == group);
    rows.fold(Router::new(), |router, route| router.route(route.path, (route.handler)(route.method)))
}

async fn unknown_path() -> Response {
    ApiError::unknown_path().into_response()
}
