//! The example's adapters keep the contracts of their ports.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use zopnight_core::Result;
use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{
    BranchName, BuildRequest, BuildRun, CancelOutcome, CancelRequest, CommitSha, Dispatch, ForgeId, HttpsUrl, IntegrationId,
    LogRequest, LogTail, OwnerName, RepoName, RepoRef, RunOutcome, RunQuery, RunRef, Timestamp,
};
use zopnight_core::ports::{BuildDispatcher, Clock as _, RepoSource, SourceTree};
use zopnight_core::testing::suites::build_dispatcher::DispatcherHarness;
use zopnight_core::testing::suites::repo_source::RepoSourceHarness;
use zopnight_core::testing::tree::{MemoryTree, Node};

use crate::builder::{LocalBuilder, Parts};
use crate::git::{self, NewCommit, Repository, quoted};
use crate::image_layout::ImageLayout;
use crate::report::Report;
use crate::source::LocalForge;
use crate::testing::Sink;
use crate::tool::Tool;
use crate::tree::GitTree;

fn forge(dir: &TempDir) -> LocalForge {
    let (forge, integration) = (ForgeId::parse("git.localhost").unwrap(), IntegrationId::parse("local").unwrap());
    LocalForge::new(dir.path().join("repositories"), forge, integration)
}

struct Repositories {
    forge: LocalForge,
    _dir: TempDir,
}

impl Repositories {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { forge: forge(&dir), _dir: dir }
    }
}

#[async_trait]
impl RepoSourceHarness for Repositories {
    fn source(&self) -> Arc<dyn RepoSource> {
        Arc::new(self.forge.clone())
    }

    fn integration(&self) -> IntegrationId {
        self.forge.integration().clone()
    }

    async fn create(&self, name: &str) -> RepoRef {
        self.forge.create(&OwnerName::parse("suite").unwrap(), &RepoName::parse(name).unwrap()).await.unwrap()
    }

    async fn delete(&self, repo: &RepoRef) {
        std::fs::remove_dir_all(self.forge.open(repo).unwrap().dir()).unwrap();
    }

    async fn rename(&self, _: &RepoRef, _: &str) -> Option<RepoRef> {
        None
    }

    async fn commit(&self, repo: &RepoRef, branch: &str, files: &[(&str, &str)], message: &str) -> CommitSha {
        let branch = BranchName::parse(branch).unwrap();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let new = NewCommit { branch: &branch, files: &files, message, at: 1_767_225_600 };
        self.forge.open(repo).unwrap().commit(new).await.unwrap()
    }

    async fn delete_branch(&self, repo: &RepoRef, branch: &str) {
        let repository = self.forge.open(repo).unwrap();
        git::git(Some(repository.dir()), &["update-ref", "-d", &format!("refs/heads/{branch}")], None).await.unwrap();
    }
}

zopnight_core::repo_source_suite!(local_forge, Repositories::start);

/// Commits a tree as it is, links and modes included.
async fn committed(tree: MemoryTree) -> (Arc<dyn SourceTree>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let repository = Repository::init(&dir.path().join("bare.git")).await.unwrap();
    let mut stream = b"commit refs/heads/main\ncommitter t <t@example.test> 1 +0000\ndata 1\nm\n".to_vec();
    for (path, node) in tree.nodes() {
        let (mode, bytes) = match node {
            Node::File { bytes, executable } => (if *executable { "100755" } else { "100644" }, bytes.to_vec()),
            Node::Symlink(target) => ("120000", target.clone().into_bytes()),
            Node::Directory | Node::Submodule => continue,
        };
        let head = format!("M {mode} inline {}\ndata {}\n", quoted(path.as_bytes()), bytes.len());
        stream.extend([head.as_bytes(), &bytes, b"\n"].concat());
    }
    stream.extend(b"done\n");
    git::git(Some(repository.dir()), &["fast-import", "--quiet", "--done"], Some(&stream)).await.unwrap();
    let head = repository.head_of(&BranchName::parse("main").unwrap()).await.unwrap().unwrap();
    (Arc::new(GitTree::open(&repository, &head).await.unwrap()), dir)
}

zopnight_core::source_tree_suite!(git_tree, committed);

/// The builder with runs that do nothing on their own.
#[derive(Debug)]
struct Idle(LocalBuilder);

#[async_trait]
impl BuildDispatcher for Idle {
    async fn dispatch(&self, request: &BuildRequest) -> Result<Dispatch> {
        Ok(Dispatch::Accepted { run: Some(self.0.begin_only(request)?) })
    }
    async fn find_run(&self, query: &RunQuery) -> Result<Option<BuildRun>> {
        self.0.find_run(query).await
    }
    async fn run(&self, run: &RunRef) -> Result<BuildRun> {
        self.0.run(run).await
    }
    async fn cancel(&self, request: &CancelRequest) -> Result<CancelOutcome> {
        self.0.cancel(request).await
    }
    async fn log_tail(&self, request: &LogRequest) -> Result<LogTail> {
        self.0.log_tail(request).await
    }
}

struct Builder {
    idle: Arc<Idle>,
    _dir: TempDir,
}

impl Builder {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let builder = LocalBuilder::new(Parts {
            tool: Tool::Pack,
            forge: forge(&dir),
            layout: Arc::new(ImageLayout::new(dir.path().join("images"))),
            scratch: dir.path().join("builds"),
            base: HttpsUrl::parse("http://127.0.0.1:1").unwrap(),
            report: Report::new(false, Box::new(Sink::default()), Box::new(Sink::default())),
        });
        Self { idle: Arc::new(Idle(builder)), _dir: dir }
    }
}

#[async_trait]
impl DispatcherHarness for Builder {
    fn dispatcher(&self) -> Arc<dyn BuildDispatcher> {
        Arc::<Idle>::clone(&self.idle)
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn write_log(&self, run: &RunRef, lines: &[&str]) {
        lines.iter().for_each(|line| self.idle.0.write_line(run, line));
    }

    async fn finish(&self, run: &RunRef, outcome: RunOutcome) {
        self.idle.0.finish(run, outcome);
    }
}

zopnight_core::build_dispatcher_suite!(local_builder, Builder::start);
