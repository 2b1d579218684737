//! The steps of PostgreSQL's schema.

use super::database::PostgresDatabase;
use crate::database::sql::Style;
use crate::database::{Database as _, Pools, sql};
use crate::error::StoreError;
use crate::migrate::{Migration, Schema, missing, pending, record};

const STYLE: Style = Style::Dollar;

/// Held until the step's transaction ends: processes that migrate at the same moment wait for each other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(2054090862)";

/// A step may take longer than a statement may.
const UNHURRIED: &str = "SET LOCAL statement_timeout = 0";

pub(super) static SCHEMA: Schema = Schema {
    migrations: &[
        Migration { version: 1, name: "jobs", sql: include_str!("../../migrations/postgres/0001_jobs.sql"), min_reader: 1 },
        Migration {
            version: 2,
            name: "catalog",
            sql: include_str!("../../migrations/postgres/0002_catalog.sql"),
            min_reader: 2,
        },
    ],
    has_table: sql!(STYLE, "SELECT 1 AS n WHERE to_regclass('zopnight_migrations') IS NOT NULL"),
    create_table: "CREATE TABLE IF NOT EXISTS zopnight_migrations (
        version    BIGINT NOT NULL PRIMARY KEY,
        name       TEXT   NOT NULL,
        checksum   TEXT   NOT NULL,
        min_reader BIGINT NOT NULL,
        applied_at BIGINT NOT NULL
    )",
    applied: sql!(STYLE, "SELECT version, checksum, min_reader FROM zopnight_migrations ORDER BY version"),
    record: sql!(
        STYLE,
        "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
         VALUES (?1, ?2, ?3, ?4, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    ),
};

/// Carries out what is missing, a transaction a step.
pub(super) async fn migrate(pools: &Pools<PostgresDatabase>) -> Result<u32, StoreError> {
    let mut applied = 0_u32;
    while missing(pools).await?.is_some() {
        let mut tx = PostgresDatabase::begin_write(pools.writer()).await?;
        sqlx::query(LOCK).execute(&mut *tx).await?;
        // Another process may have done it while this one waited for the lock.
        let Some(next) = pending::<PostgresDatabase>(&mut tx).await? else { break };
        sqlx::query(UNHURRIED).execute(&mut *tx).await?;
        sqlx::query(SCHEMA.create_table).execute(&mut *tx).await?;
        sqlx::raw_sql(next.sql).execute(&mut *tx).await?;
        record::<PostgresDatabase>(&mut tx, next).await?;
        tx.commit().await?;
        applied = applied.saturating_add(1);
    }
    Ok(applied)
}
