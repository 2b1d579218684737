//! PostgreSQL: READ COMMITTED, rows locked before they are judged, `SKIP LOCKED` in the claim.

mod database;
mod errors;
mod listen;
mod migrations;
mod pool;
mod sql_catalog;
mod sql_jobs;
mod store;

pub(crate) use errors::class;
pub use store::PostgresStore;

/// Every statement with its name.
#[cfg(feature = "testing")]
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [sql_jobs::JOBS.named(), sql_jobs::OWN.named(), sql_catalog::CATALOG.named()].concat()
}
