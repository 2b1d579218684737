//! PostgreSQL under the conformance suites: a database a case, on one server.

use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Postgres, Transaction, query, query_scalar};
use zopnight_core::domain::{JobId, Timestamp};
use zopnight_core::ports::{Clock as _, Store};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::hook;
use zopnight_core::testing::peek::Peek;
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::harness::{Cell, Foreign, Lock, Metered, Server, StoreHarness};
use zopnight_store::testing::{Act, Hook, Point, peek, with_clock};
use zopnight_store::{PostgresStore, StoreOptions};

use crate::servers::{self, Database};

/// Connections a handle opens at most.
const CONNECTIONS: usize = 16;

/// Databases whose cases have ended, of a private server: emptying one is much faster than making and dropping one.
static USED: Mutex<Vec<Database>> = Mutex::new(Vec::new());

/// A store with the clock of its case, and a pool beside it for what no port can do.
pub(crate) struct Harness {
    clock: Arc<ManualClock>,
    store: PostgresStore,
    other: PostgresStore,
    raw: PgPool,
    database: Option<Database>,
    again: bool,
}

/// Two handles with connections of their own on an empty database; `None` where the machine has no server, which is told.
pub(crate) async fn fresh() -> Option<Harness> {
    let server = servers::postgres().await?;
    let used = USED.lock().expect("no panic while the lock is held").pop();
    let database = match used {
        Some(database) => {
            emptied(&pool(database.url(), 1).await).await;
            database
        }
        None => server.fresh_database().await,
    };
    let clock = ManualClock::new(fixtures::start());
    let (store, other) = (open(database.url(), &clock).await, open(database.url(), &clock).await);
    let (raw, again) = (pool(database.url(), 4).await, server.is_private());
    Some(Harness { clock, store, other, raw, database: Some(database), again })
}

async fn pool(url: &str, connections: u32) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(5));
    pool.connect(url).await.expect("the database opens")
}

/// `url` with a setting of the server for its sessions.
fn with_setting(url: &str, setting: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}options{setting}")
}

/// What a power cut leaves is asked of servers that are killed: the others need not sync each of ten thousand commits.
async fn open(url: &str, clock: &Arc<ManualClock>) -> PostgresStore {
    open_durable(&with_setting(url, "[synchronous_commit]=off"), clock).await
}

async fn open_durable(url: &str, clock: &Arc<ManualClock>) -> PostgresStore {
    let store = PostgresStore::connect(url, StoreOptions::default()).await.expect("the database opens");
    with_clock(store, Arc::<ManualClock>::clone(clock))
}

/// Ends what the last case left behind and takes away its rows.
async fn emptied(raw: &PgPool) {
    const OTHERS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    const EMPTY: &str = "DO $$
        DECLARE t text; used boolean; BEGIN
          FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'zopnight%'
                   AND relname <> 'zopnight_migrations' AND relnamespace = 'public'::regnamespace ORDER BY relname LOOP
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', t) INTO used;
            IF used THEN EXECUTE format('TRUNCATE %I RESTART IDENTITY', t); END IF;
          END LOOP;
        END $$";
    while query_scalar::<_, i64>(OTHERS).fetch_one(raw).await.expect("the sessions are ended") > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    query(EMPTY).execute(raw).await.expect("the tables are emptied");
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

impl Harness {
    fn url(&self) -> &str {
        self.database.as_ref().expect("it is given up with the harness").url()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if self.again {
            USED.lock().expect("no panic while the lock is held").extend(self.database.take());
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
        const TABLES: &str = "SELECT format('SELECT concat_ws('' '', %s) FROM %I',
              string_agg(format('%I::text', column_name), ', ' ORDER BY ordinal_position), table_name)
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name LIKE 'zopnight%'
            GROUP BY table_name";
        let mut text = String::new();
        for select in query_scalar::<_, String>(TABLES).fetch_all(&self.raw).await.expect("the schema is read") {
            let rows = query_scalar::<_, String>(AssertSqlSafe(select)).fetch_all(&self.raw).await;
            for row in rows.expect("the table is read") {
                text.push_str(&row);
                text.push('\n');
            }
        }
        text
    }

    async fn set(&self, jobs: &[JobId], cell: Cell) {
        let mut tx = self.raw.begin().await.expect("a transaction");
        for id in jobs.iter().map(JobId::as_uuid) {
            let statement = match &cell {
                Cell::Kind(kind) => query("UPDATE zopnight_jobs SET kind = $2 WHERE id = $1").bind(id).bind(*kind),
                Cell::Payload(json) => query("UPDATE zopnight_jobs SET payload = $2 WHERE id = $1").bind(id).bind(json),
                Cell::Serial(key) => query("UPDATE zopnight_jobs SET serial_key = $2 WHERE id = $1").bind(id).bind(*key),
                Cell::Losses(n) => query("UPDATE zopnight_jobs SET losses = $2 WHERE id = $1").bind(id).bind(*n),
                Cell::BlockedOnSerial => {
                    query("UPDATE zopnight_jobs SET state = 'blocked', place = 0, blocked_on = 'serial' WHERE id = $1")
                        .bind(id)
                }
            };
            assert_eq!(statement.execute(&mut *tx).await.expect("the cell is written").rows_affected(), 1);
        }
        tx.commit().await.expect("the cells are kept");
    }

    async fn lock(&self, job: JobId) -> Lock {
        let mut tx = self.raw.begin().await.expect("a transaction");
        let row = query("SELECT seq FROM zopnight_jobs WHERE id = $1 FOR UPDATE").bind(job.as_uuid());
        row.fetch_one(&mut *tx).await.expect("the job is stored");
        Lock::Row(Box::new(Held(tx)))
    }

    fn connections(&self) -> Option<usize> {
        Some(CONNECTIONS)
    }

    async fn read_only(&self) -> Option<Arc<dyn Store>> {
        let url = with_setting(self.url(), "[default_transaction_read_only]=on");
        Some(Arc::new(open(&url, &self.clock).await))
    }

    /// One connection, which counts what it reads itself. The tables of a case are so small that the planner reads them whole;
    /// what is asked is whether it must.
    async fn metered(&self) -> Option<Box<dyn Metered>> {
        let pool = pool(&with_setting(self.url(), "[enable_seqscan]=off"), 1).await;
        let options = StoreOptions::default();
        let store = PostgresStore::from_pool(pool.clone(), options).await.expect("the database opens");
        Some(Box::new(Counted { store: with_clock(store, Arc::<ManualClock>::clone(&self.clock)), pool }))
    }

    async fn cut(&self) -> bool {
        let connect = PgConnectOptions::from_str(self.url()).expect("a URL");
        let alone = PgPoolOptions::new().max_connections(1).connect_with(connect).await.expect("the database opens");
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        query(others).execute(&alone).await.expect("the sessions are ended");
        alone.close().await;
        true
    }

    async fn server(&self) -> Option<Box<dyn Server>> {
        let server = servers::private_postgres().await?;
        let database = server.fresh_database().await;
        let store = open_durable(database.url(), &self.clock).await;
        Some(Box::new(Own { store, _database: database, server: Arc::new(server) }))
    }

    fn rings_across(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Held(Transaction<'static, Postgres>);

#[async_trait]
impl Foreign for Held {
    async fn end(self: Box<Self>) {
        self.0.rollback().await.expect("the transaction rolls back");
    }
}

/// Counts the rows that were read.
struct Counted {
    store: PostgresStore,
    pool: PgPool,
}

#[async_trait]
impl Metered for Counted {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn reads(&self) -> u64 {
        let told = "SELECT pg_stat_force_next_flush()";
        query(told).execute(&self.pool).await.expect("the connection reports what it has read");
        let read = "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables";
        let read: i64 = query_scalar(read).fetch_one(&self.pool).await.expect("the counts are given");
        u64::try_from(read).expect("a count")
    }
}

/// A store on a server that is killed.
struct Own {
    store: PostgresStore,
    _database: Database,
    server: Arc<servers::Server>,
}

#[async_trait]
impl Server for Own {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn kill_and_start(&self) {
        self.server.kill_9();
        let server = Arc::clone(&self.server);
        tokio::spawn(async move { server.restart().await });
    }
}
