//! SQLite: WAL, one connection that writes under `BEGIN IMMEDIATE`, a pool of readers beside it.

mod catalog;
mod pool;
mod queue;
mod session;
mod session_catalog;
mod session_jobs;
mod sql_catalog;
mod sql_jobs;
mod store;

pub(crate) use pool::Pools;
pub(crate) use session::Session;
pub(crate) use session_catalog::{EventInsert, json};
pub use store::SqliteStore;
