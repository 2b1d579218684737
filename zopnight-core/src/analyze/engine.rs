//! The loop: run the pure detectors, fetch what they lacked, run them again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use async_trait::async_trait;
use tracing::Instrument as _;

use crate::domain::{Analysis, RepoPath};
use crate::error::{Error, Result};
use crate::ports::{AnalyzeRequest, Analyzer, ReadRequest, SourceTree};

use super::config::AnalyzeConfig;
use super::root;
use super::snapshot::{Facts, Kind};
use super::verdict;
use super::view::{Subject, View};
use super::wants::{Priority, Wants};

/// The native analyzer: its builder verdict is Railpack's, its port and health path are its own.
///
/// ```
/// use std::sync::Arc;
/// use zopnight_core::analyze::StackAnalyzer;
/// use zopnight_core::domain::RepoPath;
/// use zopnight_core::ports::{AnalyzeRequest, Analyzer};
/// use zopnight_core::tree;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let tree = tree! { "go.mod": "module shop\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n" };
/// let request = AnalyzeRequest::new(Arc::new(tree), RepoPath::root(), "shop");
/// let analysis = StackAnalyzer::default().analyze(&request).await.unwrap();
/// assert_eq!(analysis.language.as_deref(), Some("go"));
/// assert_eq!(analysis.start_command.as_deref(), Some("./out"));
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct StackAnalyzer {
    config: AnalyzeConfig,
}

impl StackAnalyzer {
    /// An analyzer with these budgets.
    #[must_use]
    pub fn new(config: AnalyzeConfig) -> Self {
        Self { config }
    }

    async fn look(&self, request: &AnalyzeRequest) -> Result<Analysis> {
        let subject = Subject {
            root: request.root_path.clone(),
            repository_name: request.repository_name.clone(),
            env: request.railpack_env.clone(),
        };
        let mut facts = Facts::default();
        self.find_root(&*request.tree, &subject.root, &mut facts).await?;
        let mut rounds = 0;
        loop {
            let (mut analysis, wants) = self.run(&facts, &subject)?;
            if wants.is_empty() || rounds >= self.config.max_rounds {
                if !wants.is_empty() && !facts.is_cut() {
                    facts.mark_cut();
                    (analysis, _) = self.run(&facts, &subject)?;
                }
                record(&analysis, rounds, &facts);
                return Ok(analysis);
            }
            self.fetch(&*request.tree, wants, &mut facts).await?;
            rounds += 1;
        }
    }

    async fn find_root(&self, tree: &dyn SourceTree, root: &RepoPath, facts: &mut Facts) -> Result<()> {
        let lineage = root::lineage(root);
        let listings = tree.entries(&lineage).await?;
        for (path, listing) in lineage.into_iter().zip(listings) {
            facts.learn_dir(path, listing, &self.config);
        }
        let is_directory = facts.dir(root).flatten().is_some();
        if !is_directory && facts.kind(root) == Kind::UnknownLink {
            let request = ReadRequest { paths: vec![root.clone()], max_bytes: 0 };
            for content in tree.read_many(&request).await? {
                facts.learn_file(root.clone(), content, &self.config);
            }
        }
        root::check(facts, root, is_directory)
    }

    fn run(&self, facts: &Facts, subject: &Subject) -> Result<(Analysis, Wants)> {
        let pure = || {
            let view = View::new(facts, subject, &self.config);
            let analysis = verdict::decide(&view);
            (analysis, view.into_wants())
        };
        catch_unwind(AssertUnwindSafe(pure)).map_err(|_| {
            metrics::counter!("zopnight_analyze_total", "provider" => "none", "builder" => "none", "outcome" => "panic")
                .increment(1);
            Error::internal("analyze.run", "a detector panicked")
        })
    }

    async fn fetch(&self, tree: &dyn SourceTree, wants: Wants, facts: &mut Facts) -> Result<()> {
        let (mut dirs, mut files) = wants.in_order();
        facts.admit(&self.config, &mut dirs, &mut files);
        let reads = ReadRequest { paths: files, max_bytes: self.config.max_file_bytes };
        let list = async { if dirs.is_empty() { Ok(Vec::new()) } else { tree.entries(&dirs).await } };
        let read = async { if reads.paths.is_empty() { Ok(Vec::new()) } else { tree.read_many(&reads).await } };
        let (listings, contents) = tokio::try_join!(list, read)?;
        for (path, listing) in dirs.into_iter().zip(listings) {
            facts.learn_dir(path, listing, &self.config);
        }
        for (path, content) in reads.paths.into_iter().zip(contents) {
            facts.learn_file(path, content, &self.config);
        }
        Ok(())
    }
}

#[async_trait]
impl Analyzer for StackAnalyzer {
    async fn analyze(&self, request: &AnalyzeRequest) -> Result<Analysis> {
        let begun = Instant::now();
        let span = tracing::info_span!(
            "zopnight.analyze",
            root_path = %request.root_path,
            rounds = tracing::field::Empty,
            files = tracing::field::Empty,
            bytes = tracing::field::Empty,
            provider = tracing::field::Empty,
            builder = tracing::field::Empty,
        );
        let answer = self.look(request).instrument(span).await;
        metrics::histogram!("zopnight_analyze_duration_seconds").record(begun.elapsed().as_secs_f64());
        answer
    }
}

fn record(analysis: &Analysis, rounds: u32, facts: &Facts) {
    use crate::domain::analysis::Builder;
    let provider = analysis.provider.clone().unwrap_or_else(|| "none".to_owned());
    let builder = match analysis.builder {
        Some(Builder::Dockerfile) => "dockerfile",
        Some(Builder::Railpack) => "railpack",
        None => "none",
    };
    let span = tracing::Span::current();
    span.record("rounds", rounds);
    span.record("files", facts.files_read());
    span.record("bytes", facts.bytes_read());
    span.record("provider", provider.as_str());
    span.record("builder", builder);
    metrics::counter!("zopnight_analyze_total", "provider" => provider, "builder" => builder, "outcome" => "ok")
        .increment(1);
    if !analysis.complete {
        metrics::counter!("zopnight_analyze_incomplete_total", "budget" => "any").increment(1);
    }
    metrics::histogram!("zopnight_analyze_rounds").record(f64::from(rounds));
    metrics::histogram!("zopnight_analyze_files_read").record(facts.files_read() as f64);
}

/// The files that an analysis of `root` reads first, best first, at most 200: what a caller can fetch along with a listing.
/// They may be absent.
#[must_use]
pub fn first_reads(root: &RepoPath) -> Vec<RepoPath> {
    FIRST_READS.iter().filter_map(|name| root.join(name).ok()).collect()
}

/// Lists the directories in which configuration and sources usually lie, as far as the app root has them.
pub(crate) fn want_standard_directories(view: &View<'_>) {
    for entry in view.root_entries() {
        if STANDARD_DIRECTORIES.contains(&&*entry.name)
            && let Some(path) = view.at(&entry.name)
        {
            view.list(&path, Priority::Config);
        }
    }
}

const STANDARD_DIRECTORIES: &[&str] = &[
    "src",
    "app",
    "lib",
    "cmd",
    "config",
    "configs",
    "conf",
    "deploy",
    "deployment",
    "deployments",
    "k8s",
    "kubernetes",
    "kube",
    "manifests",
    "helm",
    "chart",
    "charts",
    ".platform",
    ".do",
    "bin",
    "web",
    "server",
    "api",
    "backend",
    "frontend",
    "public",
    "docker",
    "build",
    "ci",
    "services",
    "packages",
    "apps",
    "crates",
];

const FIRST_READS: &[&str] = &[
    "package.json",
    "go.mod",
    "Dockerfile",
    "railpack.json",
    "Procfile",
    "requirements.txt",
    "pyproject.toml",
    "Cargo.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Gemfile",
    "composer.json",
    "mix.exs",
    "deno.json",
    "deno.jsonc",
    "gleam.toml",
    "Staticfile",
    "Pipfile",
    "package.json5",
    "go.work",
    "main.go",
    "main.py",
    "app.py",
    "server.py",
    "manage.py",
    "index.js",
    "index.ts",
    "server.js",
    "app.js",
    "start.sh",
    ".dockerignore",
    "dockerfile",
    "Containerfile",
    "configs/.env",
    ".env",
    ".env.example",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "fly.toml",
    "railway.json",
    "railway.toml",
    "render.yaml",
    "app.json",
    "vercel.json",
    "nixpacks.toml",
    "pnpm-workspace.yaml",
    "next.config.js",
    "next.config.mjs",
    "next.config.ts",
    "vite.config.js",
    "vite.config.ts",
    "astro.config.mjs",
    "astro.config.ts",
    "angular.json",
    "nuxt.config.ts",
    "config/application.rb",
    "config/routes.rb",
    "src/main.rs",
    "src/main.ts",
    "src/index.ts",
    "src/index.js",
    "src/server.ts",
    "src/app.ts",
    "Caddyfile",
    "Caddyfile.template",
    "nginx.conf",
];
