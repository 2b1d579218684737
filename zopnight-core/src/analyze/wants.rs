//! What a run would have liked to know.

use std::collections::BTreeMap;

use crate::domain::RepoPath;

/// What a want is good for; lower is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Manifest,
    Docker,
    Config,
    Entry,
    Source,
}

/// Paths to list and to read, each with its best priority.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    dirs: BTreeMap<RepoPath, Priority>,
    files: BTreeMap<RepoPath, Priority>,
}

impl Wants {
    pub(crate) fn dir(&mut self, path: &RepoPath, priority: Priority) {
        note(&mut self.dirs, path, priority);
    }

    pub(crate) fn file(&mut self, path: &RepoPath, priority: Priority) {
        note(&mut self.files, path, priority);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dirs.is_empty() && self.files.is_empty()
    }

    /// Directories, then files, each in the order in which a budget is spent on them.
    pub(crate) fn in_order(self) -> (Vec<RepoPath>, Vec<RepoPath>) {
        (ordered(self.dirs), ordered(self.files))
    }
}

fn note(wants: &mut BTreeMap<RepoPath, Priority>, path: &RepoPath, priority: Priority) {
    let known = wants.entry(path.clone()).or_insert(priority);
    *known = priority.min(*known);
}

fn ordered(wants: BTreeMap<RepoPath, Priority>) -> Vec<RepoPath> {
    let mut wants: Vec<(Priority, usize, RepoPath)> = wants.into_iter().map(|(p, w)| (w, p.as_str().len(), p)).collect();
    wants.sort();
    wants.into_iter().map(|(_, _, path)| path).collect()
}
