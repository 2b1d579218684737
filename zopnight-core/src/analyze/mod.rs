//! What a directory of a repository is: pure detection over a snapshot.

mod links;

pub use links::{Step, follow};
