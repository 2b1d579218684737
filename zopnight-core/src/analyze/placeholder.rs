//! Stands in until the engine lands: replace this file and its two lines in `mod.rs`.

use async_trait::async_trait;

use crate::domain::{Analysis, RepoPath};
use crate::ports::{AnalyzeRequest, Analyzer};

/// Recognises nothing yet.
#[derive(Debug, Default)]
pub struct StackAnalyzer;

#[async_trait]
impl Analyzer for StackAnalyzer {
    async fn analyze(&self, request: &AnalyzeRequest) -> crate::Result<Analysis> {
        Ok(Analysis::nothing(request.root_path.clone()))
    }
}

/// What is read first under `root`.
#[must_use]
pub fn first_reads(_root: &RepoPath) -> Vec<RepoPath> {
    Vec::new()
}
