//! What the store asks of a database: transactions, its own texts of the statements, and the few operations whose shape
//! differs from one to the other.

mod any_row;
mod background;
mod bind;
mod doubt;
mod driver;
mod pools;
pub(crate) mod sql;
pub(crate) mod standard;
mod statements;

use std::fmt::Debug;

use zopnight_core::Result as CoreResult;
use zopnight_core::domain::{Lane, LeaseRef, WorkerId};

pub(crate) use any_row::{AnyRow, Cell, Unreadable};
pub(crate) use background::Background;
pub(crate) use bind::{Bind, binds};
pub(crate) use doubt::Doubt;
pub(crate) use driver::driver;
pub(crate) use pools::Pools;
pub(crate) use sql::{Sql, sql};
pub(crate) use statements::{CatalogSql, JobsSql};

use crate::engine::plan::JobInsert;
use crate::error::StoreError;
use crate::migrate::Schema;
use crate::options::StoreOptions;
use crate::session::Session;
use crate::telemetry::Connected;

/// A database with its statements. Its transactions read what was committed before each statement, or exclude each other.
pub(crate) trait Database: Debug + Send + Sync + Sized + 'static {
    /// Its name in messages and metrics.
    const NAME: &'static str;
    /// A writing transaction excludes every other, so that nothing need be locked.
    const EXCLUSIVE: bool;
    /// A write answers the rows it wrote.
    const RETURNING: bool;
    const JOBS: &'static JobsSql;
    const CATALOG: &'static CatalogSql;

    type Pool: Clone + Debug + Send + Sync;
    type Tx: Debug + Send;
    type Row: AnyRow;

    /// A transaction that may write.
    fn begin_write(pool: &Self::Pool) -> impl Future<Output = sqlx::Result<Self::Tx>> + Send;

    /// A transaction that reads one state.
    fn begin_read(pool: &Self::Pool) -> impl Future<Output = sqlx::Result<Self::Tx>> + Send;

    fn commit(tx: Self::Tx) -> impl Future<Output = sqlx::Result<()>> + Send;

    fn roll_back(tx: Self::Tx) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Runs a statement; answers how many rows it matched.
    fn execute(tx: &mut Self::Tx, sql: Sql, binds: &[Bind<'_>]) -> impl Future<Output = sqlx::Result<u64>> + Send;

    fn fetch(tx: &mut Self::Tx, sql: Sql, binds: &[Bind<'_>]) -> impl Future<Output = sqlx::Result<Vec<Self::Row>>> + Send;

    /// One statement by itself, without a transaction around it.
    fn fetch_alone(
        pool: &Self::Pool,
        sql: Sql,
        binds: &[Bind<'_>],
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Row>>> + Send;

    fn close(pool: &Self::Pool) -> impl Future<Output = ()> + Send;

    fn connected(pool: &Self::Pool) -> Connected;

    /// Brings the schema up to date, under this database's lock between processes; answers how many steps it carried out.
    fn migrate(pools: &Pools<Self>) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// The schema's steps and what records them.
    fn schema() -> &'static Schema;

    /// Whether the database can carry the store, and what to do if not.
    fn probe(pool: &Self::Pool, options: &StoreOptions) -> impl Future<Output = CoreResult<()>> + Send;

    /// Stores rows in the order given.
    fn insert_jobs(
        s: &mut Session<Self>,
        rows: &[JobInsert<'_>],
        now: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Leases the first `max` of a lane's line, skipping what others hold. `lease` in microseconds.
    fn claim(
        s: &mut Session<Self>,
        lane: Lane,
        max: u32,
        worker: &WorkerId,
        lease: i64,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;

    /// Prolongs leases; answers `seq`, `fence` and `cancel_asked` of those that are held. `lease` in microseconds.
    fn extend(
        s: &mut Session<Self>,
        leases: &[LeaseRef],
        lease: i64,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;

    /// Ends held leases as done; answers `seq`, `fence`, `org_id` and `serial_key`. Where transactions do not exclude each
    /// other, jobs with a serial key are left out.
    fn finish_done(
        s: &mut Session<Self>,
        leases: &[LeaseRef],
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
}
