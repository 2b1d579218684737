//! What a directory of a repository is: pure detection over a snapshot.

mod dir_tree;
mod links;

pub use dir_tree::DirectoryTree;
pub use links::{Step, follow};

mod placeholder;
pub use placeholder::{StackAnalyzer, first_reads};
