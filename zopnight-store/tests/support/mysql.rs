//! MariaDB and MySQL under the conformance suites: a database a case on one server of the test binary.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Executor as _, MySql, Row as _, Transaction, TypeInfo as _, ValueRef as _, query};
use zopnight_core::domain::{JobId, Timestamp, hex};
use zopnight_core::ports::{Clock as _, Store};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::hook;
use zopnight_core::testing::peek::Peek;
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::harness::{Cell, Foreign, Lock, Metered, Server, StoreHarness};
use zopnight_store::testing::{Act, Hook, Point, peek, with_clock};
use zopnight_store::{MySqlStore, StoreOptions};

use crate::servers::{self, Database};

/// How many transactions a handle of the suite can have open at once.
const CONNECTIONS: u32 = 16;

/// A store with the clock of its case, and connections beside it for what no port can do.
pub(crate) struct Harness {
    clock: Arc<ManualClock>,
    store: MySqlStore,
    other: MySqlStore,
    raw: MySqlPool,
    server: &'static servers::Server,
    database: Arc<Database>,
}

/// Whose connections the handles of a case use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pools {
    /// The store's own.
    Own,
    /// A host's, with a session that is none of ours.
    Host,
}

/// Sessions of a host that has other ideas of everything.
const HOST: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET SESSION time_zone = '+05:30';
    SET SESSION sql_mode = ''";

/// A pool of a host: REPEATABLE READ, another time zone, no strictness.
pub(crate) async fn host(url: &str, connections: u32) -> MySqlPool {
    let connect = MySqlConnectOptions::from_str(url).expect("a URL");
    let connect = connect.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
    MySqlPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(HOST).await?;
                Ok(())
            })
        })
        .connect_with(connect)
        .await
        .expect("the database opens")
}

async fn alone(url: &str) -> MySqlPool {
    MySqlPoolOptions::new().max_connections(1).connect(url).await.expect("the database opens")
}

async fn open(url: &str, clock: &Arc<ManualClock>, pools: Pools) -> MySqlStore {
    let options = StoreOptions::default().with_max_connections(Some(CONNECTIONS));
    let store = match pools {
        Pools::Own => MySqlStore::connect(url, options).await,
        Pools::Host => MySqlStore::from_pool(host(url, CONNECTIONS).await, options).await,
    };
    with_clock(store.expect("the database opens"), Arc::<ManualClock>::clone(clock))
}

/// A case on MariaDB, or on MySQL where that is what the machine has.
pub(crate) async fn mariadb() -> Option<Harness> {
    Some(harness(servers::mysql().await?, Pools::Own).await)
}

/// A case on MySQL 8.
pub(crate) async fn mysql8() -> Option<Harness> {
    Some(harness(servers::mysql8().await?, Pools::Own).await)
}

/// A case on a host's connections, in a database whose text is latin1 unless said otherwise.
pub(crate) async fn hosted() -> Option<Harness> {
    Some(harness(servers::mysql().await?, Pools::Host).await)
}

async fn harness(server: &'static servers::Server, pools: Pools) -> Harness {
    let database = server.fresh_database().await;
    if pools == Pools::Host {
        let latin1 = "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci";
        servers::execute(database.url(), latin1).await.expect("a database has a default");
    }
    let clock = ManualClock::new(fixtures::start());
    let (store, other) = (open(database.url(), &clock, pools).await, open(database.url(), &clock, pools).await);
    Harness { clock, store, other, raw: alone(database.url()).await, server, database: Arc::new(database) }
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
        let tables = "SELECT table_name AS name FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name LIKE 'zopnight%'";
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
                Cell::Kind(kind) => query("UPDATE zopnight_jobs SET kind = ? WHERE id = ?").bind(*kind),
                Cell::Payload(json) => query("UPDATE zopnight_jobs SET payload = ? WHERE id = ?").bind(json),
                Cell::Serial(key) => query("UPDATE zopnight_jobs SET serial_key = ? WHERE id = ?").bind(*key),
                Cell::Losses(n) => query("UPDATE zopnight_jobs SET losses = ? WHERE id = ?").bind(*n),
                Cell::BlockedOnSerial => query(
                    "UPDATE zopnight_jobs SET state = 'blocked', place = 0, blocked_on = 'serial', lease_until = NULL
                     WHERE id = ?",
                ),
            };
            assert_eq!(statement.bind(id).execute(&mut *tx).await.expect("the cell is written").rows_affected(), 1);
        }
        tx.commit().await.expect("the cells are kept");
    }

    async fn lock(&self, job: JobId) -> Lock {
        let mut tx = alone(self.database.url()).await.begin().await.expect("a transaction");
        let row = query("SELECT seq FROM zopnight_jobs WHERE id = ? FOR UPDATE").bind(job.as_uuid());
        row.fetch_one(&mut *tx).await.expect("the row is there");
        Lock::Row(Box::new(Held(tx)))
    }

    fn connections(&self) -> Option<usize> {
        usize::try_from(CONNECTIONS).ok()
    }

    async fn read_only(&self) -> Option<Arc<dyn Store>> {
        let pool = MySqlPoolOptions::new().after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET SESSION TRANSACTION READ ONLY").await?;
                Ok(())
            })
        });
        let pool = pool.connect(self.database.url()).await.expect("the database opens");
        let store = MySqlStore::from_pool(pool, StoreOptions::default()).await.expect("the database opens");
        Some(Arc::new(with_clock(store, Arc::<ManualClock>::clone(&self.clock))))
    }

    async fn metered(&self) -> Option<Box<dyn Metered>> {
        let pool = alone(self.database.url()).await;
        let store = MySqlStore::from_pool(pool.clone(), StoreOptions::default()).await.expect("the database opens");
        Some(Box::new(Rows { store: with_clock(store, Arc::<ManualClock>::clone(&self.clock)), pool }))
    }

    async fn cut(&self) -> bool {
        let admin = alone(self.server.admin_url()).await;
        let ours = "SELECT CAST(id AS SIGNED) AS id FROM information_schema.processlist WHERE db = ?";
        for row in query(ours).bind(self.database.name()).fetch_all(&admin).await.expect("the sessions are listed") {
            let kill = format!("KILL CONNECTION {}", row.get::<i64, _>("id"));
            // One that has ended by itself meanwhile is as good.
            let _ = admin.execute(AssertSqlSafe(kill)).await;
        }
        admin.close().await;
        true
    }

    async fn server(&self) -> Option<Box<dyn Server>> {
        let server = servers::private_mysql().await?;
        let database = server.fresh_database().await;
        let store = open(database.url(), &self.clock, Pools::Own).await;
        Some(Box::new(Alone { store, _database: database, server: Arc::new(server) }))
    }

    fn rings_across(&self) -> bool {
        false
    }
}

fn shown(row: &MySqlRow) -> impl Iterator<Item = String> {
    row.columns().iter().map(|column| {
        let at = column.ordinal();
        let value = row.try_get_raw(at).expect("a column");
        match value.type_info().name() {
            "BIGINT" | "INT" | "BOOLEAN" | "TINYINT" => {
                row.try_get_unchecked::<Option<i64>, _>(at).ok().flatten().map_or_else(String::new, |n| format!("{n} "))
            }
            "BINARY" => row.get::<Option<Vec<u8>>, _>(at).map_or_else(String::new, |b| hex::encode(&b) + " "),
            _ => row.get::<Option<String>, _>(at).map_or_else(String::new, |t| t + " "),
        }
    })
}

#[derive(Debug)]
struct Held(Transaction<'static, MySql>);

#[async_trait]
impl Foreign for Held {
    async fn end(self: Box<Self>) {
        self.0.rollback().await.expect("the transaction rolls back");
    }
}

/// One connection, whose session counts what its statements read.
struct Rows {
    store: MySqlStore,
    pool: MySqlPool,
}

#[async_trait]
impl Metered for Rows {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn reads(&self) -> u64 {
        let rows = self.pool.fetch_all("SHOW SESSION STATUS LIKE 'Handler_read%'").await.expect("the counters are read");
        rows.iter().map(|row| row.get::<String, _>(1).parse::<u64>().expect("a counter is a number")).sum()
    }
}

/// A store on a server of its own.
struct Alone {
    store: MySqlStore,
    _database: Database,
    server: Arc<servers::Server>,
}

#[async_trait]
impl Server for Alone {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn kill_and_start(&self) {
        self.server.kill_9();
        let server = Arc::clone(&self.server);
        tokio::spawn(async move { server.restart().await });
    }
}

// Each test binary that shares this module uses a part of it.
const _: () = {
    let _ = (mariadb, mysql8, hosted);
};
