//! The analyzer over small trees of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod answer;
mod context;
mod engine;
mod go;
mod node;
mod platforms;
mod properties;
mod python;
mod railpack;
mod roots;
mod static_sites;

use std::collections::BTreeMap;
use std::sync::Arc;

use zopnight_core::Result;
use zopnight_core::analyze::StackAnalyzer;
use zopnight_core::domain::{Analysis, RepoPath};
use zopnight_core::ports::{AnalyzeRequest, Analyzer, SourceTree};
use zopnight_core::testing::tree::MemoryTree;

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

fn run(tree: Arc<dyn SourceTree>, root: &str, env: &[(&str, &str)]) -> Result<Analysis> {
    let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let request = AnalyzeRequest::new(tree, path(root), "shop").with_railpack_env(env);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(StackAnalyzer::default().analyze(&request))
}

fn analyze(tree: MemoryTree) -> Analysis {
    analyze_at(tree, ".")
}

fn analyze_at(tree: MemoryTree, root: &str) -> Analysis {
    run(Arc::new(tree), root, &[]).unwrap()
}

fn analyze_with(tree: MemoryTree, env: &[(&str, &str)]) -> Analysis {
    run(Arc::new(tree), ".", env).unwrap()
}

fn port(analysis: &Analysis) -> Option<u16> {
    analysis.suggested_port.map(|p| p.get())
}

fn health(analysis: &Analysis) -> Option<&str> {
    analysis.suggested_health_path.as_ref().map(|p| p.as_str())
}

fn said(analysis: &Analysis, code: &str) -> bool {
    analysis.diagnostics.iter().any(|d| d.code == code)
}

/// The rule that decided the port.
fn port_rule(analysis: &Analysis) -> Option<&str> {
    use zopnight_core::domain::analysis::EvidenceField;
    analysis.evidence.iter().find(|e| e.field == EvidenceField::Port && e.used).map(|e| e.rule.as_str())
}
