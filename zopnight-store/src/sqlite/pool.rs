//! One connection that writes, some that read.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::time::{Instant, sleep};
use zopnight_core::{Error, Result};

use super::database::SqliteDatabase;
use crate::database::Pools;
use crate::error::StoreError;
use crate::options::{StoreOptions, Synchronous};
use crate::retry::pause;

const CONNECT: &str = "store.connect";
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

pub(super) async fn connect(url: &str, options: StoreOptions) -> Result<Pools<SqliteDatabase>> {
    options.check()?;
    let refused = |e| Error::invalid(CONNECT, "the SQLite URL cannot be read; use sqlite:path/to/file.db").with_source(e);
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
    Pools::of(writer, readers, options).await
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
