//! What a store tells the `metrics` facade. Labels are backends, classes, states and tables, never an id.

const RETRIES: &str = "zopnight_store_retries_total";
const POOL: &str = "zopnight_store_pool";
const PURGED: &str = "zopnight_store_purged_total";

/// Connections of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connected {
    pub(crate) open: u32,
    pub(crate) idle: u32,
}

/// A transaction is run again.
pub(crate) fn retried(backend: &'static str, class: &'static str) {
    metrics::counter!(RETRIES, "backend" => backend, "class" => class).increment(1);
}

pub(crate) fn purged(table: &'static str, rows: u64) {
    metrics::counter!(PURGED, "table" => table).increment(rows);
}

pub(crate) fn connected(backend: &'static str, pool: Connected) {
    metrics::gauge!(POOL, "backend" => backend, "state" => "idle").set(f64::from(pool.idle));
    metrics::gauge!(POOL, "backend" => backend, "state" => "used").set(f64::from(pool.open.saturating_sub(pool.idle)));
}
