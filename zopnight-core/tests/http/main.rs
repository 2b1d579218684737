//! The routes over real HTTP: a server on a loopback port, a client that writes requests byte by byte.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod client;
mod contract;
mod deployments;
mod errors;
mod host;
mod idempotency;
mod ingress;
mod openapi;
mod schema;
mod tenancy;
