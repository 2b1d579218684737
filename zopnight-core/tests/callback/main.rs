//! The build callback through its public surface.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod body;
mod common;
mod decision;
mod independent;
mod keys;
mod mutants;
mod refusal;
mod token;
