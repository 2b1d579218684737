//! One transaction: its primitive statements, and what is known in it.

mod catalog;
mod jobs;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zopnight_core::domain::{Lane, Timestamp};

pub(crate) use catalog::{EventInsert, json};
pub(crate) use jobs::{list, pairs};

use crate::database::{Bind, Database, Pools, Sql, binds};
use crate::error::StoreError;
use crate::instruments::Instruments;
use crate::options::StoreOptions;
use crate::wake::Wake;

/// A transaction. Dropped before its end, it rolls back. One reading of the clock and one of each lane's virtual time.
#[derive(Debug)]
pub(crate) struct Session<D: Database> {
    tx: D::Tx,
    operation: &'static str,
    instruments: Instruments,
    options: Arc<StoreOptions>,
    wake: Arc<Wake>,
    statements: u32,
    now: Option<Timestamp>,
    virtual_time: HashMap<Lane, i64>,
    locked: HashSet<(String, Lane)>,
    woke: bool,
}

impl<D: Database> Session<D> {
    pub(crate) async fn begin(tx: D::Tx, pools: &Pools<D>, operation: &'static str) -> Result<Self, StoreError> {
        let instruments = pools.instruments.clone();
        instruments.at(operation, "begin", 0).await?;
        Ok(Self {
            tx,
            operation,
            instruments,
            options: pools.shared_options(),
            wake: Arc::clone(pools.wake()),
            statements: 0,
            now: None,
            virtual_time: HashMap::new(),
            locked: HashSet::new(),
            woke: false,
        })
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        if let Err(error) = self.instruments.at(self.operation, "before_commit", 0).await {
            // Its locks are gone when the caller hears of the failure, as they are after any other.
            let _ = D::roll_back(self.tx).await;
            return Err(error);
        }
        D::commit(self.tx).await.map_err(|e| match StoreError::from(e) {
            StoreError::Link(cause) => StoreError::CommitUnknown(cause),
            other => other,
        })?;
        if self.woke {
            self.wake.ring();
        }
        self.instruments.at(self.operation, "after_commit", 0).await
    }

    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        Ok(D::roll_back(self.tx).await?)
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// A job becomes ready in this transaction, or will by itself.
    pub(crate) const fn wakes(&mut self) {
        self.woke = true;
    }

    /// The bind that replaces the database's clock; `None` outside tests.
    pub(crate) fn clock(&self) -> Option<i64> {
        self.instruments.now()
    }

    /// The time of this transaction, by the database's clock.
    pub(crate) async fn now(&mut self) -> Result<Timestamp, StoreError> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let clock = self.clock();
        if let Some(now) = clock.map(Timestamp::from_micros) {
            self.now = Some(now);
            return Ok(now);
        }
        let row = D::fetch(&mut self.tx, D::JOBS.now, binds![clock]).await?.pop();
        let cells = row.as_ref().map(|row| crate::row::Cells::of(row, "clock", "now"));
        let now = cells.ok_or(StoreError::Raced)?.time("now")?;
        self.now = Some(now);
        Ok(now)
    }

    /// The transaction has waited for its turn: what it read of the clock before is older than what came first.
    pub(crate) const fn now_later(&mut self) {
        self.now = None;
    }

    pub(crate) async fn exec(&mut self, sql: Sql, binds: &[Bind<'_>]) -> Result<u64, StoreError> {
        self.step().await?;
        Ok(D::execute(&mut self.tx, sql, binds).await?)
    }

    pub(crate) async fn rows(&mut self, sql: Sql, binds: &[Bind<'_>]) -> Result<Vec<D::Row>, StoreError> {
        self.step().await?;
        Ok(D::fetch(&mut self.tx, sql, binds).await?)
    }

    pub(crate) async fn row(&mut self, sql: Sql, binds: &[Bind<'_>]) -> Result<Option<D::Row>, StoreError> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        let nth = self.statements;
        self.statements = nth.saturating_add(1);
        self.instruments.at(self.operation, "statement", nth).await
    }
}
