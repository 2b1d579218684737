//! Our own migrations: a list, a lock, a checksum. A host's tables and its own migrations are left alone.

use sqlx::{Row as _, Sqlite, Transaction};
use zopnight_core::domain::hex;
use zopnight_core::{Error, ErrorKind, Result};

use crate::error::StoreError;
use crate::sqlite::Pools;

const OPERATION: &str = "store.migrate";

/// One step of the schema.
#[derive(Debug)]
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
    /// The oldest release's newest step that can still work with the schema after this one.
    min_reader: i64,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "jobs", sql: include_str!("../migrations/sqlite/0001_jobs.sql"), min_reader: 1 },
    Migration { version: 2, name: "catalog", sql: include_str!("../migrations/sqlite/0002_catalog.sql"), min_reader: 2 },
];

const HAS_TABLE: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'zopnight_migrations'";

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS zopnight_migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    min_reader INTEGER NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

const APPLIED: &str = "SELECT version, checksum, min_reader FROM zopnight_migrations ORDER BY version";

const RECORD: &str = "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
    VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

/// What bringing the schema up to date did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// Steps carried out by this call.
    pub applied: u32,
    /// The schema's version now.
    pub version: i64,
}

/// Carries out what is missing. The write lock of SQLite is the lock between processes.
pub(crate) async fn migrate(pools: &Pools) -> Result<Migrated> {
    let mut applied = 0_u32;
    let mut conflicts = 0_u32;
    loop {
        match step(pools).await {
            Ok(None) => return Ok(Migrated { applied, version: newest() }),
            Ok(Some(())) => applied = applied.saturating_add(1),
            Err(StoreError::Conflict(_)) if conflicts < pools.options().retries => conflicts = conflicts.saturating_add(1),
            Err(error) => return Err(error.into_core(OPERATION)),
        }
    }
}

/// Checks that nothing is missing and nothing is newer.
pub(crate) async fn verify(pools: &Pools) -> Result<()> {
    let of = |e: sqlx::Error| StoreError::from(e).into_core(OPERATION);
    let mut tx = pools.readers().begin().await.map_err(of)?;
    let next = pending(&mut tx).await.map_err(|e| e.into_core(OPERATION))?;
    match next {
        None => Ok(()),
        Some(next) => {
            let message =
                format!("the schema is behind: step {} ({}) is missing; migrate it first", next.version, next.name);
            Err(unsupported(message))
        }
    }
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, message).with("code", "store_schema")
}

fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |m| m.version)
}

/// One step in its own transaction; `None` when nothing is missing.
async fn step(pools: &Pools) -> Result<Option<()>, StoreError> {
    let mut tx = pools.writer().begin().await?;
    if pending(&mut tx).await?.is_none() {
        return Ok(None);
    }
    tx.rollback().await?;
    let mut tx = pools.writer().begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have done it while this one waited for the lock.
    let Some(next) = pending(&mut tx).await? else { return Ok(None) };
    sqlx::query(CREATE_TABLE).execute(&mut *tx).await?;
    sqlx::raw_sql(next.sql).execute(&mut *tx).await?;
    let record = sqlx::query(RECORD).bind(next.version).bind(next.name).bind(checksum(next)).bind(next.min_reader);
    record.execute(&mut *tx).await?;
    tx.commit().await?;
    tracing::info!(version = next.version, name = next.name, "the store's schema was migrated");
    Ok(Some(()))
}

fn checksum(of: &Migration) -> String {
    hex::encode(&hex::sha256(of.sql.as_bytes()))
}

/// The first step that is missing, after those that are there were checked.
async fn pending(tx: &mut Transaction<'static, Sqlite>) -> Result<Option<&'static Migration>, StoreError> {
    if sqlx::query(HAS_TABLE).fetch_optional(&mut **tx).await?.is_none() {
        return Ok(MIGRATIONS.first());
    }
    let mut done = 0;
    for row in sqlx::query(APPLIED).fetch_all(&mut **tx).await? {
        let (version, sum, min_reader): (i64, String, i64) =
            (row.try_get("version")?, row.try_get("checksum")?, row.try_get("min_reader")?);
        match MIGRATIONS.iter().find(|m| m.version == version) {
            Some(ours) if checksum(ours) != sum => {
                let message =
                    format!("step {version} of the schema is not this release's; the database was altered by another build");
                return Err(unsupported(message).into());
            }
            None if min_reader > newest() => {
                let message = format!("the schema (version {version}) is of a newer release; update this program");
                return Err(unsupported(message).into());
            }
            _ => done = done.max(version),
        }
    }
    Ok(MIGRATIONS.iter().find(|m| m.version > done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=newest()).collect::<Vec<_>>());
        assert!(MIGRATIONS.iter().all(|m| m.min_reader <= m.version));
    }
}
