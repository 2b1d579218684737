//! The files of one commit.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::RepoPath;
use crate::error::Result;

/// Files of one commit. Cheap to clone behind `Arc`; every call sees the same commit.
///
/// Contents are decoded lossily from UTF-8. Entries whose name [`RepoPath`] refuses are left out of listings. Symbolic
/// links are resolved inside the tree, over at most 8 hops; one that is broken, cyclic or leaves the tree reads as absent.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SourceTree: Debug + Send + Sync + 'static {
    /// Direct children of each directory asked for; one batch is one round trip. The answer has one [`Listing`] per
    /// request, in request order; `Absent` if the path is not a directory. An adapter that can only fetch the whole tree
    /// does so once and answers from memory.
    ///
    /// # Errors
    /// `Unavailable`, `RateLimited`, `Forbidden`, or `NotFound` (the commit is gone), as met.
    async fn entries(&self, dirs: &[RepoPath]) -> Result<Vec<Listing>>;

    /// Contents; one batch is one round trip, answered in request order. A missing path, a directory, a submodule, or a
    /// link that leaves the tree is `Absent`; a file above `max_bytes` is `TooLarge`; one with a NUL in its first 8 KiB is
    /// `Binary`.
    ///
    /// # Errors
    /// As [`SourceTree::entries`].
    async fn read_many(&self, request: &ReadRequest) -> Result<Vec<FileContent>>;
}

/// A direct child of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name, without a slash.
    pub name: Box<str>,
    /// What it is; links are not followed here.
    pub kind: EntryKind,
    /// Its size in bytes, if the adapter knows.
    pub size: Option<u64>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A submodule: an empty directory to us.
    Submodule,
}

/// The answer for one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Its children, in any order.
    Entries {
        /// The children.
        entries: Vec<TreeEntry>,
        /// Whether that is all of them.
        complete: bool,
    },
    /// It is not a directory of this tree.
    Absent,
}

/// Which files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// The files.
    pub paths: Vec<RepoPath>,
    /// Largest size of each, in bytes.
    pub max_bytes: u64,
}

/// The answer for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// Its text.
    Text(Arc<str>),
    /// It is not a file of this tree.
    Absent,
    /// It is larger than asked for.
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// It is not text.
    Binary,
}
