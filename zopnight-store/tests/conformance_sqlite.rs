//! The conformance suites of a store, run for SQLite: a database file, and `sqlite::memory:`.

#[path = "support/sqlite.rs"]
mod sqlite;

use sqlite::{file, memory};
use zopnight_core::store_suite;

store_suite!(on_file, file);
store_suite!(in_memory, memory);
