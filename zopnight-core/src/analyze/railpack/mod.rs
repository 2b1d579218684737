//! What Railpack 0.37.0 would make of the app root. Detection order, start commands and metadata are its own, exactly.

mod config;
mod go;
mod java;
mod metadata;
pub(crate) mod node;
mod node_spa;
mod node_start;
mod order;
pub(crate) mod python;
mod ruby;
mod rust;
mod simple;
mod start;
mod workspace;

pub(crate) use go::target as go_target;
pub(crate) use order::Provider;
pub(crate) use start::{Plan, plan};
