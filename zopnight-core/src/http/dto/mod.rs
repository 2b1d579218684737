//! The wire forms. The order of fields is the order on the wire; every key is always there.

pub(super) mod analysis;
pub(super) mod config;
pub(super) mod deployment;
pub(super) mod event;
pub(super) mod repository;
pub(super) mod requests;
pub(super) mod revision;
