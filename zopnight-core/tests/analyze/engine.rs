//! Rounds, budgets and errors of the tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use zopnight_core::analyze::{AnalyzeConfig, StackAnalyzer, first_reads};
use zopnight_core::domain::RepoPath;
use zopnight_core::ports::{AnalyzeRequest, Analyzer, FileContent, Listing, ReadRequest, SourceTree};
use zopnight_core::testing::tree::MemoryTree;
use zopnight_core::{Error, Result, tree};

use super::{path, said};

/// Counts what an analysis asks for.
#[derive(Debug, Default)]
struct Counting {
    tree: MemoryTree,
    listings: AtomicUsize,
    reads: AtomicUsize,
    dirs: AtomicUsize,
    files: AtomicUsize,
}

#[async_trait]
impl SourceTree for Counting {
    async fn entries(&self, dirs: &[RepoPath]) -> Result<Vec<Listing>> {
        self.listings.fetch_add(1, Ordering::Relaxed);
        self.dirs.fetch_add(dirs.len(), Ordering::Relaxed);
        self.tree.entries(dirs).await
    }

    async fn read_many(&self, request: &ReadRequest) -> Result<Vec<FileContent>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.files.fetch_add(request.paths.len(), Ordering::Relaxed);
        self.tree.read_many(request).await
    }
}

async fn with_config(tree: Arc<dyn SourceTree>, config: AnalyzeConfig) -> zopnight_core::domain::Analysis {
    let request = AnalyzeRequest::new(tree, RepoPath::root(), "shop");
    StackAnalyzer::new(config).analyze(&request).await.unwrap()
}

fn shared(tree: &Arc<Counting>) -> Arc<dyn SourceTree> {
    Arc::<Counting>::clone(tree)
}

fn app() -> MemoryTree {
    tree! {
        "package.json": r#"{"main": "dist/main.js", "dependencies": {"express": "5"}}"#,
        "src/main.ts": "import { port } from './config';\napp.listen(port);\n",
        "src/config.ts": "export const port = 4321;\n",
        "k8s/a.yaml": "", "configs/.env": "", "node_modules/x/index.js": "", "docs/server.js": "app.listen(1)",
    }
}

#[tokio::test]
async fn stays_within_the_rounds() {
    let counting = Arc::new(Counting { tree: app(), ..Counting::default() });
    let got = with_config(shared(&counting), AnalyzeConfig::default()).await;
    assert_eq!(got.suggested_port.map(|p| p.get()), Some(4321));
    assert!(got.complete);
    assert!(counting.listings.load(Ordering::Relaxed) <= 4 && counting.reads.load(Ordering::Relaxed) <= 3);
}

#[tokio::test]
async fn ignored_directories_cost_nothing() {
    let noise = (0..3_000).fold(app(), |tree, n| tree.put(&format!("node_modules/p{n}/package.json"), "{}"));
    let (plain, noisy) = (
        Arc::new(Counting { tree: app(), ..Counting::default() }),
        Arc::new(Counting { tree: noise, ..Counting::default() }),
    );
    let a = with_config(shared(&plain), AnalyzeConfig::default()).await;
    let b = with_config(shared(&noisy), AnalyzeConfig::default()).await;
    assert_eq!(a, b);
    assert_eq!(plain.dirs.load(Ordering::Relaxed), noisy.dirs.load(Ordering::Relaxed));
    assert_eq!(plain.files.load(Ordering::Relaxed), noisy.files.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_budget_cuts_and_says_so() {
    for config in [
        AnalyzeConfig::default().with_max_rounds(1),
        AnalyzeConfig::default().with_max_files(1),
        AnalyzeConfig::default().with_max_total_bytes(70),
        AnalyzeConfig::default().with_max_entries_per_dir(3),
    ] {
        let got = with_config(Arc::new(app()), config.clone()).await;
        assert!(!got.complete && said(&got, "analysis-incomplete"), "{config:?}");
    }
    let got = with_config(Arc::new(app()), AnalyzeConfig::default().with_max_evidence(2).with_max_diagnostics(1)).await;
    assert!(got.evidence.len() == 2 && got.evidence.iter().all(|e| e.used) && got.diagnostics.len() <= 1);
}

#[tokio::test]
async fn hostile_sizes_and_depths_give_an_answer() {
    let deep = "[".repeat(10_000);
    let tree = tree! {
        "package.json": &"x".repeat(3_000_000), "railpack.json": &deep, "Procfile": &deep, "Cargo.toml": &format!("a = {deep}"),
        "Staticfile": &deep, "angular.json": &"{\"a\":".repeat(10_000), "Dockerfile": &"FROM a AS b\n".repeat(5_000),
    }
    .symlink("index.php", "index.php")
    .bytes("requirements.txt", &[0; 100]);
    let tree = (0..30_000).fold(tree, |tree, n| tree.bytes(&format!("many-{n}"), b""));
    let got = with_config(Arc::new(tree), AnalyzeConfig::default()).await;
    assert!(!got.complete);
}

#[derive(Debug)]
struct Failing;

#[async_trait]
impl SourceTree for Failing {
    async fn entries(&self, _: &[RepoPath]) -> Result<Vec<Listing>> {
        Err(Error::unavailable("tree.entries", "down").with("code", "forge_unreachable"))
    }

    async fn read_many(&self, _: &ReadRequest) -> Result<Vec<FileContent>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn errors_of_the_tree_are_handed_on() {
    let request = AnalyzeRequest::new(Arc::new(Failing), RepoPath::root(), "shop");
    let error = StackAnalyzer::default().analyze(&request).await.unwrap_err();
    assert_eq!(error.code(), Some("forge_unreachable"));
}

#[test]
fn the_first_reads_are_few_and_below_the_root() {
    let reads = first_reads(&path("a/b"));
    assert!(reads.len() <= 200 && reads.iter().all(|p| p.relative_to(&path("a/b")).is_some()));
    assert_eq!(reads.first().map(|p| p.as_str()), Some("a/b/package.json"));
}

fn native() -> Arc<dyn Analyzer> {
    Arc::new(StackAnalyzer::default())
}

zopnight_core::analyzer_suite!(suite, native());
