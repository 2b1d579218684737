//! The store a host holds.

use std::fmt;

use sqlx::PgPool;
use zopnight_core::Result;

use super::database::PostgresDatabase;
use super::pool;
use crate::migrate::Migrated;
use crate::options::StoreOptions;
use crate::store::{SqlStore, forward};

/// The store on PostgreSQL 13 or newer. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) inner: SqlStore<PostgresDatabase>,
}

forward!(PostgresStore);

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("options", self.inner.pools.options()).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens `postgres://user@host/database`, with connections of its own. The schema is brought up to date as
    /// `options.migrate` says.
    ///
    /// Behind a pooler that lends a connection for a transaction only (PgBouncer's `pool_mode = transaction`), turn
    /// [`StoreOptions::notify`] off and the cache of prepared statements by `?statement-cache-capacity=0` in the URL, and let
    /// the pooler pass the start-up parameter `options` by, which carries the two time limits. Nothing else changes: waiting
    /// workers then find the work of other processes when they look again.
    ///
    /// # Errors
    /// `Invalid` for a malformed URL or an option out of bounds; `Unsupported` for a server that is too old or a database of
    /// a newer release; `Unavailable` when the server cannot be reached.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self> {
        Ok(Self { inner: SqlStore::ready(pool::connect(url, options).await?).await? })
    }

    /// Uses a host's pool for writing and reading. Nothing is set on its connections. With [`StoreOptions::notify`] one more
    /// connection is opened beside the pool, with its options, to listen on.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(pool: PgPool, options: StoreOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { inner: SqlStore::ready(pool::of(pool, options).await?).await? })
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
