//! For tests (feature `testing`): a clock as an argument, crashes at chosen points, a look at the raw rows.

mod peek;

use std::fmt::Debug;
use std::sync::Arc;

use zopnight_core::ports::Clock;

pub use peek::{Raw, peek};

use crate::database::{Database, Pools};
use crate::store::SqlStore;

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

/// A store that takes instruments. Implemented by the stores of this crate, and for them alone.
pub trait Instrumented: Raw + Sized {
    /// The store with `clock` in the place of the database's clock.
    #[must_use]
    fn with_clock(self, clock: Arc<dyn Clock>) -> Self;

    /// The store with `hook` asked at every point.
    #[must_use]
    fn hooked(self, hook: Arc<dyn Hook>) -> Self;
}

/// The store with `clock` in the place of the database's clock.
#[must_use]
pub fn with_clock<S: Instrumented>(store: S, clock: Arc<dyn Clock>) -> S {
    store.with_clock(clock)
}

impl<D: Database> SqlStore<D> {
    fn instruments(&mut self) -> &mut crate::instruments::Instruments {
        let pools: &mut Pools<D> = &mut self.pools;
        &mut pools.instruments
    }
}

macro_rules! instrumented {
    ($(#[$gate:meta] $store:ty),+ $(,)?) => {
        $(#[$gate]
        impl Instrumented for $store {
            fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
                self.inner.instruments().clock = Some(clock);
                self
            }

            fn hooked(mut self, hook: Arc<dyn Hook>) -> Self {
                self.inner.instruments().hook = Some(hook);
                self
            }
        }

        #[$gate]
        impl $store {
            /// The store with `hook` asked at every point.
            #[must_use]
            pub fn with_hook(self, hook: Arc<dyn Hook>) -> Self {
                self.hooked(hook)
            }
        }

        #[$gate]
        impl peek::sealed::Sealed for $store {}

        #[$gate]
        #[async_trait::async_trait]
        impl Raw for $store {
            async fn raw(&self) -> zopnight_core::Result<zopnight_core::testing::peek::Peek> {
                peek::read(&self.inner.pools).await.map_err(|e| e.into_core("testing.peek"))
            }
        })+
    };
}

instrumented!(
    #[cfg(feature = "sqlite")]
    crate::sqlite::SqliteStore,
    #[cfg(feature = "mysql")]
    crate::mysql::MySqlStore,
    #[cfg(feature = "postgres")]
    crate::postgres::PostgresStore,
);

/// A statement by name, as a database gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name in the store.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Every statement of the backend `sqlite`, `mysql` or `postgres`; none of one that is not built in.
#[must_use]
pub fn statements(backend: &str) -> Vec<Statement> {
    let named: Vec<(&'static str, &'static str)> = match backend {
        #[cfg(feature = "sqlite")]
        "sqlite" => crate::sqlite::statements(),
        #[cfg(feature = "mysql")]
        "mysql" => crate::mysql::statements(),
        #[cfg(feature = "postgres")]
        "postgres" => crate::postgres::statements(),
        _ => Vec::new(),
    };
    named.into_iter().map(|(name, text)| Statement { name, text }).collect()
}
