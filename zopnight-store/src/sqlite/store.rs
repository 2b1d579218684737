//! The store a host holds.

use std::fmt;

use sqlx::SqlitePool;
use zopnight_core::Result;

use super::database::SqliteDatabase;
use super::pool;
use crate::database::Pools;
use crate::migrate::Migrated;
use crate::options::StoreOptions;
use crate::store::{SqlStore, forward};

/// The store on SQLite (3.42 or newer, built in). Cheap to clone; clones share the connections.
///
/// A database file must not lie on a network file system: SQLite's locks do not work there. Several processes of one
/// machine may share a file. `sqlite::memory:` is one connection that lives as long as the store.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) inner: SqlStore<SqliteDatabase>,
}

forward!(SqliteStore);

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("options", self.inner.pools.options()).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens `sqlite:path`, `sqlite://path` or `sqlite::memory:`. A file that is not there is created, unless the URL says
    /// `mode=rw` or `mode=ro`. The schema is brought up to date as `options.migrate` says.
    ///
    /// # Errors
    /// `Invalid` for a malformed URL or an option out of bounds; `Unsupported` for a database of a newer release;
    /// `Unavailable` when the file cannot be opened or written.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self> {
        Ok(Self { inner: SqlStore::ready(pool::connect(url, options).await?).await? })
    }

    /// Uses a host's pool for writing and reading. Its connections should have a `busy_timeout` and journal mode WAL.
    ///
    /// # Errors
    /// As [`SqliteStore::connect`].
    pub async fn from_pool(pool: SqlitePool, options: StoreOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { inner: SqlStore::ready(Pools::of(pool.clone(), pool, options).await?).await? })
    }

    /// Brings the schema up to date, in one transaction a step. Processes that do it at once wait for each other.
    ///
    /// # Errors
    /// `Unsupported` for a database of a newer release or an altered step; `Unavailable`.
    pub async fn migrate(&self) -> Result<Migrated> {
        self.inner.migrate().await
    }

    /// Checks that the database answers and has this release's schema.
    ///
    /// # Errors
    /// `Unsupported` when the schema is behind or of a newer release; `Unavailable`.
    pub async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    /// Closes the connections, waiting for those in use. Later calls answer `Unavailable`.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}
