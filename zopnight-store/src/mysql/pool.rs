//! Connections to MySQL and MariaDB.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Connection as _, Executor as _};
use zopnight_core::{Error, Result};

use super::database::{Connections, MySqlDatabase};
use crate::database::Pools;
use crate::error::StoreError;
use crate::options::StoreOptions;

const CONNECT: &str = "store.connect";
const CONNECTIONS: u32 = 16;

/// A connection that lay still for longer is asked whether it is alive before it is used.
const STILL: Duration = Duration::from_secs(1);

/// A lock that does not come in time ends the statement; the transaction is then rolled back and run again.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET SESSION innodb_lock_wait_timeout = 5;
    SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')";

pub(super) async fn connect(url: &str, options: StoreOptions) -> Result<Pools<MySqlDatabase>> {
    options.check()?;
    let refused = || Error::invalid(CONNECT, "the MySQL URL cannot be read; use mysql://user@host/database");
    // The cause may show the URL, and that a password.
    let connect = MySqlConnectOptions::from_str(url).map_err(|_| refused())?;
    let pool = MySqlPoolOptions::new()
        .max_connections(options.max_connections.unwrap_or(CONNECTIONS))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > STILL {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(SESSION).await?;
                Ok(())
            })
        })
        .connect_with(connect.statement_cache_capacity(200))
        .await
        .map_err(|e| StoreError::from(e).into_core(CONNECT))?;
    let pool = Connections { pool, are_ours: true };
    Pools::of(pool.clone(), pool, options).await
}
