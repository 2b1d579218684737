//! For tests (feature `testing`): a clock as an argument, crashes at chosen points, a look at the raw rows.

mod peek;

use std::fmt::Debug;
use std::sync::Arc;

use zopnight_core::ports::Clock;

use crate::sqlite::SqliteStore;

pub use peek::{Damage, damage, peek};

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// The operation, such as `queue.claim` or `store.apply`.
    pub operation: &'static str,
    /// One of [`STEPS`].
    pub step: &'static str,
    /// Which statement of the transaction is about to run, from 0; 0 at the other steps.
    pub nth: u32,
}

/// The steps of every transaction: after its begin, before each statement, before and after its commit.
pub const STEPS: [&str; 4] = ["begin", "statement", "before_commit", "after_commit"];

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Go,
    /// The connection is gone: the transaction rolls back and, before its commit, is run once more.
    DropConnection,
    /// The database fails: the transaction rolls back and the caller gets the error.
    Fail,
    /// The commit happened and its answer is lost. Before the commit the same as `Fail`.
    LoseAnswer,
    /// Waits for ever, so that a test can drop the future there.
    Stall,
}

/// Asked at every point of every transaction.
pub trait Hook: Debug + Send + Sync + 'static {
    /// What happens at `point`.
    fn at(&self, point: &Point) -> Act;
}

/// The store with `clock` in the place of the database's clock.
#[must_use]
pub fn with_clock(mut store: SqliteStore, clock: Arc<dyn Clock>) -> SqliteStore {
    store.pools.instruments.clock = Some(clock);
    store
}

impl SqliteStore {
    /// The store with `hook` asked at every point.
    #[must_use]
    pub fn with_hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.pools.instruments.hook = Some(hook);
        self
    }
}
