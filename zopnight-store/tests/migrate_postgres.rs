//! Migrations of PostgreSQL: two processes at once, again and again; one killed in the middle; a newer schema, an altered
//! one, a host's own tables; and what is told of a server that cannot be used.

#[path = "support/servers.rs"]
mod servers;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{query, query_scalar};
use zopnight_core::ports::JobQueue as _;
use zopnight_core::{Error, ErrorKind};
use zopnight_store::{Migrate, PostgresStore, StoreOptions, connect};

const VERSIONS: [i64; 2] = [1, 2];

async fn raw(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(2).connect(url).await.expect("the database opens")
}

async fn open(url: &str) -> zopnight_core::Result<PostgresStore> {
    PostgresStore::connect(url, StoreOptions::default()).await
}

async fn applied(raw: &PgPool) -> Vec<i64> {
    let versions = query_scalar("SELECT version FROM zopnight_migrations ORDER BY version").fetch_all(raw).await;
    versions.expect("the table is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_connects_on_a_fresh_database_at_once() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = raw(database.url()).await;
    for _ in 0..50 {
        let open = || tokio::spawn(async_open(database.url().to_owned()));
        let (one, two) = (open(), open());
        for store in [one.await.expect("no panic").expect("the first"), two.await.expect("no panic").expect("the second")] {
            store.check().await.expect("the schema is whole");
            store.close().await;
        }
        assert_eq!(applied(&raw).await, VERSIONS);
        // As fresh as a new database, which takes much longer to make.
        for statement in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
            query(statement).execute(&raw).await.expect("the database is emptied");
        }
    }
}

async fn async_open(url: String) -> zopnight_core::Result<PostgresStore> {
    open(&url).await
}

/// Not a test of its own: what [`killed_in_the_middle_it_goes_on_where_it_was`] kills.
#[tokio::test]
async fn migrates_until_killed() {
    if let Some(url) = std::env::var_os("ZOPNIGHT_MIGRATE_URL") {
        open(&url.into_string().expect("a URL")).await.expect("it is killed before it ends");
    }
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on_where_it_was() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = raw(database.url()).await;
    let mut other = raw.begin().await.expect("a transaction");
    // The second step waits for what may become a table of that name.
    query("CREATE TABLE zopnight_events (n INT)").execute(&mut *other).await.expect("a table");
    let mut child = Command::new(std::env::current_exe().expect("the test binary"))
        .args(["--exact", "migrates_until_killed"])
        .env("ZOPNIGHT_MIGRATE_URL", database.url())
        .stdout(Stdio::null())
        .spawn()
        .expect("the test binary runs");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let begun = Instant::now();
    while query_scalar::<_, i64>(waits).fetch_one(&raw).await.expect("the sessions are counted") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it gets to the second step");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(applied(&raw).await, VERSIONS[..1]);
    other.rollback().await.expect("the transaction rolls back");
    let store = open(database.url()).await.expect("it goes on");
    assert_eq!(store.migrate().await.expect("nothing is left to do").applied, 0);
    assert_eq!(applied(&raw).await, VERSIONS);
    assert!(store.stats().await.expect("the counts are given").jobs.is_empty());
}

fn refused<T>(answer: zopnight_core::Result<T>, kind: ErrorKind, told: &str) -> Error {
    let error = answer.err().expect("it is refused");
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.message().contains(told), "{error}");
    error
}

#[tokio::test]
async fn a_schema_that_is_behind_newer_or_altered_is_refused_and_an_additive_one_is_not() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let (url, raw) = (database.url(), raw(database.url()).await);
    let verify = StoreOptions::default().with_migrate(Migrate::Verify);
    refused(PostgresStore::connect(url, verify.clone()).await, ErrorKind::Unsupported, "behind");
    open(url).await.expect("it is migrated").close().await;
    PostgresStore::connect(url, verify).await.expect("nothing is missing").close().await;
    let later = "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
        VALUES (3, 'later', '00', 2, 0)";
    query(later).execute(&raw).await.expect("a row");
    open(url).await.expect("it can be read").close().await;
    let newer = "UPDATE zopnight_migrations SET min_reader = 3 WHERE version = 3";
    query(newer).execute(&raw).await.expect("a row");
    let tables =
        "SELECT string_agg(relname || relfilenode, ' ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'zopnight%'";
    let before: String = query_scalar(tables).fetch_one(&raw).await.expect("the tables");
    refused(connect(url, StoreOptions::default()).await, ErrorKind::Unsupported, "newer release");
    query("DELETE FROM zopnight_migrations WHERE version = 3").execute(&raw).await.expect("no row");
    query("UPDATE zopnight_migrations SET checksum = '00' WHERE version = 1").execute(&raw).await.expect("a row");
    refused(connect(url, StoreOptions::default()).await, ErrorKind::Unsupported, "altered");
    assert_eq!(query_scalar::<_, String>(tables).fetch_one(&raw).await.expect("the tables"), before);
}

#[tokio::test]
async fn a_hosts_own_pool_and_tables_are_left_alone() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = raw(database.url()).await;
    for statement in [
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY)",
        "INSERT INTO _sqlx_migrations VALUES (20240101)",
        "CREATE TABLE jobs (id INT)",
        "CREATE TABLE events (id INT)",
    ] {
        query(statement).execute(&raw).await.expect("the host's own");
    }
    let store = PostgresStore::from_pool(raw.clone(), StoreOptions::default()).await.expect("the database opens");
    assert!(store.stats().await.expect("the counts are given").jobs.is_empty());
    let names = "SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE n.nspname = 'public' AND relname NOT LIKE 'zopnight%' AND relkind = 'r' ORDER BY relname";
    let names: Vec<String> = query_scalar(names).fetch_all(&raw).await.expect("the tables");
    assert_eq!(names, ["_sqlx_migrations", "events", "jobs"]);
    let theirs: Vec<i64> = query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(&raw).await.expect("its rows");
    assert_eq!(theirs, [20_240_101]);
    let setting: String = query_scalar("SHOW statement_timeout").fetch_one(&raw).await.expect("a setting");
    assert_eq!(setting, "0", "nothing is set on a host's connections");
}

#[tokio::test]
async fn a_statement_takes_no_longer_than_it_may() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = raw(database.url()).await;
    let soon = StoreOptions::default().with_statement_timeout(Duration::from_secs(1));
    let store = PostgresStore::connect(database.url(), soon).await.expect("the database opens");
    let mut other = raw.begin().await.expect("a transaction");
    query("LOCK TABLE zopnight_jobs").execute(&mut *other).await.expect("the whole table");
    let begun = Instant::now();
    refused(store.stats().await, ErrorKind::Timeout, "too long");
    assert!((1..4).contains(&begun.elapsed().as_secs()), "after {:?}", begun.elapsed());
    other.rollback().await.expect("the transaction rolls back");
    store.stats().await.expect("the counts are given");
}

#[tokio::test]
async fn a_url_that_leads_nowhere_is_told_without_its_password() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let absent = database.url().replacen("zn_", "zn_absent_", 1);
    let error = refused(connect(&absent, StoreOptions::default()).await, ErrorKind::Invalid, "create it");
    assert!(!format!("{error:?}").contains("hunter2"));
    let stranger = database.url().replacen("postgres@", "stranger:hunter2@", 1);
    if stranger != database.url() {
        let error = refused(connect(&stranger, StoreOptions::default()).await, ErrorKind::Invalid, "user");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    refused(connect("postgres://u:hunter2@[/db", StoreOptions::default()).await, ErrorKind::Invalid, "cannot be read");
}
