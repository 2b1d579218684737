//! Where the cases' databases live.

use std::future::Future;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinSet;
use zopnight_core::ports::Store;
use zopnight_store::testing::Hook;
use zopnight_store::{MySqlStore, PostgresStore, SqliteStore, StoreOptions, connect};

use crate::servers;

/// A database under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Mysql,
    Postgres,
}

/// A fresh database, gone when dropped, and a directory for what else the processes share.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) directory: TempDir,
    _server: Option<servers::Database>,
}

impl Backend {
    /// `None` where the machine has no such server, which is told.
    pub(crate) async fn fresh(self) -> Option<Database> {
        let directory = tempfile::tempdir().unwrap();
        let server = match self {
            Self::Sqlite => {
                let url = format!("sqlite:{}", directory.path().join("zopnight.db").display());
                return Some(Database { url, directory, _server: None });
            }
            Self::Mysql => servers::mysql().await?,
            Self::Postgres => servers::postgres().await?,
        };
        let database = server.fresh_database().await;
        Some(Database { url: database.url().to_owned(), directory, _server: Some(database) })
    }
}

/// The backends to play on: those that `ZOPNIGHT_WORKER_BACKENDS` names (`sqlite`, `mysql`, `postgres`), or SQLite alone. Each is a
/// hundred processes with the shortest leases there are, so that a small machine is to play one after another.
#[expect(clippy::disallowed_methods, reason = "what a run of this test is to cover, not configuration of a library")]
fn played() -> Vec<Backend> {
    let named = std::env::var("ZOPNIGHT_WORKER_BACKENDS").unwrap_or_else(|_| "sqlite".to_owned());
    let backend = |name: &str| match name {
        "sqlite" => Backend::Sqlite,
        "mysql" => Backend::Mysql,
        "postgres" => Backend::Postgres,
        _ => panic!("{name:?} is no backend"),
    };
    named.split(',').map(backend).collect()
}

/// Plays a case on all of them at once.
pub(crate) async fn on_each<F: Future<Output = ()> + Send + 'static>(case: fn(Backend, Database) -> F) {
    let mut cases = JoinSet::new();
    for backend in played() {
        cases.spawn(async move {
            if let Some(database) = backend.fresh().await {
                println!("{backend:?}");
                case(backend, database).await;
            }
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    }
}

/// Opens a database, with `hook` asked at every point.
pub(crate) async fn open(url: &str, hook: Option<Arc<dyn Hook>>) -> Arc<dyn Store> {
    // Many processes share one server.
    let options = StoreOptions::default().with_max_connections(Some(4));
    let Some(hook) = hook else { return connect(url, options).await.unwrap() };
    match url.split(':').next() {
        Some("sqlite") => Arc::new(SqliteStore::connect(url, options).await.unwrap().with_hook(hook)),
        Some("mysql" | "mariadb") => Arc::new(MySqlStore::connect(url, options).await.unwrap().with_hook(hook)),
        Some("postgres" | "postgresql") => Arc::new(PostgresStore::connect(url, options).await.unwrap().with_hook(hook)),
        other => panic!("{other:?} is no backend"),
    }
}
