//! How SQLite carries the store.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Connection as _, Row as _, SqlSafeStr as _, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;
use zopnight_core::domain::{Lane, LeaseRef, WorkerId};
use zopnight_core::{Error, ErrorKind, Result};

use super::migrations;
use super::sql_catalog::CATALOG;
use super::sql_jobs::{JOBS, OWN};
use crate::database::{AnyRow, Bind, CatalogSql, Database, JobsSql, Pools, Sql, Unreadable, binds, driver};
use crate::engine::plan::JobInsert;
use crate::error::StoreError;
use crate::migrate::Schema;
use crate::options::StoreOptions;
use crate::session::{Session, list, pairs};
use crate::telemetry::Connected;

driver!(Sqlite, SqliteRow, SqliteArguments);

/// A connection that can begin a transaction. Where the disk is full SQLite ends a transaction by itself, and sqlx counts it
/// as open for ever; such a connection is closed.
async fn sound(pool: &SqlitePool) -> sqlx::Result<PoolConnection<Sqlite>> {
    loop {
        let connection = pool.acquire().await?;
        if !connection.is_in_transaction() {
            return Ok(connection);
        }
        connection.close().await?;
    }
}

/// SQLite: one connection writes, under the lock of the whole database.
#[derive(Debug)]
pub(crate) struct SqliteDatabase;

impl Database for SqliteDatabase {
    const NAME: &'static str = "sqlite";
    const EXCLUSIVE: bool = true;
    const RETURNING: bool = true;
    const JOBS: &'static JobsSql = &JOBS;
    const CATALOG: &'static CatalogSql = &CATALOG;

    type Pool = SqlitePool;
    type Tx = Transaction<'static, Sqlite>;
    type Row = SqliteRow;

    /// Takes the write lock at once: a deferred transaction would fail without waiting when it turns to writing after
    /// another wrote.
    async fn begin_write(pool: &SqlitePool) -> sqlx::Result<Self::Tx> {
        Transaction::begin(sound(pool).await?, Some("BEGIN IMMEDIATE".into_sql_str())).await
    }

    async fn begin_read(pool: &SqlitePool) -> sqlx::Result<Self::Tx> {
        Transaction::begin(sound(pool).await?, None).await
    }

    async fn commit(tx: Self::Tx) -> sqlx::Result<()> {
        tx.commit().await
    }

    async fn roll_back(tx: Self::Tx) -> sqlx::Result<()> {
        tx.rollback().await
    }

    async fn execute(tx: &mut Self::Tx, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<u64> {
        execute(tx, sql, binds).await
    }

    async fn fetch(tx: &mut Self::Tx, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<Vec<SqliteRow>> {
        fetch(tx, sql, binds).await
    }

    async fn fetch_alone(pool: &SqlitePool, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<Vec<SqliteRow>> {
        fetch_alone(pool, sql, binds).await
    }

    async fn close(pool: &SqlitePool) {
        pool.close().await;
    }

    fn connected(pool: &SqlitePool) -> Connected {
        connected(pool)
    }

    fn schema() -> &'static Schema {
        &migrations::SCHEMA
    }

    async fn migrate(pools: &Pools<Self>) -> Result<u32, StoreError> {
        migrations::migrate(pools).await
    }

    async fn probe(pool: &SqlitePool, _: &StoreOptions) -> Result<()> {
        let of = |e: sqlx::Error| StoreError::from(e).into_core("store.connect");
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await.map_err(of)?;
        if is_supported(&version) {
            return Ok(());
        }
        let message = format!("SQLite {version} is too old; 3.42 or newer is needed");
        Err(Error::new(ErrorKind::Unsupported, "store.connect", message))
    }

    async fn insert_jobs(s: &mut Session<Self>, rows: &[JobInsert<'_>], now: i64) -> Result<(), StoreError> {
        s.exec(OWN.insert, binds![&list(rows)?, now]).await?;
        Ok(())
    }

    async fn claim(
        s: &mut Session<Self>,
        lane: Lane,
        max: u32,
        worker: &WorkerId,
        lease: i64,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        s.rows(OWN.claim, binds![s.clock(), lane.as_str(), max, worker.as_str(), lease]).await
    }

    async fn extend(s: &mut Session<Self>, leases: &[LeaseRef], lease: i64) -> Result<Vec<SqliteRow>, StoreError> {
        s.rows(OWN.extend, binds![s.clock(), lease, &pairs(leases)?]).await
    }

    async fn finish_done(s: &mut Session<Self>, leases: &[LeaseRef]) -> Result<Vec<SqliteRow>, StoreError> {
        s.rows(OWN.finish_done, binds![s.clock(), &pairs(leases)?]).await
    }
}

fn is_supported(version: &str) -> bool {
    let mut parts = version.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (3, 42)
}

impl AnyRow for SqliteRow {
    fn int(&self, column: &str) -> Result<Option<i64>, Unreadable> {
        self.try_get(column).map_err(|_| Unreadable)
    }

    fn text(&self, column: &str) -> Result<Option<&str>, Unreadable> {
        self.try_get(column).map_err(|_| Unreadable)
    }

    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, Unreadable> {
        self.try_get(column).map_err(|_| Unreadable)
    }

    fn id(&self, column: &str) -> Result<Option<Uuid>, Unreadable> {
        self.try_get(column).map_err(|_| Unreadable)
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, Unreadable> {
        Ok(self.int(column)?.map(|n| n != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(is_supported("3.42.0") && is_supported("3.100.1") && is_supported("4.0"));
        assert!(!is_supported("3.41.9") && !is_supported("3.9.2") && !is_supported(""));
    }
}
