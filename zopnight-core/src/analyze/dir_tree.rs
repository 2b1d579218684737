//! A directory on disk as a source tree.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::links::{Step, follow};
use crate::domain::RepoPath;
use crate::error::{Error, Result};
use crate::ports::{EntryKind, FileContent, Listing, ReadRequest, SourceTree, TreeEntry};

const BINARY_PROBE: usize = 8 * 1024;

/// A directory as it lies on disk: no git needed, untracked files count, `.git` does not.
///
/// Only regular files are opened, and nothing outside the directory is: links are resolved by hand inside it, and what was
/// opened is checked again to lie in it.
#[derive(Clone, Debug)]
pub struct DirectoryTree {
    root: Arc<Path>,
}

impl DirectoryTree {
    /// The tree below `root`.
    ///
    /// # Errors
    /// `NotFound` if there is nothing at `root`, `Invalid` if it is not a directory, `Unavailable` if it cannot be read.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        blocking(move || {
            let root = fs::canonicalize(&root).map_err(|e| failed(e, "cannot open the directory"))?;
            if !root.is_dir() {
                return Err(Error::invalid("tree.open", "the path is not a directory").with("code", "not_a_directory"));
            }
            Ok(Self { root: root.into() })
        })
        .await
    }

    fn on_disk(&self, path: &RepoPath) -> PathBuf {
        path.components().fold(self.root.to_path_buf(), |at, component| at.join(component))
    }

    fn resolve(&self, path: &RepoPath) -> Option<PathBuf> {
        let look = |p: &RepoPath| {
            let at = self.on_disk(p);
            match fs::symlink_metadata(&at) {
                Ok(meta) if meta.file_type().is_symlink() => {
                    let target = fs::read_link(&at).ok().and_then(|t| t.into_os_string().into_string().ok());
                    target.map_or(Step::Missing, Step::Link)
                }
                Ok(_) => Step::Plain,
                Err(_) => Step::Missing,
            }
        };
        follow(path, look).map(|target| self.on_disk(&target))
    }

    fn list(&self, dir: &RepoPath) -> Result<Listing> {
        let Some(at) = self.resolve(dir).filter(|at| at.is_dir() && self.holds(at)) else {
            return Ok(Listing::Absent);
        };
        let mut entries = Vec::new();
        for entry in fs::read_dir(&at).map_err(|e| failed(e, "cannot list a directory"))? {
            let entry = entry.map_err(|e| failed(e, "cannot list a directory"))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if dir.join(&name).is_err() {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            let kind = match meta.file_type() {
                t if t.is_symlink() => EntryKind::Symlink,
                t if t.is_dir() => EntryKind::Directory,
                t if t.is_file() => EntryKind::File,
                _ => continue,
            };
            let file = kind == EntryKind::File;
            let executable = file && is_executable(&meta);
            entries.push(TreeEntry { name: name.into(), kind, size: file.then_some(meta.len()), executable });
        }
        Ok(Listing::Entries { entries, complete: true })
    }

    fn read(&self, path: &RepoPath, max_bytes: u64) -> Result<FileContent> {
        let Some(at) = self.resolve(path) else { return Ok(FileContent::Absent) };
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_file() => {}
            _ => return Ok(FileContent::Absent),
        }
        let file = match fs::File::open(&at) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(FileContent::Absent),
            Err(e) => return Err(failed(e, "cannot open a file")),
        };
        let meta = file.metadata().map_err(|e| failed(e, "cannot open a file"))?;
        if !meta.is_file() || !self.holds(&at) {
            return Ok(FileContent::Absent);
        }
        if meta.len() > max_bytes {
            return Ok(FileContent::TooLarge { size: meta.len() });
        }
        let mut bytes = Vec::new();
        file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| failed(e, "cannot read a file"))?;
        let size = bytes.len() as u64;
        Ok(match bytes {
            _ if size > max_bytes => FileContent::TooLarge { size },
            bytes if bytes.iter().take(BINARY_PROBE).any(|b| *b == 0) => FileContent::Binary,
            bytes => FileContent::Text(String::from_utf8_lossy(&bytes).into()),
        })
    }

    fn holds(&self, at: &Path) -> bool {
        fs::canonicalize(at).is_ok_and(|real| real.starts_with(&self.root))
    }
}

#[async_trait]
impl SourceTree for DirectoryTree {
    async fn entries(&self, dirs: &[RepoPath]) -> Result<Vec<Listing>> {
        let (tree, dirs) = (self.clone(), dirs.to_vec());
        blocking(move || dirs.iter().map(|dir| tree.list(dir)).collect()).await
    }

    async fn read_many(&self, request: &ReadRequest) -> Result<Vec<FileContent>> {
        let (tree, request) = (self.clone(), request.clone());
        blocking(move || request.paths.iter().map(|path| tree.read(path, request.max_bytes)).collect()).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => Err(Error::internal("tree.read", "reading the directory was aborted").with_source(e)),
    }
}

fn failed(cause: std::io::Error, message: &str) -> Error {
    let error = match cause.kind() {
        std::io::ErrorKind::NotFound => Error::not_found("tree.read", "not_found", message),
        _ => Error::unavailable("tree.read", message),
    };
    error.with_source(cause)
}

#[cfg(unix)]
fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}
