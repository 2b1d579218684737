//! The conformance suites of a store, run for PostgreSQL.

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/servers.rs"]
mod servers;

use zopnight_core::store_suite;

store_suite!(on_postgres, postgres::fresh);
