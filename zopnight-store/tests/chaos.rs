//! Jobs run by processes that are killed, frozen and cut off, on each database: none is lost, none has its effect twice,
//! fences strictly rise. `examples/chaos.rs` is the long form.

#[path = "support/chaos/mod.rs"]
mod chaos;
#[path = "support/checker.rs"]
mod checker;
#[path = "support/history.rs"]
mod history;
#[path = "support/random.rs"]
mod random;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/tables.rs"]
mod tables;

use std::path::Path;
use std::time::Duration;

use chaos::{Launch, Settings};
use servers::Server;
use tempfile::TempDir;

/// Not a test of its own: a process of a run.
#[test]
fn chaos_child() {
    chaos::child();
}

fn small(url: &str, directory: &Path, on_server: bool) -> Settings {
    Settings {
        url: url.to_owned(),
        seed: 1,
        jobs: 2_200,
        workers: 4,
        kills: 22,
        stops: 3,
        sweeps: if on_server { 2 } else { 0 },
        restarts: u32::from(on_server),
        full: if on_server { 0 } else { 25 },
        skewed: on_server,
        window: Duration::from_secs(12),
        history: directory.join("history.jsonl"),
    }
}

async fn holds(backend: &str, url: &str, directory: TempDir, server: Option<&Server>) {
    let settings = small(url, directory.path(), server.is_some());
    let arguments = ["--exact", "chaos_child", "--nocapture"].map(Into::into).to_vec();
    let report = chaos::run(&settings, &Launch { arguments }, server).await.unwrap_or_else(|why| {
        let _ = directory.keep();
        panic!("{backend}: {why}");
    });
    eprintln!("{backend}, {report}");
    // A lease that is taken back too early is lost again and again.
    assert_eq!(report.lost_out, 0, "{report}");
    assert!(report.jobs >= 2_000, "{report}");
    assert!(report.kills >= 20 && report.stops == 3, "{report}");
    assert!(report.crashes > 0 && report.losses > 0, "{report}");
    assert_eq!((report.sweeps, report.restarts), (settings.sweeps, settings.restarts), "{report}");
}

async fn on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    holds("sqlite", &url, directory, None).await;
}

async fn on(backend: &str, server: Option<Server>) {
    let Some(server) = server else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = server.fresh_database().await;
    holds(backend, database.url(), directory, Some(&server)).await;
}

/// All databases at once: most of the time is spent waiting for leases to run out.
#[tokio::test(flavor = "multi_thread")]
async fn no_database_loses_a_job_or_runs_one_twice() {
    let (mariadb, postgres) = (servers::private_mysql().await, servers::private_postgres().await);
    tokio::join!(on_sqlite(), on("mariadb", mariadb), on("postgres", postgres));
}
