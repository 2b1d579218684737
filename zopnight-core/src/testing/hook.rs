//! Points at which a test can crash or stall a store.

use std::fmt::Debug;

/// Where an operation of a store stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// The operation, such as `queue.claim` or `store.apply`.
    pub operation: &'static str,
    /// `begin` of a transaction, `statement` before each of its statements, `before_commit`, `after_commit`.
    pub step: &'static str,
    /// Which statement of the transaction is about to run, from 0; 0 at the other steps.
    pub nth: u32,
}

impl Point {
    /// Whether the transaction is committed here: all of it is stored, whatever its caller hears.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.step == "after_commit"
    }
}

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
    Hang,
}

/// Asked at every point of every transaction, also of those that only read where a store has such.
///
/// It may block its thread for a while, so that a test can let another act meanwhile.
pub trait Hook: Debug + Send + Sync + 'static {
    /// What happens at `point`.
    fn at(&self, point: &Point) -> Act;
}
