//! A source tree in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::analyze::{Step, follow};
use crate::domain::RepoPath;
use crate::error::Result;
use crate::ports::{EntryKind, FileContent, Listing, ReadRequest, SourceTree, TreeEntry};

/// Makes a [`MemoryTree`] of `path: text` pairs; a path that ends in `/` is a directory.
///
/// ```
/// use zopnight_core::tree;
/// let tree = tree! { "go.mod": "module x\n", "cmd/api/": "" }.symlink("main.go", "cmd/api/main.go");
/// assert_eq!(tree.nodes().count(), 4);
/// ```
#[macro_export]
macro_rules! tree {
    ($($path:literal : $text:expr),* $(,)?) => {
        $crate::testing::tree::MemoryTree::new()$(.put($path, $text))*
    };
}

/// One node of a [`MemoryTree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Its bytes, UTF-8 or not.
        bytes: Arc<[u8]>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link with its target as written.
    Symlink(String),
    /// A submodule.
    Submodule,
}

/// The files of one commit, in memory. Paths may hold anything but NUL, so that a tree can have names that
/// [`RepoPath`] refuses; directories above a path are made with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryTree {
    dirs: BTreeMap<String, BTreeMap<String, Node>>,
}

impl Default for MemoryTree {
    fn default() -> Self {
        Self { dirs: BTreeMap::from([(String::new(), BTreeMap::new())]) }
    }
}

impl MemoryTree {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a text file, or with a directory if `path` ends in `/`.
    #[must_use]
    pub fn put(self, path: &str, text: &str) -> Self {
        match path.strip_suffix('/') {
            Some(directory) => self.directory(directory),
            None => self.bytes(path, text.as_bytes()),
        }
    }

    /// With a file of any bytes.
    #[must_use]
    pub fn bytes(self, path: &str, bytes: &[u8]) -> Self {
        self.with(path, Node::File { bytes: bytes.into(), executable: false })
    }

    /// With an executable text file.
    #[must_use]
    pub fn executable(self, path: &str, text: &str) -> Self {
        self.with(path, Node::File { bytes: text.as_bytes().into(), executable: true })
    }

    /// With a directory.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        self.with(path, Node::Directory)
    }

    /// With a symbolic link; `target` is relative to the link's directory.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.with(path, Node::Symlink(target.to_owned()))
    }

    /// With a submodule.
    #[must_use]
    pub fn submodule(self, path: &str) -> Self {
        self.with(path, Node::Submodule)
    }

    /// With `node` at `path`; the newest node at a path wins.
    #[must_use]
    pub fn with(mut self, path: &str, node: Node) -> Self {
        self.insert(path, node);
        self
    }

    /// All of `other`, below `dir`.
    #[must_use]
    pub fn graft(mut self, dir: &str, other: &Self) -> Self {
        self.insert(dir, Node::Directory);
        for (path, node) in other.nodes() {
            self.insert(&format!("{dir}/{path}"), node.clone());
        }
        self
    }

    /// Every node with its path, directories before what is in them.
    pub fn nodes(&self) -> impl Iterator<Item = (String, &Node)> {
        self.dirs.iter().flat_map(|(dir, children)| {
            children
                .iter()
                .map(move |(name, node)| (if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") }, node))
        })
    }

    fn insert(&mut self, path: &str, node: Node) {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !self.dirs.contains_key(dir) {
            self.insert(dir, Node::Directory);
        }
        if node == Node::Directory {
            self.dirs.entry(path.to_owned()).or_default();
        } else if self.dirs.contains_key(path) {
            let below = format!("{path}/");
            self.dirs.retain(|dir, _| dir != path && !dir.starts_with(&below));
        }
        self.dirs.entry(dir.to_owned()).or_default().insert(name.to_owned(), node);
    }

    fn node(&self, path: &RepoPath) -> Option<&Node> {
        if path.is_root() {
            return Some(&Node::Directory);
        }
        let (dir, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        self.dirs.get(dir)?.get(name)
    }

    fn resolve(&self, path: &RepoPath) -> Option<(RepoPath, &Node)> {
        let target = follow(path, |p| match self.node(p) {
            Some(Node::Symlink(target)) => Step::Link(target.clone()),
            Some(_) => Step::Plain,
            None => Step::Missing,
        })?;
        let node = self.node(&target)?;
        Some((target, node))
    }

    fn list(&self, dir: &RepoPath) -> Listing {
        let entries = match self.resolve(dir) {
            Some((_, Node::Submodule)) => Vec::new(),
            Some((target, Node::Directory)) => {
                let key = if target.is_root() { "" } else { target.as_str() };
                let children = self.dirs.get(key).into_iter().flatten();
                children.filter(|(name, _)| target.join(name).is_ok()).map(|(name, node)| entry(name, node)).collect()
            }
            _ => return Listing::Absent,
        };
        Listing::Entries { entries, complete: true }
    }

    fn read(&self, path: &RepoPath, max_bytes: u64) -> FileContent {
        match self.resolve(path) {
            Some((_, Node::File { bytes, .. })) => {
                let size = bytes.len() as u64;
                if size > max_bytes {
                    FileContent::TooLarge { size }
                } else if bytes.iter().take(8 * 1024).any(|b| *b == 0) {
                    FileContent::Binary
                } else {
                    FileContent::Text(String::from_utf8_lossy(bytes).into())
                }
            }
            _ => FileContent::Absent,
        }
    }
}

fn entry(name: &str, node: &Node) -> TreeEntry {
    let (kind, size, executable) = match node {
        Node::File { bytes, executable } => (EntryKind::File, Some(bytes.len() as u64), *executable),
        Node::Directory => (EntryKind::Directory, None, false),
        Node::Symlink(_) => (EntryKind::Symlink, None, false),
        Node::Submodule => (EntryKind::Submodule, None, false),
    };
    TreeEntry { name: name.into(), kind, size, executable }
}

#[async_trait]
impl SourceTree for MemoryTree {
    async fn entries(&self, dirs: &[RepoPath]) -> Result<Vec<Listing>> {
        Ok(dirs.iter().map(|dir| self.list(dir)).collect())
    }

    async fn read_many(&self, request: &ReadRequest) -> Result<Vec<FileContent>> {
        Ok(request.paths.iter().map(|path| self.read(path, request.max_bytes)).collect())
    }
}
