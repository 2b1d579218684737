//! Connections to MySQL and MariaDB.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{Connection as _, Executor as _, MySql, Transaction};
use tokio::time::Instant;
use zopnight_core::{Error, ErrorKind, Result};

use super::database::MySqlDatabase;
use super::errors::{is_lost, number};
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

/// Each server reads its own half: MariaDB's limit is in seconds and of every statement, MySQL's is of what reads.
pub(super) const SET_STATEMENT_LIMIT: &str =
    "SET SESSION /*M! max_statement_time = ? / 1000 */ /*!80016 max_execution_time = ? */";

/// A pool, and whose its connections are: a host's are left as they were found.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pool: MySqlPool,
    are_ours: bool,
    losses: Arc<Losses>,
}

/// When a connection was last found dead: those that lay still since before are asked before they are used.
#[derive(Debug)]
struct Losses {
    began: Instant,
    /// Microseconds since `began`.
    last: AtomicU64,
}

impl Losses {
    fn now() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), last: AtomicU64::new(0) })
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn happened(&self) {
        self.last.fetch_max(self.micros(), Ordering::Relaxed);
    }

    fn may_concern(&self, idle_for: Duration) -> bool {
        let idle = u64::try_from(idle_for.as_micros()).unwrap_or(u64::MAX);
        self.micros().saturating_sub(idle) <= self.last.load(Ordering::Relaxed)
    }
}

impl Connections {
    /// A host's pool.
    pub(super) fn of_host(pool: MySqlPool) -> Self {
        Self { pool, are_ours: false, losses: Losses::now() }
    }

    pub(super) const fn are_ours(&self) -> bool {
        self.are_ours
    }

    pub(super) const fn pool(&self) -> &MySqlPool {
        &self.pool
    }

    /// Begins by `statement`. One that meets a dead connection has done nothing yet: it is begun again on a live one.
    pub(super) async fn begin(&self, statement: &'static str) -> sqlx::Result<Transaction<'static, MySql>> {
        match self.pool.begin_with(statement).await {
            Err(error) if self.is_lost(&error) => self.pool.begin_with(statement).await,
            begun => begun,
        }
    }

    /// Whether an error means that its connection is gone. Then others may be as well: they are asked before they are used.
    pub(super) fn is_lost(&self, error: &sqlx::Error) -> bool {
        let lost = is_lost(error);
        if lost {
            self.losses.happened();
        }
        lost
    }
}

pub(super) async fn connect(url: &str, options: StoreOptions) -> Result<Pools<MySqlDatabase>> {
    options.check()?;
    let refused = || Error::invalid(CONNECT, "the MySQL URL cannot be read; use mysql://user@host/database");
    // The cause may show the URL, and that a password.
    let connect = MySqlConnectOptions::from_str(url).map_err(|_| refused())?;
    if connect.get_database().is_none() {
        return Err(refused());
    }
    let losses = Losses::now();
    let known = Arc::clone(&losses);
    let limit = i64::try_from(options.statement_timeout.as_millis()).unwrap_or(i64::MAX);
    let pool = MySqlPoolOptions::new()
        .max_connections(options.max_connections.unwrap_or(CONNECTIONS))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let doubtful = meta.idle_for > STILL || known.may_concern(meta.idle_for);
            Box::pin(async move {
                if doubtful {
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
    let pool = Connections { pool, are_ours: true, losses };
    Pools::of(pool.clone(), pool, options).await
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
            Some(("store_login", "the server refuses the user or its password; correct the URL or the grants"))
        }
        Some(1049) => Some(("store_database", "the server has no such database; create it, or correct the URL")),
        _ => None,
    };
    match advice {
        // The cause names the user and the host, not the password.
        Some((code, message)) => Error::invalid(CONNECT, message).with("code", code).with_source(error),
        None => StoreError::from(error).into_core(CONNECT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lay_still_since_before_a_loss_is_doubtful() {
        let losses = Losses::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!losses.may_concern(Duration::from_millis(999)));
        losses.happened();
        assert!(losses.may_concern(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(losses.may_concern(Duration::from_millis(1_001)));
        assert!(!losses.may_concern(Duration::from_millis(999)));
    }
}
