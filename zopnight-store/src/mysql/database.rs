//! How MySQL and MariaDB carry the store.

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{MySql, Row as _, Transaction};
use uuid::Uuid;
use zopnight_core::Result;
use zopnight_core::domain::{Lane, LeaseRef, WorkerId};

use super::pool::Connections;
use super::sql_catalog::CATALOG;
use super::sql_jobs::{INSERTS, JOBS, OWN};
use super::{migrations, probe};
use crate::database::{AnyRow, Bind, CatalogSql, Database, JobsSql, Pools, Sql, Unreadable, binds, driver};
use crate::engine::plan::JobInsert;
use crate::error::StoreError;
use crate::migrate::Schema;
use crate::options::StoreOptions;
use crate::row::Cells;
use crate::session::{Session, list, pairs};
use crate::telemetry::Connected;

driver!(MySql, MySqlRow, MySqlArguments);

/// How often a claim looks further down the line for what others are not claiming.
const ROUNDS: u32 = 8;

/// MySQL and MariaDB under READ COMMITTED: rows are locked, by their primary key, before they are judged.
#[derive(Debug)]
pub(crate) struct MySqlDatabase;

impl Database for MySqlDatabase {
    const NAME: &'static str = "mysql";
    const EXCLUSIVE: bool = false;
    const RETURNING: bool = false;
    const JOBS: &'static JobsSql = &JOBS;
    const CATALOG: &'static CatalogSql = &CATALOG;

    type Pool = Connections;
    type Tx = Transaction<'static, MySql>;
    type Row = MySqlRow;

    /// A caller that is dropped while its transaction begins leaves it open, empty, on the connection: it is ended first where
    /// the isolation is set, which is refused inside a transaction.
    async fn begin_write(pool: &Connections) -> sqlx::Result<Self::Tx> {
        let statement = if pool.are_ours {
            "START TRANSACTION"
        } else {
            "ROLLBACK; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION"
        };
        pool.pool.begin_with(statement).await
    }

    async fn begin_read(pool: &Connections) -> sqlx::Result<Self::Tx> {
        pool.pool.begin_with("ROLLBACK; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY").await
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

    async fn fetch(tx: &mut Self::Tx, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<Vec<MySqlRow>> {
        fetch(tx, sql, binds).await
    }

    async fn fetch_alone(pool: &Connections, sql: Sql, binds: &[Bind<'_>]) -> sqlx::Result<Vec<MySqlRow>> {
        fetch_alone(&pool.pool, sql, binds).await
    }

    async fn close(pool: &Connections) {
        pool.pool.close().await;
    }

    fn connected(pool: &Connections) -> Connected {
        connected(&pool.pool)
    }

    fn schema() -> &'static Schema {
        &migrations::SCHEMA
    }

    async fn migrate(pools: &Pools<Self>) -> Result<u32, StoreError> {
        migrations::migrate(pools).await
    }

    async fn probe(pool: &Connections, _: &StoreOptions) -> Result<()> {
        probe::probe(pool).await
    }

    async fn insert_jobs(s: &mut Session<Self>, rows: &[JobInsert<'_>], now: i64) -> Result<(), StoreError> {
        let mut rest = rows;
        while let Some((n, _, sql)) = INSERTS.iter().find(|(n, ..)| *n <= rest.len()) {
            let (now_stored, later) = rest.split_at(*n);
            let binds: Vec<Bind<'_>> = now_stored.iter().flat_map(|row| row.binds(now)).collect();
            s.exec(*sql, &binds).await?;
            rest = later;
        }
        Ok(())
    }

    /// Candidates are read without a lock and then locked by their primary key, skipping what others hold: a locking read of
    /// the line would take the index first and the row second, an UPDATE the other way round.
    async fn claim(
        s: &mut Session<Self>,
        lane: Lane,
        max: u32,
        worker: &WorkerId,
        lease: i64,
    ) -> Result<Vec<MySqlRow>, StoreError> {
        let mut candidates = s.rows(OWN.candidates, binds![lane.as_str(), max]).await?;
        let mut picked = Vec::new();
        let mut missing = max;
        for _ in 0..ROUNDS {
            let asked = missing;
            let full = u32::try_from(candidates.len()).is_ok_and(|n| n >= asked);
            let (rows, last) = pick(s, &candidates).await?;
            missing = missing.saturating_sub(u32::try_from(rows.len()).unwrap_or(missing));
            picked.extend(rows);
            let Some((place, seq)) = last.filter(|_| full && missing > 0) else { break };
            candidates = s.rows(OWN.candidates_after, binds![lane.as_str(), place, seq, missing]).await?;
        }
        if picked.is_empty() {
            return Ok(picked);
        }
        let seqs = list(&seqs(&picked)?)?;
        s.exec(OWN.lease, binds![s.clock(), &seqs, worker.as_str(), lease]).await?;
        Ok(picked)
    }

    async fn extend(s: &mut Session<Self>, leases: &[LeaseRef], lease: i64) -> Result<Vec<MySqlRow>, StoreError> {
        let pairs = pairs(leases)?;
        s.exec(OWN.extend, binds![s.clock(), lease, &pairs]).await?;
        s.rows(OWN.extended, binds![&pairs]).await
    }

    async fn finish_done(s: &mut Session<Self>, leases: &[LeaseRef]) -> Result<Vec<MySqlRow>, StoreError> {
        let pairs = pairs(leases)?;
        s.exec(OWN.finish_done, binds![s.clock(), &pairs]).await?;
        s.rows(OWN.finished, binds![&pairs]).await
    }
}

fn seqs(rows: &[MySqlRow]) -> Result<Vec<i64>, StoreError> {
    rows.iter().map(|row| Cells::of(row, "jobs", "seq").get("seq")).collect()
}

/// Locks candidates; answers those that nobody else held, and the last place in line that was looked at.
async fn pick(
    s: &mut Session<MySqlDatabase>,
    candidates: &[MySqlRow],
) -> Result<(Vec<MySqlRow>, Option<(i64, i64)>), StoreError> {
    let Some(last) = candidates.last() else { return Ok((Vec::new(), None)) };
    let last = Cells::of(last, "jobs", "seq");
    let last = (last.get("place")?, last.get("seq")?);
    let mut wanted = seqs(candidates)?;
    wanted.sort_unstable();
    let rows = s.rows(OWN.pick, binds![s.clock(), &list(&wanted)?]).await?;
    Ok((rows, Some(last)))
}

impl AnyRow for MySqlRow {
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
