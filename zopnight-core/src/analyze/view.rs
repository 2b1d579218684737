//! What detectors see: the facts, the request, and a place to note what is missing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::domain::RepoPath;
use crate::ports::{EntryKind, TreeEntry};

use super::config::AnalyzeConfig;
use super::glob;
use super::snapshot::{Facts, Kind, Known};
use super::wants::{Priority, Wants};

/// The request without the tree.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) root: RepoPath,
    pub(crate) repository_name: Box<str>,
    pub(crate) env: BTreeMap<String, String>,
}

/// What is not known yet reads as absent and is noted as a want; the detector goes on.
pub(crate) struct View<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) subject: &'a Subject,
    pub(crate) config: &'a AnalyzeConfig,
    wants: RefCell<Wants>,
}

/// A file that was found under the app root or above it.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) path: RepoPath,
    pub(crate) text: &'a str,
}

impl<'a> View<'a> {
    pub(crate) fn new(facts: &'a Facts, subject: &'a Subject, config: &'a AnalyzeConfig) -> Self {
        Self { facts, subject, config, wants: RefCell::default() }
    }

    pub(crate) fn into_wants(self) -> Wants {
        self.wants.into_inner()
    }

    pub(crate) fn root(&self) -> &'a RepoPath {
        &self.subject.root
    }

    /// `RAILPACK_<name>`, trimmed; `None` if blank.
    pub(crate) fn env(&self, name: &str) -> Option<&'a str> {
        let value = self.subject.env.get(&format!("RAILPACK_{name}"))?.trim();
        (!value.is_empty()).then_some(value)
    }

    pub(crate) fn env_truthy(&self, name: &str) -> bool {
        self.env(name).is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("true"))
    }

    /// The last segment of the app root, or the repository's name.
    pub(crate) fn app_name(&self) -> &'a str {
        self.root().file_name().unwrap_or(&self.subject.repository_name)
    }

    /// `relative` below the app root; `None` if it is no path in the repository.
    pub(crate) fn at(&self, relative: &str) -> Option<RepoPath> {
        self.root().join(&clean(relative)?).ok()
    }

    fn is_out_of_bounds(&self, path: &RepoPath) -> bool {
        let below = path.relative_to(self.root());
        glob::is_ignored(path, self.root()) || below.is_some_and(|p| p.components().count() > self.config.max_depth + 1)
    }

    /// What `path` is, links resolved; notes what must be listed to know.
    pub(crate) fn kind(&self, path: &RepoPath) -> Option<EntryKind> {
        match self.facts.kind(path) {
            Kind::Is(kind) => Some(kind),
            Kind::Absent => None,
            Kind::Unknown => {
                let parent = path.parent()?;
                if self.kind(&parent) == Some(EntryKind::Directory) {
                    self.want_dir(&parent, Priority::Config);
                }
                None
            }
            Kind::UnknownLink => {
                self.want_dir(path, Priority::Manifest);
                self.want_file(path, Priority::Manifest);
                None
            }
        }
    }

    pub(crate) fn want_dir(&self, path: &RepoPath, priority: Priority) {
        if self.facts.dir(path).is_none() && !self.facts.is_refused(path) && !self.is_out_of_bounds(path) {
            self.wants.borrow_mut().dir(path, priority);
        }
    }

    /// Asks for a directory that may not exist, to save a round.
    pub(crate) fn expect_dir(&self, path: &RepoPath, priority: Priority) {
        if self.facts.kind(path) == Kind::Unknown {
            self.want_dir(path, priority);
        }
    }

    fn want_file(&self, path: &RepoPath, priority: Priority) {
        let in_ignored = path.parent().is_some_and(|dir| self.is_out_of_bounds(&dir));
        if self.facts.file(path).is_none() && !self.facts.is_refused(path) && !in_ignored {
            self.wants.borrow_mut().file(path, priority);
        }
    }

    /// Whether `relative` exists below the app root. A path through a file counts, as it does for Railpack.
    pub(crate) fn has(&self, relative: &str) -> bool {
        let Some(path) = self.at(relative) else { return false };
        if self.kind(&path).is_some() {
            return true;
        }
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| dir != self.root()) {
            if self.kind(&dir) == Some(EntryKind::File) {
                return true;
            }
            above = dir.parent();
        }
        false
    }

    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    pub(crate) fn has_file(&self, relative: &str) -> bool {
        self.at(relative).is_some_and(|path| self.kind(&path) == Some(EntryKind::File))
    }

    pub(crate) fn has_dir(&self, relative: &str) -> bool {
        self.at(relative).is_some_and(|path| self.kind(&path) == Some(EntryKind::Directory))
    }

    /// The entries of a directory, sorted; empty if it is absent or not known yet.
    pub(crate) fn list(&self, dir: &RepoPath, priority: Priority) -> &'a [TreeEntry] {
        match self.facts.dir(dir) {
            Some(known) => known.unwrap_or_default(),
            None => {
                if self.kind(dir) == Some(EntryKind::Directory) {
                    self.want_dir(dir, priority);
                }
                &[]
            }
        }
    }

    pub(crate) fn root_entries(&self) -> &'a [TreeEntry] {
        self.list(self.root(), Priority::Manifest)
    }

    /// The text at `path`, with its byte order mark; `None` if it is absent, unreadable or not known yet.
    pub(crate) fn text(&self, path: &RepoPath, priority: Priority) -> Option<&'a str> {
        match self.facts.file(path) {
            Some(Known::Text(text)) if priority >= Priority::Entry && text.len() as u64 > self.config.max_source_bytes => {
                None
            }
            Some(Known::Text(text)) => Some(text),
            Some(_) => None,
            None => {
                if self.kind(path) == Some(EntryKind::File) {
                    self.want_file(path, priority);
                }
                None
            }
        }
    }

    /// As [`View::text`], but asks for the file together with the listing of its directory.
    pub(crate) fn text_eagerly(&self, path: &RepoPath, priority: Priority) -> Option<&'a str> {
        let listed = path.parent().is_some_and(|dir| self.facts.dir(&dir).is_some());
        if !listed && path.parent().is_some_and(|dir| self.kind(&dir) == Some(EntryKind::Directory)) {
            self.want_file(path, priority);
        }
        self.text(path, priority)
    }

    /// The text below the app root, without a byte order mark.
    pub(crate) fn read(&self, relative: &str, priority: Priority) -> Option<Found<'a>> {
        let path = self.at(relative)?;
        let text = self.text(&path, priority)?;
        Some(Found { path, text: text.strip_prefix('\u{feff}').unwrap_or(text) })
    }

    /// The text as Railpack reads it, below the app root.
    pub(crate) fn raw(&self, relative: &str) -> Option<&'a str> {
        self.text(&self.at(relative)?, Priority::Manifest)
    }

    /// Whether the file is there and its text contains `needle`.
    pub(crate) fn contains(&self, relative: &str, needle: &str) -> bool {
        self.raw(relative).is_some_and(|text| text.contains(needle))
    }

    /// Files below `from` down to `depth` directories, pre-order and bytewise, links and ignored directories not entered.
    /// Wants the listings it lacks.
    pub(crate) fn walk(&self, from: &RepoPath, depth: usize, priority: Priority) -> Vec<RepoPath> {
        let mut files = Vec::new();
        self.walk_into(from, depth, priority, &mut files);
        files
    }

    fn walk_into(&self, dir: &RepoPath, depth: usize, priority: Priority, files: &mut Vec<RepoPath>) {
        for entry in self.list(dir, priority) {
            let Ok(path) = dir.join(&entry.name) else { continue };
            match entry.kind {
                EntryKind::Directory if depth > 0 && !glob::is_ignored(&path, self.root()) => {
                    self.walk_into(&path, depth - 1, priority, files);
                }
                EntryKind::File => files.push(path),
                _ => {}
            }
        }
    }
}

/// `./a//b/./c` as `a/b/c`, `..` resolved lexically; `None` if it leaves the start.
pub(crate) fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// 1-based line of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    u32::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX - 1) + 1
}

/// Line of the first occurrence of `needle`, else 1.
pub(crate) fn line_with(text: &str, needle: &str) -> u32 {
    text.find(needle).map_or(1, |at| line_of(text, at))
}
