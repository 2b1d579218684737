//! How PostgreSQL carries the store.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgPool, Postgres, Row as _, Transaction};
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

const OLDEST: i32 = 130_000;

driver!(Postgres, PgRow, PgArguments);

/// PostgreSQL: each statement reads what was committed before it; rows are locked before they are judged.
#[derive(Debug)]
pub(crate) struct PostgresDatabase;

impl Database for PostgresDatabase {
    const NAME: &'static str = "postgres";
    const EXCLUSIVE: bool = false;
    const RETURNING: bool = true;
    const JOBS: &'static JobsSql = &JOBS;
    const CATALOG: &'static CatalogSql = &CATALOG;

    type Pool = PgPool;
    type Tx = Transaction<'static, Postgres>;
    type Row = PgRow;

    async fn begin_write(pool: &PgPool) -> sqlx::Result<Self::Tx> {
        pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    async fn begin_read(pool: &PgPool) -> sqlx::Result<Self::Tx> {
        pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
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

    async fn fetch(tx: &mut Self::Tx, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<Vec<PgRow>> {
        fetch(tx, sql, binds).await
    }

    async fn fetch_alone(pool: &PgPool, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<Vec<PgRow>> {
        fetch_alone(pool, sql, binds).await
    }

    async fn close(pool: &PgPool) {
        pool.close().await;
    }

    fn connected(pool: &PgPool) -> Connected {
        connected(pool)
    }

    fn schema() -> &'static Schema {
        &migrations::SCHEMA
    }

    async fn migrate(pools: &Pools<Self>) -> Result<u32, StoreError> {
        migrations::migrate(pools).await
    }

    async fn probe(pool: &PgPool, _: &StoreOptions) -> Result<()> {
        let of = |e: sqlx::Error| StoreError::from(e).into_core("store.connect");
        let number = "SELECT current_setting('server_version_num')::int";
        is_supported(sqlx::query_scalar(number).fetch_one(pool).await.map_err(of)?)
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
    ) -> Result<Vec<PgRow>, StoreError> {
        s.rows(OWN.claim, binds![s.clock(), lane.as_str(), max, worker.as_str(), lease]).await
    }

    async fn extend(s: &mut Session<Self>, leases: &[LeaseRef], lease: i64) -> Result<Vec<PgRow>, StoreError> {
        s.rows(OWN.extend, binds![s.clock(), lease, &pairs(leases)?]).await
    }

    async fn finish_done(s: &mut Session<Self>, leases: &[LeaseRef]) -> Result<Vec<PgRow>, StoreError> {
        s.rows(OWN.finish_done, binds![s.clock(), &pairs(leases)?]).await
    }
}

/// Refuses a server, by its version's number, that is too old.
fn is_supported(version: i32) -> Result<()> {
    if version >= OLDEST {
        return Ok(());
    }
    let message = format!("PostgreSQL {} is too old; use 13 or newer", version / 10_000);
    Err(Error::new(ErrorKind::Unsupported, "store.connect", message).with("code", "store_version"))
}

impl AnyRow for PgRow {
    /// Counts and times are `bigint`, counters `int`.
    fn int(&self, column: &str) -> Result<Option<i64>, Unreadable> {
        let narrow = || Ok(self.try_get::<Option<i32>, _>(column)?.map(i64::from));
        self.try_get(column).or_else(|_| narrow()).map_err(|_: sqlx::Error| Unreadable)
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
        self.try_get(column).map_err(|_| Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused_with_what_to_do() {
        assert!(is_supported(130_000).is_ok() && is_supported(170_004).is_ok());
        let error = is_supported(120_019).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("12") && error.message().contains("13 or newer"), "{error}");
    }
}
