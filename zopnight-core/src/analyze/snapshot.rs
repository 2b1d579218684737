//! What is known of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::RepoPath;
use crate::ports::{EntryKind, FileContent, Listing, TreeEntry};

use super::config::AnalyzeConfig;

/// A file that was asked for.
#[derive(Debug)]
pub(crate) enum Known {
    Text(Arc<str>),
    Absent,
    TooLarge,
    Binary,
}

/// Directories and files seen so far, and what a budget refused.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    dirs: BTreeMap<RepoPath, Option<Vec<TreeEntry>>>,
    files: BTreeMap<RepoPath, Known>,
    refused: BTreeSet<RepoPath>,
    listed: usize,
    read: usize,
    bytes: u64,
    cut: bool,
}

impl Facts {
    pub(crate) fn dir(&self, path: &RepoPath) -> Option<Option<&[TreeEntry]>> {
        self.dirs.get(path).map(|known| known.as_deref())
    }

    pub(crate) fn file(&self, path: &RepoPath) -> Option<&Known> {
        self.files.get(path)
    }

    /// The entry as its directory lists it; `None` if it is not listed there or the directory is not known.
    pub(crate) fn entry(&self, path: &RepoPath) -> Option<&TreeEntry> {
        let entries = self.dirs.get(&path.parent()?)?.as_ref()?;
        let name = path.file_name()?;
        entries.binary_search_by(|e| (*e.name).cmp(name)).ok().and_then(|at| entries.get(at))
    }

    pub(crate) fn is_refused(&self, path: &RepoPath) -> bool {
        self.refused.contains(path)
    }

    /// Whether a budget or an incomplete listing cut something off.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn mark_cut(&mut self) {
        self.cut = true;
    }

    pub(crate) fn files_read(&self) -> usize {
        self.read
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// Keeps the first of `dirs` and `files` that the budgets still allow and refuses the rest.
    pub(crate) fn admit(&mut self, config: &AnalyzeConfig, dirs: &mut Vec<RepoPath>, files: &mut Vec<RepoPath>) {
        let room = config.max_dirs.saturating_sub(self.listed);
        self.refuse(dirs.split_off(room.min(dirs.len())));
        let room = config.max_files.saturating_sub(self.read);
        let mut bytes = self.bytes;
        let mut fits = 0;
        for path in files.iter().take(room) {
            bytes = bytes.saturating_add(self.entry(path).and_then(|e| e.size).unwrap_or(0).min(config.max_file_bytes));
            if bytes > config.max_total_bytes {
                break;
            }
            fits += 1;
        }
        self.refuse(files.split_off(fits));
    }

    fn refuse(&mut self, paths: Vec<RepoPath>) {
        self.cut |= !paths.is_empty();
        self.refused.extend(paths);
    }

    pub(crate) fn learn_dir(&mut self, path: RepoPath, listing: Listing, config: &AnalyzeConfig) {
        self.listed += 1;
        let known = match listing {
            Listing::Absent => None,
            Listing::Entries { mut entries, complete } => {
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                self.cut |= !complete || entries.len() > config.max_entries_per_dir;
                entries.truncate(config.max_entries_per_dir);
                Some(entries)
            }
        };
        self.dirs.insert(path, known);
    }

    pub(crate) fn learn_file(&mut self, path: RepoPath, content: FileContent, config: &AnalyzeConfig) {
        self.read += 1;
        let known = match content {
            FileContent::Absent => Known::Absent,
            FileContent::TooLarge { .. } => Known::TooLarge,
            FileContent::Binary => Known::Binary,
            FileContent::Text(text) => {
                let bytes = self.bytes.saturating_add(text.len() as u64);
                if bytes > config.max_total_bytes {
                    self.refuse(vec![path]);
                    return;
                }
                self.bytes = bytes;
                Known::Text(if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text })
            }
        };
        self.files.insert(path, known);
    }

    /// What the app root's ancestors or the root itself are, links resolved.
    pub(crate) fn kind(&self, path: &RepoPath) -> Kind {
        if path.is_root() {
            return Kind::Is(EntryKind::Directory);
        }
        let Some(parent) = path.parent() else { return Kind::Absent };
        match self.dirs.get(&parent) {
            None => Kind::Unknown,
            Some(None) => Kind::Absent,
            Some(Some(_)) => match self.entry(path) {
                None => Kind::Absent,
                Some(entry) if entry.kind == EntryKind::Symlink => self.behind_link(path),
                Some(entry) => Kind::Is(entry.kind),
            },
        }
    }

    fn behind_link(&self, path: &RepoPath) -> Kind {
        match (self.files.get(path), self.dirs.get(path)) {
            (_, Some(Some(_))) => Kind::Is(EntryKind::Directory),
            (Some(Known::Text(_) | Known::TooLarge | Known::Binary), _) => Kind::Is(EntryKind::File),
            (Some(Known::Absent), Some(None)) => Kind::Absent,
            _ => Kind::UnknownLink,
        }
    }
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Is(EntryKind),
    Absent,
    /// Its directory was not listed.
    Unknown,
    /// A link nobody looked behind.
    UnknownLink,
}
