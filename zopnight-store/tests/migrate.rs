//! Migrations: two processes at once, again and again, a newer schema, an altered one, a host's own tables.

use sqlx::{Row as _, SqlitePool};
use tempfile::TempDir;
use zopnight_core::ErrorKind;
use zopnight_core::ports::JobQueue as _;
use zopnight_store::{Migrate, SqliteStore, StoreOptions, connect};

fn fresh() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    (directory, url)
}

async fn applied(url: &str) -> Vec<i64> {
    let pool = SqlitePool::connect(url).await.expect("the file opens");
    let rows = sqlx::query("SELECT version FROM zopnight_migrations ORDER BY version").fetch_all(&pool).await;
    rows.expect("the table is there").iter().map(|r| r.get("version")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_connects_on_a_fresh_file_at_once() {
    for _ in 0..50 {
        let (_directory, url) = fresh();
        let open = || {
            let url = url.clone();
            tokio::spawn(async move { SqliteStore::connect(&url, StoreOptions::default()).await })
        };
        let (one, two) = (open(), open());
        let (one, two) = (one.await.unwrap().unwrap(), two.await.unwrap().unwrap());
        one.check().await.unwrap();
        two.check().await.unwrap();
        assert_eq!(applied(&url).await, [1, 2]);
    }
}

#[tokio::test]
async fn reopening_changes_nothing() {
    let (_directory, url) = fresh();
    let store = SqliteStore::connect(&url, StoreOptions::default()).await.unwrap();
    store.close().await;
    let store = SqliteStore::connect(&url, StoreOptions::default().with_migrate(Migrate::Verify)).await.unwrap();
    let migrated = store.migrate().await.unwrap();
    assert_eq!((migrated.applied, migrated.version), (0, 2));
}

#[tokio::test]
async fn verify_refuses_a_schema_that_is_behind() {
    let (_directory, url) = fresh();
    let error = SqliteStore::connect(&url, StoreOptions::default().with_migrate(Migrate::Verify)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("behind"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_additive_one_is_not() {
    let (_directory, url) = fresh();
    SqliteStore::connect(&url, StoreOptions::default()).await.unwrap().close().await;
    let pool = SqlitePool::connect(&url).await.unwrap();
    let later = "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
        VALUES (3, 'later', '00', 2, 0)";
    sqlx::query(later).execute(&pool).await.unwrap();
    SqliteStore::connect(&url, StoreOptions::default()).await.unwrap().close().await;
    sqlx::query("UPDATE zopnight_migrations SET min_reader = 3 WHERE version = 3").execute(&pool).await.unwrap();
    let error = connect(&url, StoreOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("newer release"), "{error}");
}

#[tokio::test]
async fn an_altered_step_is_refused() {
    let (_directory, url) = fresh();
    SqliteStore::connect(&url, StoreOptions::default()).await.unwrap().close().await;
    let pool = SqlitePool::connect(&url).await.unwrap();
    sqlx::query("UPDATE zopnight_migrations SET checksum = '00' WHERE version = 1").execute(&pool).await.unwrap();
    let error = connect(&url, StoreOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_hosts_own_pool_and_tables_are_left_alone() {
    let (_directory, url) = fresh();
    let pool = SqlitePool::connect(&format!("{url}?mode=rwc")).await.unwrap();
    sqlx::query("CREATE TABLE _sqlx_migrations (version INTEGER)").execute(&pool).await.unwrap();
    let store = SqliteStore::from_pool(pool.clone(), StoreOptions::default()).await.unwrap();
    assert!(store.stats().await.unwrap().jobs.is_empty());
    let tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'zopnight%' AND name NOT LIKE 'sqlite%'";
    let rows = sqlx::query(tables).fetch_all(&pool).await.unwrap();
    let names: Vec<String> = rows.iter().map(|r| r.get("name")).collect();
    assert_eq!(names, ["_sqlx_migrations"]);
}

#[tokio::test]
async fn a_read_only_database_is_unavailable() {
    let (_directory, url) = fresh();
    SqliteStore::connect(&url, StoreOptions::default()).await.unwrap().close().await;
    let store = SqliteStore::connect(&format!("{url}?mode=ro"), StoreOptions::default()).await.unwrap();
    assert!(store.stats().await.is_ok());
    let job = zopnight_core::testing::suites::fixtures::sweep_job();
    let error = store.enqueue(vec![job]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}
