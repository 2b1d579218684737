//! A disk that was full and has room again: the store goes on where it was.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::str::FromStr as _;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, query};
use zopnight_core::ErrorKind;
use zopnight_core::domain::Applied;
use zopnight_core::ports::RevisionStore as _;
use zopnight_core::testing::suites::fixtures;
use zopnight_store::{SqliteStore, StoreOptions};

/// By the limit of pages: SQLite finds the disk full within a statement.
#[tokio::test]
async fn a_store_whose_file_could_not_grow_goes_on() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    let connect = SqliteConnectOptions::from_str(&url).expect("a URL").create_if_missing(true);
    let connect = connect.journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await.expect("a pool");
    let store = SqliteStore::from_pool(pool.clone(), StoreOptions::default()).await.expect("a store");
    for full in 0..20 {
        let limit = |pages: i64| query(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")));
        // No page more than there are.
        limit(1).execute(&pool).await.expect("a limit");
        fill(&store, &format!("app-{full}")).await;
        limit(100_000).execute(&pool).await.expect("no limit");
        goes_on(&store, &format!("again-{full}")).await;
    }
}

async fn fill(store: &SqliteStore, name: &str) {
    let mut n = 0;
    let error = loop {
        n += 1;
        let change = fixtures::create(&fixtures::org("acme"), fixtures::deployment_id(), &format!("{name}-{n}"));
        match store.apply(change).await {
            Ok(Applied::Committed(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

async fn goes_on(store: &SqliteStore, name: &str) {
    let change = fixtures::create(&fixtures::org("acme"), fixtures::deployment_id(), name);
    let again = store.apply(change).await;
    assert!(matches!(again, Ok(Applied::Committed(_))), "{name}: {again:?}");
}

const DISK: &str = "ZOPNIGHT_SMALL_DISK";

/// By a file system: SQLite finds the disk full at the commit. Mounted in a name space of its own, where that is allowed.
#[test]
fn a_store_whose_file_system_was_full_goes_on() {
    const MOUNTED: &str = r#"mount -t tmpfs -o size=3m tmpfs "$0" || exit 77; exec "$@""#;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = std::env::current_exe().expect("this program");
    for name_space in [&["--mount"][..], &["--mount", "--map-root-user"]] {
        let mut child = Command::new("unshare");
        child.args(name_space).args(["sh", "-c", MOUNTED]).arg(directory.path()).arg(&program);
        let run = child.args(["--exact", "on_a_small_disk", "--nocapture"]).env(DISK, directory.path()).output();
        let Ok(run) = run else { break };
        if run.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&run.stderr);
        let refused = run.status.code() == Some(77) || said.contains("unshare");
        assert!(refused, "{}\n{}{said}", run.status, String::from_utf8_lossy(&run.stdout));
    }
    eprintln!("skipped: a small file system cannot be mounted here");
}

/// Not a test of its own: what runs with the small file system.
#[tokio::test]
async fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(DISK) else { return };
    let url = format!("sqlite:{}", Path::new(&disk).join("zopnight.db").display());
    let store = SqliteStore::connect(&url, StoreOptions::default()).await.expect("a store");
    let filler = std::fs::File::create(Path::new(&disk).join("filler")).expect("room for it");
    (&filler).write_all(&vec![0; 1_024 * 1_024]).expect("room for it");
    for left in (0..5).rev() {
        fill(&store, &format!("app-{left}")).await;
        filler.set_len(left * 200 * 1_024).expect("it shrinks");
        goes_on(&store, &format!("again-{left}")).await;
    }
}
