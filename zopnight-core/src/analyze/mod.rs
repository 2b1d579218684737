//! What a directory of a repository is: pure detection over a snapshot.
//!
//! [`StackAnalyzer`] implements [`crate::ports::Analyzer`]: synchronous detectors over what is known of the tree, run in at
//! most four passes with up to three rounds of fetching between them. [`DirectoryTree`] shows it a directory on disk.

mod candidates;
mod config;
mod diagnostic;
mod dir_tree;
mod dockerfile;
mod engine;
mod evidence;
mod framework;
mod gather;
mod glob;
mod health;
mod language;
mod links;
mod parse;
mod platform;
mod port;
mod railpack;
mod root;
mod snapshot;
mod source;
mod start_flags;
mod verdict;
mod view;
mod wants;

pub use config::AnalyzeConfig;
pub use dir_tree::DirectoryTree;
pub use engine::{StackAnalyzer, first_reads};
pub use links::{Step, follow};
