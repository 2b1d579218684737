//! The files of one commit, out of a bare repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use zopnight_core::Result;
use zopnight_core::analyze::{Step, follow};
use zopnight_core::domain::{CommitSha, RepoPath};
use zopnight_core::ports::{EntryKind, FileContent, Listing, ReadRequest, SourceTree, TreeEntry};

use crate::git::{Repository, TreeLine};

const BINARY_PROBE: usize = 8 * 1024;
const LONGEST_LINK: u64 = 4_096;

/// A commit's files. The listing is read once, contents when they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct GitTree {
    repository: Repository,
    nodes: Arc<BTreeMap<RepoPath, Node>>,
}

/// What lies at one path.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: EntryKind,
    pub(crate) object: String,
    pub(crate) size: Option<u64>,
    pub(crate) executable: bool,
    /// Where a link points to.
    pub(crate) link: Option<String>,
}

impl GitTree {
    /// The tree of a commit that is there.
    pub(crate) async fn open(repository: &Repository, commit: &CommitSha) -> Result<Self> {
        let lines = repository.tree(commit).await?;
        let mut nodes: BTreeMap<RepoPath, Node> = lines.into_iter().filter_map(node).collect();
        let wanted: Vec<(RepoPath, String)> = nodes
            .iter()
            .filter(|(_, n)| n.kind == EntryKind::Symlink && n.size.is_some_and(|s| s <= LONGEST_LINK))
            .map(|(path, n)| (path.clone(), n.object.clone()))
            .collect();
        let objects: Vec<&str> = wanted.iter().map(|(_, o)| o.as_str()).collect();
        let targets = repository.blobs(&objects).await?;
        for ((path, _), target) in wanted.iter().zip(targets) {
            if let Some(node) = nodes.get_mut(path) {
                node.link = String::from_utf8(target).ok();
            }
        }
        Ok(Self { repository: repository.clone(), nodes: Arc::new(nodes) })
    }

    /// Everything below `base`, by path.
    pub(crate) fn below(&self, base: &RepoPath) -> Vec<(RepoPath, &Node)> {
        let inside = self.nodes.iter().filter_map(|(path, node)| Some((path.relative_to(base)?, node)));
        inside.filter(|(path, _)| !path.is_root()).collect()
    }

    /// The bytes of files that [`GitTree::below`] told, in order.
    pub(crate) async fn contents(&self, files: &[&Node]) -> Result<Vec<Vec<u8>>> {
        let objects: Vec<&str> = files.iter().map(|n| n.object.as_str()).collect();
        self.repository.blobs(&objects).await
    }

    fn resolve(&self, path: &RepoPath) -> Option<RepoPath> {
        follow(path, |p| match self.nodes.get(p) {
            Some(Node { kind: EntryKind::Symlink, link, .. }) => link.clone().map_or(Step::Missing, Step::Link),
            Some(_) => Step::Plain,
            None => Step::Missing,
        })
    }

    fn list(&self, dir: &RepoPath) -> Listing {
        let Some(dir) = self.resolve(dir) else { return Listing::Absent };
        let is_directory = |n: &Node| matches!(n.kind, EntryKind::Directory | EntryKind::Submodule);
        if !dir.is_root() && !self.nodes.get(&dir).is_some_and(is_directory) {
            return Listing::Absent;
        }
        let children = self.nodes.iter().filter(|(path, _)| path.parent().as_ref() == Some(&dir));
        let entries = children.filter_map(|(path, node)| {
            let size = node.size.filter(|_| node.kind == EntryKind::File);
            Some(TreeEntry { name: path.file_name()?.into(), kind: node.kind, size, executable: node.executable })
        });
        Listing::Entries { entries: entries.collect(), complete: true }
    }

    fn file(&self, path: &RepoPath) -> Option<&Node> {
        self.nodes.get(&self.resolve(path)?).filter(|n| n.kind == EntryKind::File)
    }
}

fn node(line: TreeLine) -> Option<(RepoPath, Node)> {
    let path = RepoPath::parse(std::str::from_utf8(&line.path).ok()?).ok()?;
    let kind = match line.mode.as_str() {
        "040000" => EntryKind::Directory,
        "120000" => EntryKind::Symlink,
        "160000" => EntryKind::Submodule,
        _ => EntryKind::File,
    };
    let executable = line.mode == "100755";
    Some((path, Node { kind, object: line.object, size: line.size, executable, link: None }))
}

#[async_trait]
impl SourceTree for GitTree {
    async fn entries(&self, dirs: &[RepoPath]) -> Result<Vec<Listing>> {
        Ok(dirs.iter().map(|dir| self.list(dir)).collect())
    }

    async fn read_many(&self, request: &ReadRequest) -> Result<Vec<FileContent>> {
        let found: Vec<Option<&Node>> = request.paths.iter().map(|p| self.file(p)).collect();
        let small = |n: &&Node| n.size.is_some_and(|s| s <= request.max_bytes);
        let wanted: Vec<&Node> = found.iter().flatten().copied().filter(small).collect();
        let mut contents = self.contents(&wanted).await?.into_iter();
        let answer = found.into_iter().map(|node| match node {
            None => FileContent::Absent,
            Some(node) if !small(&node) => FileContent::TooLarge { size: node.size.unwrap_or(u64::MAX) },
            Some(_) => match contents.next().unwrap_or_default() {
                bytes if bytes.iter().take(BINARY_PROBE).any(|b| *b == 0) => FileContent::Binary,
                bytes => FileContent::Text(String::from_utf8_lossy(&bytes).into()),
            },
        });
        Ok(answer.collect())
    }
}
