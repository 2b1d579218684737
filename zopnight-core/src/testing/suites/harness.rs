//! What a store under test must let its suites do beyond its two ports.
//!
//! A capability that a store has no such thing for answers `None` or `false`. The case then asserts what that store promises
//! instead, and says so.

use std::fmt::Debug;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{JobId, Timestamp};
use crate::ports::Store;
use crate::testing::hook::Hook;
use crate::testing::peek::Peek;

/// A fresh, empty store with its default options, over a clock that the suite moves.
#[async_trait]
pub trait StoreHarness: Send + Sync {
    /// The store under test; the same on every call.
    fn store(&self) -> Arc<dyn Store>;

    /// A second handle on the same data with connections of its own, as another process has.
    fn other(&self) -> Arc<dyn Store>;

    /// The store under test on the connections of [`StoreHarness::store`], with `hook` asked at every point.
    fn hooked(&self, hook: Arc<dyn Hook>) -> Arc<dyn Store>;

    /// Now, by the store's clock.
    fn now(&self) -> Timestamp;

    /// Moves the store's clock forward.
    fn advance(&self, by: Duration);

    /// All rows of the store.
    async fn peek(&self) -> Peek;

    /// Every row of every table as text, bytes in lower-case hexadecimal: to look for what must never be stored.
    async fn raw(&self) -> String;

    /// Writes a cell of jobs' rows past every rule of the store, as a defect or another release would.
    async fn set(&self, jobs: &[JobId], cell: Cell);

    /// Locks a job's row in a transaction of a connection of its own.
    async fn lock(&self, job: JobId) -> Lock;

    /// How many transactions a handle can have open at once; `None` if nothing bounds them.
    fn connections(&self) -> Option<usize>;

    /// The same data opened so that it cannot be written; `None` if that cannot be.
    async fn read_only(&self) -> Option<Arc<dyn Store>>;

    /// A handle whose reading is counted; `None` if a store reads no rows.
    async fn metered(&self) -> Option<Box<dyn Metered>>;

    /// Cuts all connections of both handles from the server's side; `false` if there is no server.
    async fn cut(&self) -> bool;

    /// A fresh store on a server of its own; `None` if there is no server.
    async fn server(&self) -> Option<Box<dyn Server>>;

    /// Whether a job stored by one handle ends a wait of the other by itself.
    fn rings_across(&self) -> bool;
}

/// What the factory of a suite gives.
pub trait Given {
    /// The harness it is or has.
    type Harness: StoreHarness;

    /// The harness; `None` where the machine lacks a part of it, which the factory has told.
    fn given(self) -> Option<Self::Harness>;
}

impl<H: StoreHarness> Given for H {
    type Harness = H;

    fn given(self) -> Option<H> {
        Some(self)
    }
}

impl<H: StoreHarness> Given for Option<H> {
    type Harness = H;

    fn given(self) -> Self {
        self
    }
}

/// Tells, on the real standard error, what a case checks of a store that has no such thing as the case is named for.
pub(super) fn instead(lacks: &str, checked: &str) {
    let thread = std::thread::current();
    let case = thread.name().unwrap_or("a case");
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "{case}: this store has no {lacks}; checked instead: {checked}");
}

/// A cell of a job's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Its kind.
    Kind(&'static str),
    /// Its payload.
    Payload(String),
    /// Its serial key.
    Serial(Option<&'static str>),
    /// Its count of lost leases; no release writes a negative one.
    Losses(i64),
    /// `blocked` on a serial key, at place 0, whatever it was.
    BlockedOnSerial,
}

/// What a foreign transaction holds.
#[derive(Debug)]
pub enum Lock {
    /// The row.
    Row(Box<dyn Foreign>),
    /// The right to write anything: the store has no smaller lock.
    Whole(Box<dyn Foreign>),
    /// Nothing: no other connection can be made.
    None,
}

/// A transaction that the store did not begin.
#[async_trait]
pub trait Foreign: Debug + Send {
    /// Rolls it back; its locks are free when this returns.
    async fn end(self: Box<Self>);
}

/// A handle whose reading is counted.
#[async_trait]
pub trait Metered: Send + Sync {
    /// The handle.
    fn store(&self) -> Arc<dyn Store>;

    /// What it has read so far: rows, or any unit of work that grows with them.
    async fn reads(&self) -> u64;
}

/// A store on a server of its own.
#[async_trait]
pub trait Server: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Kills the server as a power cut would, starts it again, and returns at once.
    async fn kill_and_start(&self);
}
