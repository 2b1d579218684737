//! One connection that writes, some that read.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::time::{Instant, sleep};
use zopnight_core::{Error, ErrorKind, Result};

use super::session::Session;
use crate::error::StoreError;
use crate::instruments::Instruments;
use crate::options::{StoreOptions, Synchronous};
use crate::retry::pause;
use crate::wake::Wake;

const CONNECT: &str = "store.connect";
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

/// The pools of one store with all that an operation needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
    options: Arc<StoreOptions>,
    wake: Arc<Wake>,
    pub(crate) instruments: Instruments,
}

impl Pools {
    pub(crate) async fn connect(url: &str, options: StoreOptions) -> Result<Self> {
        options.check()?;
        let refused =
            |e| Error::invalid(CONNECT, "the SQLite URL cannot be read; use sqlite:path/to/file.db").with_source(e);
        let connect = SqliteConnectOptions::from_str(url).map_err(|e: sqlx::Error| refused(e))?;
        let memory = is_memory(url);
        let connect = connect
            .create_if_missing(!url.contains("mode="))
            .busy_timeout(BUSY)
            .foreign_keys(false)
            .synchronous(match options.sqlite_synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
            })
            .statement_cache_capacity(200);
        let connect = if memory { connect } else { connect.journal_mode(SqliteJournalMode::Wal) };
        let pool = |max: u32| {
            let pool = SqlitePoolOptions::new().max_connections(max).acquire_timeout(options.acquire_timeout);
            let pool = pool.test_before_acquire(false);
            if memory { pool.idle_timeout(None).max_lifetime(None) } else { pool }
        };
        let writer = opened(|| pool(1).connect_with(connect.clone())).await?;
        let readers = if memory {
            writer.clone()
        } else {
            pool(options.max_connections.map_or(READERS, |n| n.saturating_sub(1))).connect_lazy_with(connect)
        };
        Self::of(writer, readers, options).await
    }

    pub(crate) async fn from_pool(pool: SqlitePool, options: StoreOptions) -> Result<Self> {
        options.check()?;
        Self::of(pool.clone(), pool, options).await
    }

    async fn of(writer: SqlitePool, readers: SqlitePool, options: StoreOptions) -> Result<Self> {
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&writer)
            .await
            .map_err(|e| StoreError::from(e).into_core(CONNECT))?;
        if !is_supported(&version) {
            let message = format!("SQLite {version} is too old; 3.42 or newer is needed");
            return Err(Error::new(ErrorKind::Unsupported, CONNECT, message));
        }
        let instruments = Instruments::default();
        Ok(Self { writer, readers, options: Arc::new(options), wake: Arc::new(Wake::new()), instruments })
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    pub(super) fn shared_options(&self) -> Arc<StoreOptions> {
        Arc::clone(&self.options)
    }

    pub(crate) fn wake(&self) -> &Arc<Wake> {
        &self.wake
    }

    pub(crate) const fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(crate) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// A transaction that may write. It takes the write lock at once: a deferred one would fail without waiting when it
    /// turns to writing after another wrote.
    pub(crate) async fn write(&self, operation: &'static str) -> Result<Session, StoreError> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Session::begin(tx, self, operation).await
    }

    /// A transaction that reads one state.
    pub(crate) async fn read(&self, operation: &'static str) -> Result<Session, StoreError> {
        let tx = self.readers.begin().await?;
        Session::begin(tx, self, operation).await
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Opens the first connection. When two processes turn one fresh file to WAL at the same moment, SQLite breaks the tie: it
/// answers one of them "busy" without the wait it was told. That one comes again within the same time.
async fn opened<F, Fut>(mut open: F) -> Result<SqlitePool>
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = sqlx::Result<SqlitePool>> + Send,
{
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        match open().await.map_err(StoreError::from) {
            Ok(pool) => return Ok(pool),
            Err(StoreError::Conflict(_)) if begun.elapsed() < BUSY => {
                tries = 4.min(tries + 1);
                sleep(pause(tries)).await;
            }
            Err(error) => return Err(error.into_core(CONNECT)),
        }
    }
}

fn is_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory") || url == "sqlite:" || url == "sqlite://"
}

fn is_supported(version: &str) -> bool {
    let mut parts = version.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (3, 42)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(is_supported("3.42.0") && is_supported("3.100.1") && is_supported("4.0"));
        assert!(!is_supported("3.41.9") && !is_supported("3.9.2") && !is_supported(""));
    }
}
