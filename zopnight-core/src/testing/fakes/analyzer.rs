//! An analyzer that answers what it was told.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::faults::{Faults, lock};
use crate::domain::analysis::Builder;
use crate::domain::{Analysis, HealthPath, Port, RepoPath};
use crate::error::Result;
use crate::ports::{AnalyzeRequest, Analyzer};

/// An [`Analyzer`] that answers what it was told, for any tree. Its fault is named `analyze`.
#[derive(Debug)]
pub struct FakeAnalyzer {
    answer: Mutex<Analysis>,
    faults: Faults,
}

impl FakeAnalyzer {
    /// Answers a Dockerfile in the root, port 8080 and `/health`.
    ///
    /// # Panics
    /// Never: the constants are valid.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut answer = Analysis::nothing(RepoPath::root());
        answer.language = Some("go".to_owned());
        answer.dockerfile = Some(RepoPath::parse("Dockerfile").expect("a path"));
        answer.builder = Some(Builder::Dockerfile);
        answer.needs_build = true;
        answer.needs_port = true;
        answer.suggested_port = Some(Port::new(8080).expect("a port"));
        answer.suggested_health_path = Some(HealthPath::parse("/health").expect("a path"));
        Arc::new(Self { answer: Mutex::new(answer), faults: Faults::new() })
    }

    /// Changes the answer from now on.
    pub fn tell(&self, change: impl FnOnce(&mut Analysis)) {
        change(&mut lock(&self.answer));
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
}

#[async_trait]
impl Analyzer for FakeAnalyzer {
    async fn analyze(&self, _request: &AnalyzeRequest) -> Result<Analysis> {
        let after = self.faults.enter("analyze").await?;
        let answer = lock(&self.answer).clone();
        after.with(answer).await
    }
}
