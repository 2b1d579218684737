//! Time and randomness as arguments.

use std::fmt::Debug;

use crate::domain::Timestamp;

/// The time.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Randomness for ids and jitter.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills `bytes`. It must be unpredictable where ids must be.
    fn fill(&self, bytes: &mut [u8]);
}
