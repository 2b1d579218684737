//! The build callback through its public surface.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
mod token;
