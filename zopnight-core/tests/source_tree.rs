//! The conformance suite of source trees, run for the ones that core has.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::sync::Arc;

use zopnight_core::analyze::DirectoryTree;
use zopnight_core::domain::RepoPath;
use zopnight_core::ports::{FileContent, Listing, ReadRequest, SourceTree};
use zopnight_core::source_tree_suite;
use zopnight_core::testing::tree::{MemoryTree, Node};

async fn in_memory(tree: MemoryTree) -> (Arc<dyn SourceTree>, ()) {
    (Arc::new(tree), ())
}

async fn on_disk(tree: MemoryTree) -> (Arc<dyn SourceTree>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &tree);
    let tree = DirectoryTree::open(dir.path()).await.unwrap();
    (Arc::new(tree), dir)
}

fn write(root: &Path, tree: &MemoryTree) {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    for (path, node) in tree.nodes() {
        let at = root.join(path);
        match node {
            Node::Directory | Node::Submodule => std::fs::create_dir_all(at).unwrap(),
            Node::Symlink(target) => symlink(target, at).unwrap(),
            Node::File { bytes, executable } => {
                std::fs::write(&at, bytes).unwrap();
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&at, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

source_tree_suite!(memory, in_memory);
source_tree_suite!(directory, on_disk);

#[tokio::test]
async fn a_submodule_is_an_empty_directory() {
    let tree = MemoryTree::new().submodule("lib");
    let lib = RepoPath::parse("lib").unwrap();
    let listing = tree.entries(std::slice::from_ref(&lib)).await.unwrap().remove(0);
    assert_eq!(listing, Listing::Entries { entries: Vec::new(), complete: true });
    let content = tree.read_many(&ReadRequest { paths: vec![lib], max_bytes: 1 }).await.unwrap().remove(0);
    assert_eq!(content, FileContent::Absent);
}

#[tokio::test]
async fn names_that_are_not_utf8_and_files_that_are_not_regular_are_left_out() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    std::fs::write(dir.path().join("plain"), "x").unwrap();
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let tree = DirectoryTree::open(dir.path()).await.unwrap();
    let Listing::Entries { entries, .. } = tree.entries(&[RepoPath::root()]).await.unwrap().remove(0) else { panic!() };
    assert_eq!(entries.iter().map(|e| &*e.name).collect::<Vec<_>>(), ["plain"]);
    let request = ReadRequest { paths: vec![RepoPath::parse("socket").unwrap()], max_bytes: 10 };
    assert_eq!(tree.read_many(&request).await.unwrap(), [FileContent::Absent]);
}

#[tokio::test]
async fn opening_needs_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "x").unwrap();
    assert_eq!(DirectoryTree::open(dir.path().join("none")).await.unwrap_err().code(), Some("not_found"));
    assert_eq!(DirectoryTree::open(dir.path().join("file")).await.unwrap_err().code(), Some("not_a_directory"));
}
