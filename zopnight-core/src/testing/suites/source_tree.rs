//! What every [`SourceTree`] must do. [`fixture`] is the tree an implementation is made to show; each case asks it.

use std::sync::Arc;

use crate::domain::RepoPath;
use crate::ports::{EntryKind, FileContent, Listing, ReadRequest, SourceTree};
use crate::testing::tree::MemoryTree;

/// Files in the large directory.
pub const LARGE_DIRECTORY: usize = 20_000;

/// The tree the cases ask about: files, directories, links of every sort, bytes of every sort.
#[must_use]
pub fn fixture() -> MemoryTree {
    let tree = crate::tree! { "a.txt": "alpha\r\n", "dir/b.txt": "beta", "dir/deep/c.txt": "gamma", "empty/keep": "" }
        .executable("run.sh", "#!/bin/sh\n")
        .bytes("binary", b"ab\0cd")
        .bytes("late-nul", &[vec![b'x'; 9_000], vec![0]].concat())
        .bytes("latin1", b"caf\xe9")
        .bytes("large", &[b'y'; 2_048])
        .bytes("dir/back\\slash", b"unnameable")
        .symlink("link-file", "dir/b.txt")
        .symlink("link-dir", "./dir")
        .symlink("dir/up", "../a.txt")
        .symlink("link-broken", "nowhere")
        .symlink("link-out", "../outside")
        .symlink("link-absolute", "/etc/hostname")
        .symlink("link-self", "link-self");
    (1..=9).fold(tree, |tree, n| {
        let target = if n == 1 { "a.txt".to_owned() } else { format!("hop{}", n - 1) };
        tree.symlink(&format!("hop{n}"), &target)
    })
}

/// A tree with one directory of [`LARGE_DIRECTORY`] files; apart, since making it on a disk takes a while.
#[must_use]
pub fn large_fixture() -> MemoryTree {
    (0..LARGE_DIRECTORY).fold(MemoryTree::new(), |tree, n| tree.bytes(&format!("many/f{n:05}"), b""))
}

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).expect("a valid path")
}

async fn read(tree: &dyn SourceTree, paths: &[&str], max_bytes: u64) -> Vec<FileContent> {
    let request = ReadRequest { paths: paths.iter().map(|p| path(p)).collect(), max_bytes };
    tree.read_many(&request).await.expect("the tree answers")
}

async fn list(tree: &dyn SourceTree, dirs: &[&str]) -> Vec<Listing> {
    let dirs: Vec<RepoPath> = dirs.iter().map(|p| path(p)).collect();
    tree.entries(&dirs).await.expect("the tree answers")
}

fn text(text: &str) -> FileContent {
    FileContent::Text(text.into())
}

fn kinds(listing: &Listing) -> Vec<(String, EntryKind)> {
    let Listing::Entries { entries, complete: true } = listing else { panic!("a complete listing, not {listing:?}") };
    let mut kinds: Vec<_> = entries.iter().map(|e| (e.name.to_string(), e.kind)).collect();
    kinds.sort();
    kinds
}

/// Contents come in the order asked for, one per path, repeated ones too.
pub async fn reads_in_request_order(tree: Arc<dyn SourceTree>) {
    let got = read(&*tree, &["dir/b.txt", "a.txt", "missing", "dir/b.txt"], 100).await;
    assert_eq!(got, [text("beta"), text("alpha\r\n"), FileContent::Absent, text("beta")]);
    assert_eq!(read(&*tree, &[], 100).await, []);
}

/// Listings come in the order asked for, with the kinds of the entries, links not followed.
pub async fn lists_in_request_order(tree: Arc<dyn SourceTree>) {
    let got = list(&*tree, &["dir/deep", "dir"]).await;
    assert_eq!(got.len(), 2);
    assert_eq!(kinds(&got[0]), [("c.txt".to_owned(), EntryKind::File)]);
    let expected = [("b.txt", EntryKind::File), ("deep", EntryKind::Directory), ("up", EntryKind::Symlink)];
    assert_eq!(kinds(&got[1]), expected.map(|(name, kind)| (name.to_owned(), kind)));
    let root = kinds(&list(&*tree, &["."]).await[0]);
    assert!(
        root.contains(&("link-dir".to_owned(), EntryKind::Symlink))
            && root.contains(&("run.sh".to_owned(), EntryKind::File))
    );
}

/// Only the executable file says so.
pub async fn knows_executables(tree: Arc<dyn SourceTree>) {
    let root = list(&*tree, &["."]).await.remove(0);
    let Listing::Entries { entries, .. } = root else { panic!("the root is a directory") };
    let executable: Vec<&str> = entries.iter().filter(|e| e.executable).map(|e| &*e.name).collect();
    assert_eq!(executable, ["run.sh"]);
}

/// What is not there, a file that is listed and a directory that is read are absent.
pub async fn absent_is_an_answer(tree: Arc<dyn SourceTree>) {
    assert_eq!(list(&*tree, &["missing", "a.txt", "a.txt/x"]).await, [Listing::Absent, Listing::Absent, Listing::Absent]);
    let got = read(&*tree, &["missing", "dir", ".", "a.txt/x"], 100).await;
    assert!(got.iter().all(|c| *c == FileContent::Absent), "{got:?}");
}

/// Links to files and directories are followed inside the tree.
pub async fn follows_links(tree: Arc<dyn SourceTree>) {
    let got = read(&*tree, &["link-file", "link-dir/b.txt", "dir/up", "link-dir/up", "hop8"], 100).await;
    assert_eq!(got, [text("beta"), text("beta"), text("alpha\r\n"), text("alpha\r\n"), text("alpha\r\n")]);
    let listed = list(&*tree, &["link-dir", "dir"]).await;
    assert_eq!(kinds(&listed[0]), kinds(&listed[1]));
}

/// A link that is broken, cyclic, too long or leaves the tree is absent.
pub async fn confines_links(tree: Arc<dyn SourceTree>) {
    let bad = ["link-broken", "link-out", "link-absolute", "link-self", "hop9", "link-out/x", "link-file/x"];
    let got = read(&*tree, &bad, 100).await;
    assert!(got.iter().all(|c| *c == FileContent::Absent), "{got:?}");
    assert!(list(&*tree, &bad).await.iter().all(|l| *l == Listing::Absent));
}

/// A NUL in the first 8 KiB makes a file binary; later ones and bytes that are not UTF-8 do not.
pub async fn tells_binary_from_text(tree: Arc<dyn SourceTree>) {
    let got = read(&*tree, &["binary", "latin1", "late-nul"], 10_000).await;
    assert_eq!(got[..2], [FileContent::Binary, text("caf\u{fffd}")]);
    assert!(matches!(&got[2], FileContent::Text(t) if t.len() == 9_001));
}

/// A file above the limit is not read; one at the limit is.
pub async fn bounds_sizes(tree: Arc<dyn SourceTree>) {
    assert_eq!(read(&*tree, &["large"], 2_047).await, [FileContent::TooLarge { size: 2_048 }]);
    assert_eq!(read(&*tree, &["large"], 2_048).await, [text(&"y".repeat(2_048))]);
}

/// A name that [`RepoPath`] refuses is left out.
pub async fn leaves_out_unnameable_entries(tree: Arc<dyn SourceTree>) {
    let listed = list(&*tree, &["dir"]).await.remove(0);
    assert!(kinds(&listed).iter().all(|(name, _)| !name.contains('\\')));
}

/// A large directory is listed whole, each entry once.
pub async fn lists_a_large_directory(tree: Arc<dyn SourceTree>) {
    let mut names = kinds(&list(&*tree, &["many"]).await[0]);
    names.dedup();
    assert_eq!(names.len(), LARGE_DIRECTORY);
}

/// Stamps one test a case. The argument is an async function from the [`MemoryTree`] to show to
/// `(Arc<dyn SourceTree>, guard)`; the guard lives as long as the test.
#[macro_export]
macro_rules! source_tree_suite {
    ($module:ident, $make:expr) => {
        mod $module {
            use super::*;
            $crate::source_tree_suite!(@cases $make, fixture; reads_in_request_order, lists_in_request_order,
                knows_executables, absent_is_an_answer, follows_links, confines_links, tells_binary_from_text, bounds_sizes,
                leaves_out_unnameable_entries);
            $crate::source_tree_suite!(@cases $make, large_fixture; lists_a_large_directory);
        }
    };
    (@cases $make:expr, $fixture:ident; $($case:ident),*) => {$(
        #[tokio::test]
        async fn $case() {
            let (tree, _guard) = $make($crate::testing::suites::source_tree::$fixture()).await;
            $crate::testing::suites::source_tree::$case(tree).await;
        }
    )*};
}
