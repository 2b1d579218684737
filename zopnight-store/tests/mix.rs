//! Eight producers, sixteen claimers, a promoter and a purger at once: no conflict reaches a caller. The long form is
//! `cargo run --release -p zopnight-store --example chaos -- --mix --private mariadb --seconds 60`.

#[path = "support/mix.rs"]
mod mix;
#[path = "support/random.rs"]
mod random;
#[path = "support/retries.rs"]
mod retries;
#[path = "support/servers.rs"]
mod servers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use retries::Retries;
use zopnight_core::ports::{JobQueue as _, Store};
use zopnight_core::testing::suites::fixtures;
use zopnight_store::testing::{Act, Hook, Point};
use zopnight_store::{SqliteStore, StoreOptions, connect};

static RETRIES: LazyLock<Retries> = LazyLock::new(Retries::install);

async fn agrees(backend: &str, url: &str, time: Duration) {
    LazyLock::force(&RETRIES);
    let store: Arc<dyn Store> = connect(url, StoreOptions::default()).await.expect("a store");
    let mixed = mix::run(store, url, time).await.unwrap_or_else(|e| panic!("an error reached a caller: {e:?}"));
    eprintln!("{backend}: {mixed}; transactions run again so far: [{}]", *RETRIES);
    for (count, what) in
        [(&mixed.claimed, "claimed"), (&mixed.ended, "ended"), (&mixed.promoted, "promoted"), (&mixed.purged, "purged")]
    {
        assert!(count.load(Ordering::Relaxed) > 0, "nothing was {what}: {mixed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_conflicts_to_itself() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    agrees("sqlite", &url, Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb_keeps_its_conflicts_to_itself() {
    let Some(server) = servers::mysql().await else { return };
    agrees("mariadb", server.fresh_database().await.url(), Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_conflicts_to_itself() {
    let Some(server) = servers::postgres().await else { return };
    agrees("postgres", server.fresh_database().await.url(), Duration::from_secs(5)).await;
}

/// Cuts one connection as the transaction begins.
#[derive(Debug, Default)]
struct CutOnce(AtomicBool);

impl Hook for CutOnce {
    fn at(&self, point: &Point) -> Act {
        let cut = point.operation == "queue.enqueue" && !self.0.swap(true, Ordering::Relaxed);
        if cut { Act::DropConnection } else { Act::Go }
    }
}

#[tokio::test]
async fn a_transaction_that_is_run_again_is_counted() {
    LazyLock::force(&RETRIES);
    let store = SqliteStore::connect("sqlite::memory:", StoreOptions::default()).await.expect("a store");
    let store = store.with_hook(Arc::new(CutOnce::default()));
    let stored = store.enqueue(vec![fixtures::sweep_job()]).await.expect("run again");
    assert!(!stored[0].folded, "{stored:?}");
    assert!(RETRIES.to_string().contains("sqlite link 1"), "{}", *RETRIES);
}
