//! Where the cases' databases live.

use std::sync::Arc;

use tempfile::TempDir;
use zopnight_core::ports::Store;
use zopnight_store::testing::Hook;
use zopnight_store::{SqliteStore, StoreOptions, connect};

/// A fresh database, gone when dropped, and a directory for what else the processes share.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) directory: TempDir,
}

/// A fresh database of each backend under test.
pub(crate) fn fresh() -> Vec<Database> {
    vec![sqlite()]
}

fn sqlite() -> Database {
    let directory = tempfile::tempdir().unwrap();
    Database { url: format!("sqlite:{}", directory.path().join("zopnight.db").display()), directory }
}

/// Opens a database, with `hook` asked at every point.
pub(crate) async fn open(url: &str, hook: Option<Arc<dyn Hook>>) -> Arc<dyn Store> {
    let options = StoreOptions::default();
    match (url.split(':').next(), hook) {
        (_, None) => connect(url, options).await.unwrap(),
        (Some("sqlite"), Some(hook)) => Arc::new(SqliteStore::connect(url, options).await.unwrap().with_hook(hook)),
        (scheme, Some(_)) => panic!("no hooks for {scheme:?}"),
    }
}
