//! SQLite under the conformance suites: a database file, and `sqlite::memory:`.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _, Sqlite, Transaction, TypeInfo as _, ValueRef as _, query};
use tempfile::TempDir;
use zopnight_core::domain::{JobId, Timestamp, hex};
use zopnight_core::ports::{Clock as _, Store};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::hook;
use zopnight_core::testing::peek::Peek;
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::harness::{Cell, Foreign, Lock, Metered, Server, StoreHarness};
use zopnight_store::testing::{Act, Hook, Point, peek, with_clock};
use zopnight_store::{SqliteStore, StoreOptions};

/// A store with the clock of its case, and a pool beside it for what no port can do.
pub(crate) struct Harness {
    clock: Arc<ManualClock>,
    store: SqliteStore,
    other: SqliteStore,
    raw: SqlitePool,
    file: Option<(String, TempDir)>,
}

/// One connection, as long as its pool.
async fn alone(url: &str) -> SqlitePool {
    let connect = SqliteConnectOptions::from_str(url).expect("a URL").busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    pool.acquire_timeout(Duration::from_secs(5)).connect_with(connect).await.expect("the database opens")
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> SqliteStore {
    let store = SqliteStore::connect(url, StoreOptions::default()).await.expect("the database opens");
    with_clock(store, Arc::<ManualClock>::clone(clock))
}

/// Two handles with connections of their own on one file.
pub(crate) async fn file() -> Harness {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    let clock = ManualClock::new(fixtures::start());
    let (store, other) = (open(&url, &clock).await, open(&url, &clock).await);
    Harness { clock, store, other, raw: alone(&url).await, file: Some((url, directory)) }
}

/// One connection: the second handle shares it.
pub(crate) async fn memory() -> Harness {
    let clock = ManualClock::new(fixtures::start());
    let raw = alone("sqlite::memory:").await;
    let store = SqliteStore::from_pool(raw.clone(), StoreOptions::default()).await.expect("the database opens");
    let store = with_clock(store, Arc::<ManualClock>::clone(&clock));
    Harness { clock, other: store.clone(), store, raw, file: None }
}

/// The suite's hook in the terms of the store.
#[derive(Debug)]
struct Bridge(Arc<dyn hook::Hook>);

impl Hook for Bridge {
    fn at(&self, point: &Point) -> Act {
        let Point { operation, step, nth } = *point;
        match self.0.at(&hook::Point { operation, step, nth }) {
            hook::Act::Go => Act::Go,
            hook::Act::DropConnection => Act::DropConnection,
            hook::Act::Fail => Act::Fail,
            hook::Act::LoseAnswer => Act::LoseAnswer,
            hook::Act::Hang => Act::Stall,
        }
    }
}

#[async_trait]
impl StoreHarness for Harness {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn other(&self) -> Arc<dyn Store> {
        Arc::new(self.other.clone())
    }

    fn hooked(&self, hook: Arc<dyn hook::Hook>) -> Arc<dyn Store> {
        Arc::new(self.store.clone().with_hook(Arc::new(Bridge(hook))))
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

    async fn raw(&self) -> String {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'zopnight%'";
        let mut text = String::new();
        for table in query(tables).fetch_all(&self.raw).await.expect("the schema is read") {
            let select = format!("SELECT * FROM {}", table.get::<String, _>("name"));
            for row in query(AssertSqlSafe(select)).fetch_all(&self.raw).await.expect("the table is read") {
                text.extend(shown(&row));
                text.push('\n');
            }
        }
        text
    }

    async fn set(&self, jobs: &[JobId], cell: Cell) {
        let mut tx = self.raw.begin().await.expect("a transaction");
        for id in jobs.iter().map(JobId::as_uuid) {
            let statement = match &cell {
                Cell::Kind(kind) => query("UPDATE zopnight_jobs SET kind = ?2 WHERE id = ?1").bind(id).bind(*kind),
                Cell::Payload(json) => query("UPDATE zopnight_jobs SET payload = ?2 WHERE id = ?1").bind(id).bind(json),
                Cell::Serial(key) => query("UPDATE zopnight_jobs SET serial_key = ?2 WHERE id = ?1").bind(id).bind(*key),
                Cell::Losses(n) => query("UPDATE zopnight_jobs SET losses = ?2 WHERE id = ?1").bind(id).bind(*n),
                Cell::BlockedOnSerial => {
                    query("UPDATE zopnight_jobs SET state = 'blocked', place = 0, blocked_on = 'serial' WHERE id = ?1")
                        .bind(id)
                }
            };
            assert_eq!(statement.execute(&mut *tx).await.expect("the cell is written").rows_affected(), 1);
        }
        tx.commit().await.expect("the cells are kept");
    }

    /// A writer of a file keeps every other from writing; a database in memory has no second connection.
    async fn lock(&self, _job: JobId) -> Lock {
        if self.file.is_none() {
            return Lock::None;
        }
        let tx = self.raw.begin_with("BEGIN IMMEDIATE").await.expect("the right to write");
        Lock::Whole(Box::new(Held(tx)))
    }

    fn connections(&self) -> Option<usize> {
        Some(1)
    }

    async fn read_only(&self) -> Option<Arc<dyn Store>> {
        if let Some((url, _)) = &self.file {
            return Some(Arc::new(open(&format!("{url}?mode=ro"), &self.clock).await));
        }
        query("PRAGMA query_only = 1").execute(&self.raw).await.expect("the pragma is set");
        Some(self.store())
    }

    async fn metered(&self) -> Option<Box<dyn Metered>> {
        let pool = match &self.file {
            Some((url, _)) => alone(url).await,
            None => self.raw.clone(),
        };
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let mut connection = pool.acquire().await.expect("the one connection");
        connection.lock_handle().await.expect("the handle").set_progress_handler(1, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
        drop(connection);
        let store = SqliteStore::from_pool(pool, StoreOptions::default()).await.expect("the database opens");
        Some(Box::new(Steps { store: with_clock(store, Arc::<ManualClock>::clone(&self.clock)), steps }))
    }

    async fn cut(&self) -> bool {
        false
    }

    async fn server(&self) -> Option<Box<dyn Server>> {
        None
    }

    fn rings_across(&self) -> bool {
        self.file.is_none()
    }
}

fn shown(row: &SqliteRow) -> impl Iterator<Item = String> {
    row.columns().iter().map(|column| {
        let value = row.try_get_raw(column.ordinal()).expect("a column");
        match value.type_info().name() {
            "INTEGER" => row.get::<Option<i64>, _>(column.ordinal()).map_or_else(String::new, |n| format!("{n} ")),
            "BLOB" => row.get::<Option<Vec<u8>>, _>(column.ordinal()).map_or_else(String::new, |b| hex::encode(&b) + " "),
            _ => row.get::<Option<String>, _>(column.ordinal()).map_or_else(String::new, |t| t + " "),
        }
    })
}

#[derive(Debug)]
struct Held(Transaction<'static, Sqlite>);

#[async_trait]
impl Foreign for Held {
    async fn end(self: Box<Self>) {
        self.0.rollback().await.expect("the transaction rolls back");
    }
}

/// Counts the steps of SQLite's virtual machine: a row that is read is some of them.
struct Steps {
    store: SqliteStore,
    steps: Arc<AtomicU64>,
}

#[async_trait]
impl Metered for Steps {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn reads(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}
