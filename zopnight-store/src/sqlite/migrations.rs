//! The steps of SQLite's schema.

use crate::database::sql::Style;
use crate::database::{Database as _, Pools, sql};
use crate::error::StoreError;
use crate::migrate::{Migration, Schema, missing, pending, record};

use super::database::SqliteDatabase;

const STYLE: Style = Style::Question;

pub(super) static SCHEMA: Schema = Schema {
    migrations: &[
        Migration { version: 1, name: "jobs", sql: include_str!("../../migrations/sqlite/0001_jobs.sql"), min_reader: 1 },
        Migration {
            version: 2,
            name: "catalog",
            sql: include_str!("../../migrations/sqlite/0002_catalog.sql"),
            min_reader: 2,
        },
    ],
    has_table: sql!(STYLE, "SELECT 1 AS n FROM sqlite_master WHERE type = 'table' AND name = 'zopnight_migrations'"),
    create_table: "CREATE TABLE IF NOT EXISTS zopnight_migrations (
        version    INTEGER NOT NULL PRIMARY KEY,
        name       TEXT    NOT NULL,
        checksum   TEXT    NOT NULL,
        min_reader INTEGER NOT NULL,
        applied_at INTEGER NOT NULL
    ) STRICT",
    applied: sql!(STYLE, "SELECT version, checksum, min_reader FROM zopnight_migrations ORDER BY version"),
    record: sql!(
        STYLE,
        "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
         VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('subsec') * 1000000 AS INTEGER))"
    ),
};

/// Carries out what is missing, a transaction a step. The write lock of SQLite is the lock between processes.
pub(super) async fn migrate(pools: &Pools<SqliteDatabase>) -> Result<u32, StoreError> {
    let mut applied = 0_u32;
    while missing(pools).await?.is_some() {
        let mut tx = SqliteDatabase::begin_write(pools.writer()).await?;
        // Another process may have done it while this one waited for the lock.
        let Some(next) = pending::<SqliteDatabase>(&mut tx).await? else { break };
        sqlx::query(SCHEMA.create_table).execute(&mut *tx).await?;
        sqlx::raw_sql(next.sql).execute(&mut *tx).await?;
        record::<SqliteDatabase>(&mut tx, next).await?;
        tx.commit().await?;
        applied = applied.saturating_add(1);
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<i64> = SCHEMA.migrations.iter().map(|m| m.version).collect();
        assert_eq!(versions, [1, 2]);
        assert!(SCHEMA.migrations.iter().all(|m| m.min_reader <= m.version));
    }
}
