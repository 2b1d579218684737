//! What a release's folder holds.

use std::fs;
use std::path::{Path, PathBuf};

use zopnight_core::domain::RevisionNumber;
use zopnight_core::{Error, Result};

use super::OPERATION;
use super::files::{self, failed};
use crate::record::Release;

const CURRENT: &str = "CURRENT";
const RECORD: &str = "release.json";
const MAX_RECORD: u64 = 16 << 20;

/// The folder `<root>/<namespace>/<release>`.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
}

/// What was found in it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// What `CURRENT` names, if that is still there.
    pub(super) current: Option<u32>,
    /// Finished revisions, the newest first.
    pub(super) revisions: Vec<u32>,
    /// The highest removed number.
    pub(super) removed: Option<u32>,
}

impl Folder {
    pub(super) fn revision(&self, number: u32) -> PathBuf {
        self.path.join(format!("rev-{number}"))
    }

    pub(super) fn removed(&self, number: u32) -> PathBuf {
        self.path.join(format!("removed-{number}"))
    }

    /// Where a revision is written before it is finished.
    pub(super) fn unfinished(&self, number: u32) -> PathBuf {
        self.path.join(format!("rev-{number}.tmp"))
    }

    /// Where a finished revision waits while it is written anew.
    pub(super) fn set_aside(&self, number: u32) -> PathBuf {
        self.path.join(format!("rev-{number}.old"))
    }

    /// Reads the folder's state. A revision that was set aside when its writer was cut off counts as finished.
    pub(super) fn state(&self) -> Result<State> {
        let mut state = State::default();
        if files::kind(&self.path)?.is_none() {
            return Ok(state);
        }
        for entry in fs::read_dir(&self.path).map_err(|e| failed(&self.path, e))? {
            let entry = entry.map_err(|e| failed(&self.path, e))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let number = |text: &str| text.parse().ok().filter(|n: &u32| n.to_string() == text);
            if let Some(revision) = name.strip_prefix("rev-").map(|n| n.strip_suffix(".old").unwrap_or(n)).and_then(number) {
                state.revisions.push(revision);
            } else if let Some(removed) = name.strip_prefix("removed-").and_then(number) {
                state.removed = state.removed.max(Some(removed));
            }
        }
        state.revisions.sort_unstable_by(|a, b| b.cmp(a));
        state.revisions.dedup();
        state.current = self.current()?.filter(|n| state.revisions.contains(n));
        Ok(state)
    }

    fn current(&self) -> Result<Option<u32>> {
        let path = self.path.join(CURRENT);
        let Some(bytes) = files::read(&path, 64)? else { return Ok(None) };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let number = text.trim_end().strip_prefix("rev-").and_then(|n| n.parse().ok());
        number.map(Some).ok_or_else(|| Error::internal(OPERATION, "CURRENT does not name a revision"))
    }

    /// Points `CURRENT` to a revision.
    pub(super) fn set_current(&self, number: u32) -> Result<()> {
        files::replace(&self.path.join(CURRENT), format!("rev-{number}\n").as_bytes())
    }

    pub(super) fn clear_current(&self) -> Result<()> {
        files::remove(&self.path.join(CURRENT))
    }

    /// Where a finished revision lies.
    pub(super) fn place_of(&self, number: u32) -> Result<PathBuf> {
        let path = self.revision(number);
        Ok(if files::exists(&path)? { path } else { self.set_aside(number) })
    }

    /// The record of a finished revision.
    pub(super) fn record(&self, number: u32) -> Result<Option<Release>> {
        read_record(&self.place_of(number)?)
    }

    /// Rewrites the record of a finished revision.
    pub(super) fn rewrite_record(place: &Path, record: &Release) -> Result<()> {
        files::replace(&place.join(RECORD), record.to_text()?.as_bytes())
    }
}

/// The record in a revision's folder.
pub(super) fn read_record(place: &Path) -> Result<Option<Release>> {
    files::read(&place.join(RECORD), MAX_RECORD)?.as_deref().map(Release::parse).transpose()
}

impl State {
    /// The highest number that was ever finished: the fence.
    pub(super) fn newest(&self) -> Option<RevisionNumber> {
        let newest = self.revisions.first().copied().max(self.current)?;
        RevisionNumber::new(newest).ok()
    }
}
