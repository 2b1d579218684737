//! Connections to MySQL and MariaDB.

use std::str::FromStr as _;
use std::sync::Arc;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{Connection as _, Executor as _};
use zopnight_core::{Error, ErrorKind, Result};

use super::database::MySqlDatabase;
use super::errors::number;
use crate::database::{Doubt, Pools};
use crate::error::StoreError;
use crate::options::StoreOptions;

const CONNECT: &str = "store.connect";
const CONNECTIONS: u32 = 16;

/// A lock that does not come in time ends the statement; the transaction is then rolled back and run again.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET SESSION innodb_lock_wait_timeout = 5;
    SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')";

/// Each server reads its own half: MariaDB's limit is in seconds and of every statement, MySQL's is of what reads.
pub(super) const SET_STATEMENT_LIMIT: &str =
    "SET SESSION /*M! max_statement_time = ? / 1000 */ /*!80016 max_execution_time = ? */";

/// A pool, and whose its connections are: a host's are left as they were found.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(super) pool: MySqlPool,
    pub(super) are_ours: bool,
}

pub(super) async fn connect(url: &str, options: StoreOptions) -> Result<Pools<MySqlDatabase>> {
    options.check()?;
    let refused = || Error::invalid(CONNECT, "the MySQL URL cannot be read; use mysql://user@host/database");
    // The cause may show the URL, and that a password.
    let connect = MySqlConnectOptions::from_str(url).map_err(|_| refused())?;
    if connect.get_database().is_none() {
        return Err(refused());
    }
    let doubt = Arc::new(Doubt::new());
    let asked = Arc::clone(&doubt);
    let limit = i64::try_from(options.statement_timeout.as_millis()).unwrap_or(i64::MAX);
    let pool = MySqlPoolOptions::new()
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
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(SESSION).await?;
                connection.execute(sqlx::query(SET_STATEMENT_LIMIT).bind(limit).persistent(false)).await?;
                Ok(())
            })
        })
        .connect_with(connect.statement_cache_capacity(200))
        .await
        .map_err(not_connected)?;
    let pool = Connections { pool, are_ours: true };
    Ok(Pools::of(pool.clone(), pool, options).await?.doubting(doubt))
}

/// What to do where no connection could be made.
fn not_connected(error: sqlx::Error) -> Error {
    // A password is sent in the clear under TLS only, and this build has no RSA.
    if matches!(error, sqlx::Error::Configuration(_)) {
        let message = "the user's login (caching_sha2_password or sha256_password) needs TLS; enable TLS in the server and add \
                       ?ssl-mode=REQUIRED to the URL, or give the user another authentication plugin";
        return Error::new(ErrorKind::Unsupported, CONNECT, message).with("code", "store_login");
    }
    let advice = match number(&error) {
        Some(1044 | 1045 | 1698) => {
            Some(("store_url", "the server refuses the user or its password; correct the URL or the grants"))
        }
        Some(1049) => Some(("store_url", "the server has no such database; create it, or correct the URL")),
        _ => None,
    };
    match advice {
        // The cause names the user and the host, not the password.
        Some((code, message)) => Error::invalid(CONNECT, message).with("code", code).with_source(error),
        None => StoreError::from(error).into_core(CONNECT),
    }
}
