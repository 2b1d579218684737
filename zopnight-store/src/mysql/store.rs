//! The store a host holds.

use std::fmt;

use sqlx::MySqlPool;
use zopnight_core::Result;

use super::database::MySqlDatabase;
use super::pool::{self, Connections};
use super::probe;
use crate::database::Pools;
use crate::migrate::Migrated;
use crate::options::StoreOptions;
use crate::store::{SqlStore, forward};

/// The store on MariaDB 10.6 or newer, or MySQL 8.0.16 or newer. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct MySqlStore {
    pub(crate) inner: SqlStore<MySqlDatabase>,
}

forward!(MySqlStore);

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore").field("options", self.inner.pools.options()).finish_non_exhaustive()
    }
}

impl MySqlStore {
    /// Opens `mysql://user@host/database` or `mariadb://…`, with connections of its own. The schema is brought up to date as
    /// `options.migrate` says.
    ///
    /// # Errors
    /// `Invalid` for a malformed URL or an option out of bounds; `Unsupported` for a server that is too old or a database of
    /// a newer release; `Unavailable` when the server cannot be reached.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self> {
        Self::ready(pool::connect(url, options).await?).await
    }

    /// Uses a host's pool for writing and reading. Its connections stay as they are: each transaction sets its own isolation.
    ///
    /// # Errors
    /// As [`MySqlStore::connect`].
    pub async fn from_pool(pool: MySqlPool, options: StoreOptions) -> Result<Self> {
        options.check()?;
        let pool = Connections { pool, are_ours: false };
        Self::ready(Pools::of(pool.clone(), pool, options).await?).await
    }

    async fn ready(pools: Pools<MySqlDatabase>) -> Result<Self> {
        let inner = SqlStore::ready(pools).await?;
        probe::probe_transactions(inner.pools.writer()).await?;
        Ok(Self { inner })
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
        self.inner.check().await?;
        probe::probe_transactions(self.inner.pools.writer()).await
    }

    /// Closes the connections, waiting for those in use. Later calls answer `Unavailable`.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}
