//! One transaction and what is known in it.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, Transaction};
use zopnight_core::domain::{Lane, Timestamp};

use super::pool::Pools;
use super::sql_jobs;
use crate::error::StoreError;
use crate::instruments::Instruments;
use crate::options::StoreOptions;
use crate::wake::Wake;

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A transaction. Dropped before its end, it rolls back. One reading of the clock and one of each lane's virtual time.
#[derive(Debug)]
pub(crate) struct Session {
    tx: Transaction<'static, Sqlite>,
    operation: &'static str,
    instruments: Instruments,
    options: Arc<StoreOptions>,
    wake: Arc<Wake>,
    clock: Option<i64>,
    statements: u32,
    now: Option<Timestamp>,
    pub(super) virtual_time: HashMap<Lane, i64>,
    woke: bool,
}

impl Session {
    pub(super) async fn begin(
        tx: Transaction<'static, Sqlite>,
        pools: &Pools,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        let instruments = pools.instruments.clone();
        instruments.at(operation, "begin", 0).await?;
        Ok(Self {
            tx,
            operation,
            clock: instruments.now(),
            instruments,
            options: pools.shared_options(),
            wake: Arc::clone(pools.wake()),
            statements: 0,
            now: None,
            virtual_time: HashMap::new(),
            woke: false,
        })
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.instruments.at(self.operation, "before_commit", 0).await?;
        self.tx.commit().await.map_err(|e| match StoreError::from(e) {
            StoreError::Link(cause) => StoreError::CommitUnknown(cause),
            other => other,
        })?;
        if self.woke {
            self.wake.ring();
        }
        self.instruments.at(self.operation, "after_commit", 0).await
    }

    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// A job becomes ready in this transaction, or will by itself.
    pub(crate) const fn wakes(&mut self) {
        self.woke = true;
    }

    /// The bind that replaces the database's clock; `None` outside tests.
    pub(super) const fn clock(&self) -> Option<i64> {
        self.clock
    }

    /// The time of this transaction, by the database's clock.
    pub(crate) async fn now(&mut self) -> Result<Timestamp, StoreError> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let statement = sqlx::query_scalar::<_, i64>(sql_jobs::NOW).bind(self.clock);
        let now = Timestamp::from_micros(statement.fetch_one(&mut *self.tx).await?);
        self.now = Some(now);
        Ok(now)
    }

    pub(super) async fn exec(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        self.step().await?;
        Ok(statement.execute(&mut *self.tx).await?.rows_affected())
    }

    pub(super) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        self.step().await?;
        Ok(statement.fetch_all(&mut *self.tx).await?)
    }

    pub(super) async fn row(&mut self, statement: Statement<'_>) -> Result<Option<SqliteRow>, StoreError> {
        self.step().await?;
        Ok(statement.fetch_optional(&mut *self.tx).await?)
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        let nth = self.statements;
        self.statements = nth.saturating_add(1);
        self.instruments.at(self.operation, "statement", nth).await
    }
}
