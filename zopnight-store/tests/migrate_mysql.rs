//! Migrations of MariaDB and MySQL: two processes at once, a lock that is really held, a crash between a step and its record,
//! a newer schema, an altered one, a host's own tables.

#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use servers::Database;
use sqlx::{Connection as _, Executor as _, MySqlConnection, MySqlPool, Row as _};
use zopnight_core::ErrorKind;
use zopnight_core::ports::JobQueue as _;
use zopnight_store::{Migrate, MySqlStore, StoreOptions, connect};

const STEPS: [i64; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

async fn fresh() -> Option<Database> {
    Some(servers::mysql().await?.fresh_database().await)
}

async fn alone(database: &Database) -> MySqlConnection {
    MySqlConnection::connect(database.url()).await.expect("the database opens")
}

async fn open(database: &Database) -> zopnight_core::Result<MySqlStore> {
    MySqlStore::connect(database.url(), StoreOptions::default()).await
}

async fn applied(database: &Database) -> Vec<i64> {
    let versions = sqlx::query_scalar("SELECT version FROM zopnight_migrations ORDER BY version");
    versions.fetch_all(&mut alone(database).await).await.expect("the table is there")
}

/// Asks for the lock of a database as another process would; 1 = it is ours, 0 = it did not come in time.
async fn lock(connection: &mut MySqlConnection, database: &Database, seconds: u32) -> Option<i64> {
    let name = format!("zopnight_migrate:{}", database.name());
    let got = sqlx::query_scalar("SELECT CAST(GET_LOCK(?, ?) AS SIGNED)").bind(name).bind(seconds);
    got.fetch_one(connection).await.expect("a lock is answered")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_connects_on_a_fresh_mysql_database_at_once() {
    for _ in 0..50 {
        let Some(database) = fresh().await else { return };
        let open = || {
            let url = database.url().to_owned();
            let two = StoreOptions::default().with_max_connections(Some(2));
            tokio::spawn(async move { MySqlStore::connect(&url, two).await })
        };
        let (one, two) = (open(), open());
        let (one, two) = (one.await.expect("it ends").expect("it opens"), two.await.expect("it ends").expect("it opens"));
        one.check().await.expect("the schema is there");
        two.check().await.expect("the schema is there");
        assert_eq!(applied(&database).await, STEPS);
        one.close().await;
        two.close().await;
    }
}

#[tokio::test]
async fn the_lock_is_held_while_a_step_is_carried_out() {
    let Some(database) = fresh().await else { return };
    open(&database).await.expect("the database opens").close().await;
    let mut host = alone(&database).await;
    host.execute("DROP TABLE zopnight_idempotency").await.expect("the table goes");
    host.execute("DELETE FROM zopnight_migrations WHERE version = 9").await.expect("the record goes");
    // The step can be carried out, its record waits.
    host.execute("LOCK TABLES zopnight_migrations READ").await.expect("the table is locked");
    let url = database.url().to_owned();
    let migrating = tokio::spawn(async move { MySqlStore::connect(&url, StoreOptions::default()).await });
    let there = "SELECT COUNT(*) FROM information_schema.tables
        WHERE table_schema = ? AND table_name = 'zopnight_idempotency'";
    let mut other = alone(&database).await;
    while sqlx::query_scalar::<_, i64>(there).bind(database.name()).fetch_one(&mut other).await.expect("a count") == 0 {
        assert!(!migrating.is_finished(), "it waits for its record");
    }
    assert_eq!(lock(&mut other, &database, 1).await, Some(0), "another session does not get the lock");
    host.execute("UNLOCK TABLES").await.expect("the table is unlocked");
    let store = migrating.await.expect("it ends").expect("the database opens");
    assert_eq!(applied(&database).await, STEPS);
    assert_eq!(lock(&mut other, &database, 5).await, Some(1), "the lock is given back");
    store.close().await;
}

#[tokio::test]
async fn another_process_is_waited_for_longer_than_a_statement_may_take() {
    let Some(database) = fresh().await else { return };
    let mut other = alone(&database).await;
    assert_eq!(lock(&mut other, &database, 0).await, Some(1));
    let url = database.url().to_owned();
    let short = StoreOptions::default().with_statement_timeout(Duration::from_secs(1));
    let waiting = tokio::spawn(async move { MySqlStore::connect(&url, short).await });
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!waiting.is_finished(), "it waits");
    other.close().await.expect("the lock goes with its connection");
    waiting.await.expect("it ends").expect("the database opens").close().await;
    assert_eq!(applied(&database).await, STEPS);
}

#[tokio::test]
async fn a_statement_of_our_own_connections_is_limited_after_a_migration_too() {
    let Some(database) = fresh().await else { return };
    let options = StoreOptions::default().with_statement_timeout(Duration::from_secs(1)).with_retries(0);
    let store = MySqlStore::connect(database.url(), options).await.expect("the database opens");
    let mut host = alone(&database).await;
    host.execute("LOCK TABLES zopnight_jobs WRITE, zopnight_turns WRITE").await.expect("the tables are locked");
    let job = zopnight_core::testing::suites::fixtures::sweep_job();
    let error = store.enqueue(vec![job]).await.expect_err("the tables are locked");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, Some("store_timeout")), "{error:?}");
}

#[tokio::test]
async fn a_crash_between_any_step_and_its_record_is_made_good() {
    let Some(database) = fresh().await else { return };
    open(&database).await.expect("the database opens").close().await;
    for step in STEPS {
        let forget = "DELETE FROM zopnight_migrations WHERE version >= ?";
        sqlx::query(forget).bind(step).execute(&mut alone(&database).await).await.expect("the records go");
        let store = open(&database).await.expect("the steps are repeated");
        store.check().await.expect("the schema is there");
        store.close().await;
        assert_eq!(applied(&database).await, STEPS);
    }
}

#[tokio::test]
async fn a_killed_migration_is_finished_by_the_next() {
    let Some(database) = fresh().await else { return };
    open(&database).await.expect("the database opens").close().await;
    let mut host = alone(&database).await;
    host.execute("DROP TABLE zopnight_events, zopnight_idempotency").await.expect("the tables go");
    host.execute("DELETE FROM zopnight_migrations WHERE version >= 8").await.expect("the records go");
    host.execute("LOCK TABLES zopnight_migrations READ").await.expect("the table is locked");
    let url = database.url().to_owned();
    let migrating = tokio::spawn(async move { MySqlStore::connect(&url, StoreOptions::default()).await });
    let waits = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist
        WHERE db = ? AND info LIKE 'INSERT INTO zopnight_migrations%'";
    let mut other = alone(&database).await;
    let id = loop {
        let id = sqlx::query_scalar::<_, i64>(waits).bind(database.name()).fetch_optional(&mut other).await;
        if let Some(id) = id.expect("the sessions are listed") {
            break id;
        }
    };
    other.execute(sqlx::AssertSqlSafe(format!("KILL CONNECTION {id}"))).await.expect("the session ends");
    let error = migrating.await.expect("it ends").expect_err("its connection is gone");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    host.execute("UNLOCK TABLES").await.expect("the table is unlocked");
    assert_eq!(applied(&database).await, STEPS[..7]);
    open(&database).await.expect("the database opens").close().await;
    assert_eq!(applied(&database).await, STEPS);
}

#[tokio::test]
async fn verify_refuses_a_mysql_schema_that_is_behind() {
    let Some(database) = fresh().await else { return };
    let verify = StoreOptions::default().with_migrate(Migrate::Verify);
    let error = MySqlStore::connect(database.url(), verify.clone()).await.expect_err("there is no schema");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("behind"), "{error}");
    open(&database).await.expect("the database opens").close().await;
    let store = MySqlStore::connect(database.url(), verify).await.expect("the schema is there");
    let migrated = store.migrate().await.expect("nothing is missing");
    assert_eq!((migrated.applied, migrated.version), (0, 9));
}

#[tokio::test]
async fn a_newer_mysql_schema_is_refused_and_an_additive_one_is_not() {
    let Some(database) = fresh().await else { return };
    open(&database).await.expect("the database opens").close().await;
    let mut host = alone(&database).await;
    let later = "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
        VALUES (10, 'later', '00', 9, 0)";
    host.execute(later).await.expect("a record");
    open(&database).await.expect("an additive step is no matter").close().await;
    host.execute("UPDATE zopnight_migrations SET min_reader = 10 WHERE version = 10").await.expect("a record");
    let error = connect(database.url(), StoreOptions::default()).await.expect_err("it is too new");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("newer release"), "{error}");
}

#[tokio::test]
async fn an_altered_mysql_step_is_refused() {
    let Some(database) = fresh().await else { return };
    open(&database).await.expect("the database opens").close().await;
    let alter = "UPDATE zopnight_migrations SET checksum = '00' WHERE version = 1";
    alone(&database).await.execute(alter).await.expect("a record");
    let error = connect(database.url(), StoreOptions::default()).await.expect_err("it is another's");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("altered"), "{error}");
}

#[tokio::test]
async fn a_mysql_hosts_own_tables_are_left_alone() {
    let Some(database) = fresh().await else { return };
    let pool = MySqlPool::connect(database.url()).await.expect("the database opens");
    pool.execute("CREATE TABLE _sqlx_migrations (version BIGINT)").await.expect("a table");
    pool.execute("INSERT INTO _sqlx_migrations VALUES (7)").await.expect("a row");
    pool.execute("CREATE TABLE jobs (seq BIGINT)").await.expect("a table");
    let store = MySqlStore::from_pool(pool.clone(), StoreOptions::default()).await.expect("the database opens");
    assert!(store.stats().await.expect("the counts are given").jobs.is_empty());
    let rows = sqlx::query("SHOW TABLES").fetch_all(&pool).await.expect("the tables are listed");
    let names = rows.iter().map(|row| row.get::<String, _>(0)).filter(|name| !name.starts_with("zopnight_"));
    assert_eq!(names.collect::<Vec<_>>(), ["_sqlx_migrations", "jobs"]);
    let kept: i64 = sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_one(&pool).await.expect("one row");
    assert_eq!(kept, 7);
}
