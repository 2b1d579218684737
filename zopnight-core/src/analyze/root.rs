//! The root path: it must be a directory of the tree.

use crate::domain::RepoPath;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::EntryKind;

use super::snapshot::{Facts, Kind};

const OPERATION: &str = "analyze.root";

/// The app root and its ancestors, the repository's root first.
pub(crate) fn lineage(root: &RepoPath) -> Vec<RepoPath> {
    let mut lineage: Vec<RepoPath> = std::iter::successors(Some(root.clone()), RepoPath::parent).collect();
    lineage.reverse();
    lineage
}

/// Refuses a root path that is not a directory of the tree.
pub(crate) fn check(facts: &Facts, root: &RepoPath, is_directory: bool) -> Result<()> {
    for path in lineage(root) {
        match facts.kind(&path) {
            Kind::Is(EntryKind::Submodule) => {
                let message = format!("root path {root} lies in the submodule {path}, which is not part of the commit");
                return Err(Error::new(ErrorKind::Unsupported, OPERATION, message).with("code", "root_path_submodule"));
            }
            Kind::Is(EntryKind::File) if path == *root => return Err(not_a_directory(root)),
            Kind::Is(EntryKind::Directory) => {}
            Kind::UnknownLink if is_directory => {}
            Kind::UnknownLink if path == *root => return Err(not_a_directory(root)),
            _ if is_directory => {}
            _ => return Err(absent(facts, root, &path)),
        }
    }
    Ok(())
}

fn not_a_directory(root: &RepoPath) -> Error {
    Error::invalid(OPERATION, format!("root path {root} is a file, not a directory"))
        .with("code", "root_path_not_a_directory")
}

fn absent(facts: &Facts, root: &RepoPath, missing: &RepoPath) -> Error {
    let mut message = format!("root path {root} is not in the commit");
    let siblings = missing.parent().and_then(|dir| facts.dir(&dir)).flatten().unwrap_or_default();
    let wanted = missing.file_name().unwrap_or_default();
    if let Some(alike) = siblings.iter().find(|e| e.name.to_lowercase() == wanted.to_lowercase() && &*e.name != wanted) {
        message.push_str(&format!("; there is {}, names are case-sensitive", alike.name));
    }
    Error::not_found(OPERATION, "root_path_not_found", message)
}
