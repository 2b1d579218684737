//! The conformance suites of a store, run for SQLite: a database file, and `sqlite::memory:`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use zopnight_core::domain::Timestamp;
use zopnight_core::ports::{Clock as _, Store};
use zopnight_core::store_suite;
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::peek::Peek;
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::store::StoreHarness;
use zopnight_store::testing::{peek, with_clock};
use zopnight_store::{SqliteStore, StoreOptions};

struct Harness {
    clock: Arc<ManualClock>,
    store: SqliteStore,
    other: SqliteStore,
    _directory: Option<TempDir>,
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> SqliteStore {
    let store = SqliteStore::connect(url, StoreOptions::default()).await.expect("the database opens");
    with_clock(store, Arc::<ManualClock>::clone(clock))
}

/// Two handles with connections of their own on one file.
async fn file() -> Harness {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    let clock = ManualClock::new(fixtures::start());
    let (store, other) = (open(&url, &clock).await, open(&url, &clock).await);
    Harness { clock, store, other, _directory: Some(directory) }
}

/// One connection: the second handle shares it.
async fn memory() -> Harness {
    let clock = ManualClock::new(fixtures::start());
    let store = open("sqlite::memory:", &clock).await;
    Harness { clock, other: store.clone(), store, _directory: None }
}

#[async_trait]
impl StoreHarness for Harness {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn other(&self) -> Arc<dyn Store> {
        Arc::new(self.other.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn peek(&self) -> Peek {
        peek(&self.store).await.expect("the rows decode")
    }
}

store_suite!(on_file, file);
store_suite!(in_memory, memory);
