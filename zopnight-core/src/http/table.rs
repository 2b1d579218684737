//! The one table of routes: the routers are made from it, and so is the OpenAPI document.

use axum::routing::{MethodFilter, MethodRouter, on};

use super::openapi::{Draft, document, operations as o};
use super::state::App;
use super::{analyze, callback, cluster, deployments, events, logs, repositories, revisions, webhook};

/// A row: what is answered, by whom, and what the document says of it.
pub(super) struct Route {
    pub(super) method: MethodFilter,
    pub(super) path: &'static str,
    pub(super) group: Group,
    pub(super) handler: fn(MethodFilter) -> MethodRouter<App>,
    pub(super) describe: fn() -> Draft,
}

/// Routes of one deadline and one way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Of a tenant, read live from the forge.
    Lists,
    /// Of a tenant, with an analysis.
    Analyses,
    /// Of a tenant, the others.
    Tenant,
    /// Of nobody: the document.
    Open,
    /// The webhook, where its secret is configured.
    Webhook,
    /// The build callback, where its secret is configured.
    Callback,
}

/// A row in short.
macro_rules! route {
    ($method:ident $path:literal, $group:ident, $handler:expr, $describe:expr) => {
        Route {
            method: MethodFilter::$method,
            path: $path,
            group: Group::$group,
            handler: |method| on(method, $handler),
            describe: $describe,
        }
    };
}

/// Every route.
pub(super) static ROUTES: [Route; 20] = [
    route!(GET "/repositories", Lists, repositories::repositories, o::repositories),
    route!(GET "/branches", Lists, repositories::branches, o::branches),
    route!(POST "/analyze", Analyses, analyze::analyze, o::analyze),
    route!(GET "/deployments", Tenant, deployments::deployments, o::deployments),
    route!(POST "/deployments", Tenant, deployments::create, o::create),
    route!(GET "/deployments/{id}", Tenant, deployments::deployment, o::deployment),
    route!(PATCH "/deployments/{id}/configs", Tenant, deployments::configure, o::configure),
    route!(DELETE "/deployments/{id}", Tenant, deployments::remove, o::remove),
    route!(POST "/deployments/{id}/analyze", Analyses, analyze::analyze_deployment, o::analyze_deployment),
    route!(GET "/deployments/{id}/revisions", Tenant, revisions::revisions, o::revisions),
    route!(POST "/deployments/{id}/revisions", Tenant, revisions::redeploy, o::redeploy),
    route!(GET "/deployments/{id}/revisions/{revisionID}", Tenant, revisions::revision, o::revision),
    route!(POST "/deployments/{id}/revisions/{revisionID}/cancel", Tenant, revisions::cancel, o::cancel),
    route!(GET "/deployments/{id}/revisions/{revisionID}/logs", Tenant, logs::logs, o::logs),
    route!(POST "/deployments/{id}/rollback", Tenant, deployments::rollback, o::rollback),
    route!(GET "/deployments/{id}/events", Tenant, events::events, o::events),
    route!(GET "/deployments/{id}/loadbalancer", Tenant, cluster::load_balancer, o::load_balancer),
    route!(GET "/openapi.json", Open, document, o::document),
    route!(POST "/webhooks/github", Webhook, webhook::webhook, o::webhook),
    route!(POST "/build-callbacks/{revisionID}", Callback, callback::complete, o::callback),
];
