//! Whether a server can carry the store.

use std::time::Duration;

use sqlx::{MySql, Row as _, Transaction};
use zopnight_core::{Error, ErrorKind, Result};

use super::database::MySqlDatabase;
use super::errors::number;
use super::pool::Connections;
use crate::database::Database as _;
use crate::error::StoreError;

const CONNECT: &str = "store.connect";

/// The engine tells of transactions what it knew up to 100 ms ago, as of one before this on the same connection.
const STALE: Duration = Duration::from_millis(110);
const ASKED: u32 = 5;

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, CONNECT, message).with("code", "store_version")
}

fn failed(error: sqlx::Error) -> Error {
    StoreError::from(error).into_core(CONNECT)
}

/// Checks the version: SKIP LOCKED and CHECK are needed.
pub(super) async fn probe(pool: &Connections) -> Result<()> {
    let row = sqlx::query("SELECT VERSION() AS version").fetch_one(&pool.pool).await.map_err(failed)?;
    let version: String = row.try_get("version").map_err(failed)?;
    if is_supported(&version) {
        return Ok(());
    }
    Err(unsupported(format!(
        "the server's version {version} is too old; use MariaDB 10.6 or newer, or MySQL 8.0.16 or newer"
    )))
}

/// Checks, on the store's own table, that rows which others hold are skipped and that a writing transaction reads what is
/// committed. Nothing is written.
pub(super) async fn probe_transactions(pool: &Connections) -> Result<()> {
    let mut tx = MySqlDatabase::begin_write(pool).await.map_err(failed)?;
    let checked = check(&mut tx, pool.are_ours).await;
    // What was found out counts; a connection that cannot roll back is closed by its pool.
    let _ = MySqlDatabase::roll_back(tx).await;
    checked
}

async fn check(tx: &mut Transaction<'static, MySql>, are_ours: bool) -> Result<()> {
    let skip = "SELECT seq FROM zopnight_jobs WHERE seq = 0 FOR UPDATE SKIP LOCKED";
    if let Err(error) = sqlx::query(skip).fetch_optional(&mut **tx).await {
        return match number(&error) {
            // The schema is the caller's, who said that it need not be looked at; or nothing can be written, thus locked.
            Some(1146 | 1290 | 1792 | 1836) => Ok(()),
            Some(1064) => Err(unsupported(
                "the server does not know SELECT ... FOR UPDATE SKIP LOCKED; use MariaDB 10.6 or newer, or MySQL 8.0.16 \
                 or newer",
            )),
            _ => Err(failed(error)),
        };
    }
    let isolation = if are_ours { of_session(tx).await? } else { of_transaction(tx).await? };
    if let Some(other) = isolation.filter(|level| !is_read_committed(level)) {
        return Err(unsupported(format!(
            "transactions run under {other} although READ COMMITTED was asked for; let neither a proxy nor init_connect change \
             the isolation level"
        )));
    }
    if variable(tx, "SHOW VARIABLES LIKE 'wsrep_on'").await?.as_deref() == Some("ON") {
        tracing::warn!("the server is a Galera node: let every process of the store write to one and the same node");
    }
    Ok(())
}

async fn variable(tx: &mut Transaction<'static, MySql>, show: &'static str) -> Result<Option<String>> {
    let row = sqlx::query(show).fetch_optional(&mut **tx).await.map_err(failed)?;
    row.map(|row| row.try_get(1).map_err(failed)).transpose()
}

/// Our own sessions have it for all their transactions. The variable has one name on MariaDB, another on MySQL.
async fn of_session(tx: &mut Transaction<'static, MySql>) -> Result<Option<String>> {
    variable(tx, "SHOW SESSION VARIABLES WHERE variable_name IN ('tx_isolation', 'transaction_isolation')").await
}

/// The isolation of this very transaction, as the engine has it; `None` where the user may not ask (PROCESS).
async fn of_transaction(tx: &mut Transaction<'static, MySql>) -> Result<Option<String>> {
    let asked = "SELECT trx_isolation_level FROM information_schema.innodb_trx
        WHERE trx_mysql_thread_id = CONNECTION_ID() AND trx_is_read_only = 0";
    let mut answer = None;
    for _ in 0..ASKED {
        match sqlx::query_scalar::<_, String>(asked).fetch_optional(&mut **tx).await {
            Ok(found) => answer = found,
            Err(error) if number(&error) == Some(1227) => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        if answer.as_deref().is_some_and(is_read_committed) {
            break;
        }
        tokio::time::sleep(STALE).await;
    }
    Ok(answer)
}

fn is_read_committed(level: &str) -> bool {
    level.replace('-', " ").eq_ignore_ascii_case("READ COMMITTED")
}

/// MariaDB names itself in its version.
fn is_supported(version: &str) -> bool {
    let oldest = if version.contains("MariaDB") { (10, 6, 0) } else { (8, 0, 16) };
    // Some MariaDB servers put the version they pretend to be before their own.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut parts = version.split(['.', '-']).map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for ok in
            ["10.6.0-MariaDB", "10.11.11-MariaDB-0+deb12u1", "5.5.5-10.11.2-MariaDB", "11.4.2-MariaDB", "8.0.16", "9.1.0"]
        {
            assert!(is_supported(ok), "{ok}");
        }
        for old in ["10.5.28-MariaDB", "5.5.5-10.3.1-MariaDB", "8.0.15", "5.7.44-log", ""] {
            assert!(!is_supported(old), "{old}");
        }
    }
}
