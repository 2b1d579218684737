//! The HTTP routes, as axum routers (feature `http`).
//!
//! [`router`] has all routes. A host that authenticates with a layer takes the two halves, so that the layer covers only the
//! first: [`tenant_routes`] act for one tenant and answer 401 unless the host put an [`crate::domain::OrgId`] into the
//! request's extensions (and, if it likes, a [`crate::domain::Actor`]); [`ingress_routes`] authenticate themselves, the
//! webhook by its signature and the build callback by its token. A route whose secret is not configured does not exist.
//!
//! ```
//! use axum::extract::Request;
//! use axum::middleware::{Next, from_fn};
//! use axum::response::Response;
//! use zopnight_core::domain::OrgId;
//! use zopnight_core::http::{HttpConfig, ingress_routes, tenant_routes};
//! use zopnight_core::pipeline::Pipeline;
//!
//! /// Stands for a host's own authentication.
//! async fn authenticate(mut request: Request, next: Next) -> Response {
//!     if let Ok(org) = OrgId::parse("acme") {
//!         request.extensions_mut().insert(org);
//!     }
//!     next.run(request).await
//! }
//!
//! fn serve(pipeline: Pipeline) -> zopnight_core::Result<axum::Router> {
//!     let config = HttpConfig::builder().base_path("/api").build()?;
//!     let tenant = tenant_routes(pipeline.clone(), config.clone()).layer(from_fn(authenticate));
//!     Ok(axum::Router::new().nest("/api", tenant.merge(ingress_routes(pipeline, config))))
//! }
//! ```
//!
//! Events and logs are answered as JSON whatever `Accept` says: there is no event stream yet. [`openapi`] is the
//! OpenAPI document of all routes, also answered at `GET /openapi.json`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod analyze;
mod auth;
mod body;
mod callback;
mod cluster;
mod config;
mod deployments;
mod dto;
mod envelope;
mod error;
mod events;
mod fields;
mod idempotency;
mod json;
mod logs;
mod openapi;
mod page;
mod panics;
mod parse;
mod repositories;
mod revisions;
mod routes;
mod state;
mod table;
mod timeouts;
mod webhook;

pub use config::{HttpConfig, HttpConfigBuilder};
pub use openapi::openapi;
pub use routes::{ingress_routes, router, tenant_routes};
