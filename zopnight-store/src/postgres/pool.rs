//! Connections to PostgreSQL.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use zopnight_core::{Error, Result};

use super::database::PostgresDatabase;
use crate::database::Pools;
use crate::error::StoreError;
use crate::options::StoreOptions;

const CONNECT: &str = "store.connect";
const CONNECTIONS: u32 = 16;

/// A connection that lay still for longer is asked whether it is alive before it is used.
const STILL: Duration = Duration::from_secs(1);

pub(super) async fn connect(url: &str, options: StoreOptions) -> Result<Pools<PostgresDatabase>> {
    options.check()?;
    let refused = || Error::invalid(CONNECT, "the PostgreSQL URL cannot be read; use postgres://user@host/database");
    // The cause may show the URL, and that a password.
    let connect = PgConnectOptions::from_str(url).map_err(|_| refused())?;
    let timeout = options.statement_timeout.as_millis().to_string();
    let connect =
        connect.statement_cache_capacity(200).options([("statement_timeout", timeout.as_str()), ("lock_timeout", "5s")]);
    let pool = PgPoolOptions::new()
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
        .connect_with(connect)
        .await
        .map_err(|e| StoreError::from(e).into_core(CONNECT))?;
    Pools::of(pool.clone(), pool, options).await
}
