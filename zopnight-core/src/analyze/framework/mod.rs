//! Frameworks: one table, one row each, and the rules that need more than a row.

mod detect;
mod features;
pub(crate) mod gofr;
mod table;

pub(crate) use detect::{Framework, detect};
pub(crate) use features::health;
