//! What the document says of each route.

mod deployments;
mod ingress;
mod repositories;
mod revisions;

pub(in crate::http) use deployments::{configure, create, deployment, deployments, events, load_balancer, remove, rollback};
pub(in crate::http) use ingress::{callback, document, webhook};
pub(in crate::http) use repositories::{analyze, analyze_deployment, branches, repositories};
pub(in crate::http) use revisions::{cancel, logs, redeploy, revision, revisions};
