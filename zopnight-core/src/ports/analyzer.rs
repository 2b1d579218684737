//! Tells how a directory would be built and run.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::source_tree::SourceTree;
use crate::domain::{Analysis, RepoPath};
use crate::error::Result;

/// Tells how a directory of a commit would be built and run, and why. Total and deterministic: any tree gives an answer or
/// a typed error, the same tree the same bytes.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Analyzer: Debug + Send + Sync + 'static {
    /// Analyses one directory. "Nothing recognised" is an `Ok` answer with `language: None`.
    ///
    /// # Errors
    /// `Invalid` (`root_path_not_a_directory`) if the root path is a file, `NotFound` (`root_path_not_found`) if it is not in
    /// the tree, `Unsupported` (`root_path_submodule`) if it is a submodule; otherwise only errors of the tree.
    async fn analyze(&self, request: &AnalyzeRequest) -> Result<Analysis>;
}

/// What to analyse.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AnalyzeRequest {
    /// The commit's files.
    pub tree: Arc<dyn SourceTree>,
    /// The app's directory.
    pub root_path: RepoPath,
    /// Last segment of the repository's name; it names the app's directory when the root is `.`.
    pub repository_name: Box<str>,
    /// The build arguments named `RAILPACK_*` or `CGO_ENABLED`.
    pub railpack_env: BTreeMap<String, String>,
}

impl AnalyzeRequest {
    /// A request without Railpack variables.
    #[must_use]
    pub fn new(tree: Arc<dyn SourceTree>, root_path: RepoPath, repository_name: &str) -> Self {
        Self { tree, root_path, repository_name: repository_name.into(), railpack_env: BTreeMap::new() }
    }

    /// With these Railpack variables.
    #[must_use]
    pub fn with_railpack_env(mut self, env: BTreeMap<String, String>) -> Self {
        self.railpack_env = env;
        self
    }
}
