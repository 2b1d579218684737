//! The steps of MySQL's schema. Each is one statement that may be repeated: a schema statement commits at once, so that a
//! crash may come between it and its record.

use sqlx::{MySql, Transaction};
use zopnight_core::{Error, ErrorKind};

use super::database::MySqlDatabase;
use super::pool::SET_STATEMENT_LIMIT;
use crate::database::sql::Style;
use crate::database::{Database as _, Pools, Sql, binds, sql};
use crate::error::StoreError;
use crate::migrate::{Migration, Schema, missing, pending, record};
use crate::row::Cells;

const STYLE: Style = Style::Bare;

/// Held by one connection until it is given back. 1 = it is ours; anything else, NULL too, is not.
const LOCK: Sql = sql!(STYLE, "SELECT GET_LOCK(LEFT(CONCAT('zopnight_migrate:', DATABASE()), 64), 30) AS n");

/// The session's limit of a statement, in milliseconds.
const LIMIT: Sql = sql!(
    STYLE,
    "SELECT CAST(0 /*M! + @@SESSION.max_statement_time * 1000 */ /*!80016 + @@SESSION.max_execution_time */ AS SIGNED) AS n"
);

/// ?1 milliseconds
const SET_LIMIT: Sql = Sql { text: SET_STATEMENT_LIMIT, order: &[] };

const UNLOCK: Sql = sql!(STYLE, "SELECT RELEASE_LOCK(LEFT(CONCAT('zopnight_migrate:', DATABASE()), 64)) AS n");

macro_rules! steps {
    ($($version:literal $name:literal $file:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/mysql/", $file, ".sql")),
            min_reader: $version,
        }),+]
    };
}

pub(super) static SCHEMA: Schema = Schema {
    migrations: steps![
        1 "jobs" "0001_jobs",
        2 "turns" "0002_turns",
        3 "orgs" "0003_orgs",
        4 "deployments" "0004_deployments",
        5 "revisions" "0005_revisions",
        6 "build_attempts" "0006_build_attempts",
        7 "build_logs" "0007_build_logs",
        8 "events" "0008_events",
        9 "idempotency" "0009_idempotency",
    ],
    has_table: sql!(
        STYLE,
        "SELECT 1 AS n FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name = 'zopnight_migrations'"
    ),
    create_table: "CREATE TABLE IF NOT EXISTS zopnight_migrations (
        version    BIGINT NOT NULL PRIMARY KEY,
        name       VARCHAR(64) NOT NULL,
        checksum   VARCHAR(64) NOT NULL,
        min_reader BIGINT NOT NULL,
        applied_at BIGINT NOT NULL
    ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin",
    applied: sql!(STYLE, "SELECT version, checksum, min_reader FROM zopnight_migrations ORDER BY version"),
    record: sql!(
        STYLE,
        "INSERT INTO zopnight_migrations (version, name, checksum, min_reader, applied_at)
         VALUES (?1, ?2, ?3, ?4, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))"
    ),
};

/// Carries out what is missing, on one connection that holds the lock.
pub(super) async fn migrate(pools: &Pools<MySqlDatabase>) -> Result<u32, StoreError> {
    if missing(pools).await?.is_none() {
        return Ok(0);
    }
    let mut tx = MySqlDatabase::begin_write(pools.writer()).await?;
    // Waiting for others, and changing a large table, may take longer than a statement may.
    let limit = number(&mut tx, LIMIT).await?.unwrap_or(0);
    MySqlDatabase::execute(&mut tx, SET_LIMIT, binds![0_i64]).await?;
    let applied = locked(&mut tx).await;
    MySqlDatabase::execute(&mut tx, SET_LIMIT, binds![limit]).await?;
    tx.commit().await?;
    applied
}

async fn number(tx: &mut Transaction<'static, MySql>, sql: Sql) -> Result<Option<i64>, StoreError> {
    let row = MySqlDatabase::fetch(tx, sql, &[]).await?.pop();
    Ok(row.map(|row| Cells::of(&row, "session", "n").opt("n")).transpose()?.flatten())
}

async fn locked(tx: &mut Transaction<'static, MySql>) -> Result<u32, StoreError> {
    if number(tx, LOCK).await? != Some(1) {
        let message = "another process migrates the schema and did not end within 30 s; try again";
        return Err(Error::new(ErrorKind::Unavailable, "store.migrate", message).with("code", "store_busy").into());
    }
    let applied = carry_out(tx).await;
    // A lock that cannot be given back goes with its connection.
    let _ = MySqlDatabase::fetch(tx, UNLOCK, &[]).await;
    applied
}

async fn carry_out(tx: &mut Transaction<'static, MySql>) -> Result<u32, StoreError> {
    let mut applied = 0_u32;
    while let Some(next) = pending::<MySqlDatabase>(tx).await? {
        sqlx::raw_sql(SCHEMA.create_table).execute(&mut **tx).await?;
        sqlx::raw_sql(next.sql).execute(&mut **tx).await?;
        record::<MySqlDatabase>(tx, next).await?;
        applied = applied.saturating_add(1);
    }
    Ok(applied)
}
