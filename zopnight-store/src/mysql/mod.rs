//! MySQL and MariaDB: READ COMMITTED, rows locked by primary key before they are judged, `SKIP LOCKED` in the claim.

mod database;
mod errors;
mod migrations;
mod pool;
mod probe;
mod sql_catalog;
mod sql_jobs;
mod store;

pub(crate) use errors::class;
pub use store::MySqlStore;

/// Every statement with its name.
#[cfg(feature = "testing")]
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    let inserts = sql_jobs::INSERTS.iter().map(|(_, name, sql)| (*name, sql.text)).collect();
    [sql_jobs::JOBS.named(), sql_jobs::OWN.named(), inserts, sql_catalog::CATALOG.named()].concat()
}
