//! Files that are there wholly or not at all. Nothing here follows a link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Read as _, Write as _};
use std::path::Path;

use zopnight_core::{Error, ErrorKind, Result};

use super::OPERATION;

pub(super) fn failed(path: &Path, error: io::Error) -> Error {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Error::unavailable(OPERATION, format!("cannot write or read {name}"))
        .with("code", "cluster_unreachable")
        .with_source(error)
}

/// What lies at `path`; `None` if nothing does.
pub(super) fn kind(path: &Path) -> Result<Option<fs::FileType>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => {
            let message = "a link is in the way; links are not followed";
            Err(Error::new(ErrorKind::Forbidden, OPERATION, message)
                .with("code", "cluster_rejected")
                .with("path", path.display().to_string()))
        }
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(e) if e.kind() == Io::NotFound => Ok(None),
        Err(e) => Err(failed(path, e)),
    }
}

pub(super) fn exists(path: &Path) -> Result<bool> {
    kind(path).map(|kind| kind.is_some())
}

/// Makes the directory unless it is there.
pub(super) fn ensure_directory(path: &Path) -> Result<()> {
    match kind(path)? {
        Some(kind) if kind.is_dir() => Ok(()),
        Some(_) => Err(failed(path, io::Error::other("not a directory"))),
        None => match fs::create_dir(path) {
            Err(e) if e.kind() != Io::AlreadyExists => Err(failed(path, e)),
            _ => kind(path).map(|_| ()),
        },
    }
}

/// A file of at most `max` bytes; `None` if there is none.
pub(super) fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    if kind(path)?.is_none() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = match File::open(path) {
        Err(e) if e.kind() == Io::NotFound => return Ok(None),
        file => file.map_err(|e| failed(path, e))?,
    };
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| failed(path, e))?;
    if bytes.len() as u64 > max {
        return Err(failed(path, io::Error::other("larger than expected")));
    }
    Ok(Some(bytes))
}

/// Writes a file that must not be there yet, down to the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| failed(path, e))
}

/// Replaces a file by renaming a finished one over it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let next = path.with_file_name(name);
    remove(&next)?;
    write_new(&next, bytes)?;
    rename(&next, path)
}

/// Renames, and has the directory written down.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| failed(from, e))?;
    sync_directory(to.parent().unwrap_or(to))
}

/// Removes a file or a directory with what is in it; absent is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = match kind(path)? {
        None => return Ok(()),
        Some(kind) if kind.is_dir() => fs::remove_dir_all(path),
        Some(_) => fs::remove_file(path),
    };
    match removed {
        Err(e) if e.kind() != Io::NotFound => Err(failed(path, e)),
        _ => Ok(()),
    }
}

pub(super) fn sync_directory(path: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(path).and_then(|d| d.sync_all()).map_err(|e| failed(path, e))?;
    }
    Ok(())
}
