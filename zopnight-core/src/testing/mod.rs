//! Fakes with state for every port, the memory store, and one conformance suite per port (feature `testing`).

pub mod fakes;
pub mod hook;
pub mod memory;
pub mod peek;
pub mod recorder;
pub mod sim;
mod skip;
pub mod suites;
pub mod tree;

pub use skip::skipped;
