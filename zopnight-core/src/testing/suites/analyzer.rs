//! What every [`Analyzer`] must do, whatever it recognises.

use std::sync::Arc;

use crate::domain::{Analysis, RepoPath};
use crate::error::{ErrorKind, Result};
use crate::ports::{AnalyzeRequest, Analyzer};
use crate::testing::tree::MemoryTree;
use crate::tree;

async fn analyze(analyzer: &dyn Analyzer, tree: MemoryTree, root: &str) -> Result<Analysis> {
    let root = RepoPath::parse(root).expect("a valid path");
    analyzer.analyze(&AnalyzeRequest::new(Arc::new(tree), root, "shop")).await
}

fn app() -> MemoryTree {
    tree! { "go.mod": "module shop\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n" }
}

/// A tree of which nothing is recognised is an answer, not an error.
pub async fn nothing_is_an_answer(analyzer: Arc<dyn Analyzer>) {
    let got = analyze(&*analyzer, tree! { "README.md": "hello" }, ".").await.expect("an answer");
    assert_eq!((got.language, got.needs_build, got.builder), (None, false, None));
    assert_eq!(got.build_context, RepoPath::root());
}

/// The same tree gives the same bytes.
pub async fn is_deterministic(analyzer: Arc<dyn Analyzer>) {
    let first = analyze(&*analyzer, app(), ".").await.expect("an answer");
    let second = analyze(&*analyzer, app(), ".").await.expect("an answer");
    assert_eq!(serde_json::to_string(&first).ok(), serde_json::to_string(&second).ok());
    assert_eq!(first.language.as_deref(), Some("go"));
}

/// The answer is about the root path it was asked for.
pub async fn keeps_to_the_root_path(analyzer: Arc<dyn Analyzer>) {
    let tree = tree! { "package.json": "{}" }.graft("svc/api", &app());
    let got = analyze(&*analyzer, tree, "svc/api").await.expect("an answer");
    assert_eq!((got.language.as_deref(), got.root_path.as_str()), (Some("go"), "svc/api"));
}

/// A root path that is no directory is refused by meaning.
pub async fn refuses_bad_root_paths(analyzer: Arc<dyn Analyzer>) {
    let tree = app().submodule("lib");
    for (root, kind, code) in [
        ("gone", ErrorKind::NotFound, "root_path_not_found"),
        ("main.go", ErrorKind::Invalid, "root_path_not_a_directory"),
        ("lib", ErrorKind::Unsupported, "root_path_submodule"),
    ] {
        let error = analyze(&*analyzer, tree.clone(), root).await.expect_err("a refusal");
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{root}");
    }
}

/// Stamps one test a case. The argument is an expression of type `Arc<dyn Analyzer>`.
#[macro_export]
macro_rules! analyzer_suite {
    ($module:ident, $analyzer:expr) => {
        mod $module {
            use super::*;
            $crate::analyzer_suite!(@cases $analyzer; nothing_is_an_answer, is_deterministic, keeps_to_the_root_path,
                refuses_bad_root_paths);
        }
    };
    (@cases $analyzer:expr; $($case:ident),*) => {$(
        #[tokio::test]
        async fn $case() {
            $crate::testing::suites::analyzer::$case($analyzer).await;
        }
    )*};
}
