//! Connections to PostgreSQL.

use std::str::FromStr as _;
use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool};
use zopnight_core::{Error, Result};

use super::database::PostgresDatabase;
use super::listen;
use crate::database::{Doubt, Pools};
use crate::error::StoreError;
use crate::options::StoreOptions;

const CONNECT: &str = "store.connect";
const CONNECTIONS: u32 = 16;

/// What a URL says to turn the cache of prepared statements off, behind a pooler that lends a connection for a transaction.
const CACHE: &str = "statement-cache-capacity=";

pub(super) async fn connect(url: &str, options: StoreOptions) -> Result<Pools<PostgresDatabase>> {
    options.check()?;
    let refused = || Error::invalid(CONNECT, "the PostgreSQL URL cannot be read; use postgres://user@host/database");
    // The cause may show the URL, and that a password.
    let connect = PgConnectOptions::from_str(url).map_err(|_| refused())?;
    let timeout = options.statement_timeout.as_millis().to_string();
    let connect = if url.contains(CACHE) { connect } else { connect.statement_cache_capacity(200) };
    let connect = connect.options([("statement_timeout", timeout.as_str()), ("lock_timeout", "5s")]);
    let doubt = Arc::new(Doubt::new());
    let asked = Arc::clone(&doubt);
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.unwrap_or(CONNECTIONS))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let must_answer = asked.is_of(meta.idle_for);
            Box::pin(async move {
                if must_answer {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(connect)
        .await
        .map_err(unreachable)?;
    Ok(of(pool, options).await?.doubting(doubt))
}

/// Why no connection was made: a URL that is wrong will not get better.
fn unreachable(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
    let wrong = match code.as_str() {
        "3D000" => "the database that the URL names does not exist; create it first",
        "28000" | "28P01" => "the server refuses the user or the password of the URL",
        _ => return StoreError::from(error).into_core(CONNECT),
    };
    Error::invalid(CONNECT, wrong).with("code", "store_url").with_source(error)
}

/// The store's use of a pool.
pub(super) async fn of(pool: PgPool, options: StoreOptions) -> Result<Pools<PostgresDatabase>> {
    let pools = Pools::of(pool.clone(), pool, options).await?;
    if !pools.options().notify {
        return Ok(pools);
    }
    let background = listen::start(pools.writer(), pools.wake());
    Ok(pools.with_background(background))
}
