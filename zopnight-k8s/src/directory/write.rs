//! Writes a revision: beside the others first, then by renaming.

use std::path::Path;

use zopnight_core::Result;

use super::files;
use super::state::Folder;
use crate::object::Object;
use crate::record::Release;

/// The longest part of a name inside a file's name.
const MAX_NAME: usize = 180;

/// The files of a revision: one an object, numbered in the order of installation.
pub(super) fn manifest_files(objects: &[Object]) -> Vec<(String, String)> {
    let width = if objects.len() < 100 { 2 } else { 3 };
    let files = objects.iter().enumerate().map(|(at, object)| {
        let kind: String = object.kind().chars().filter(char::is_ascii_alphanumeric).collect();
        let name = object.name().get(..MAX_NAME).unwrap_or(object.name());
        let number = at.saturating_add(1);
        (format!("{number:0width$}-{}-{name}.yaml", kind.to_ascii_lowercase()), object.to_yaml())
    });
    files.collect()
}

/// Whether `place` holds exactly these manifests.
pub(super) fn holds(place: &Path, manifests: &[(String, String)]) -> Result<bool> {
    for (name, text) in manifests {
        let found = files::read(&place.join(name), 4 << 20)?;
        if found.as_deref() != Some(text.as_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the revision and points `CURRENT` to it. Until that last step the old revision stays the current one.
pub(super) fn write(folder: &Folder, number: u32, manifests: &[(String, String)], record: &Release) -> Result<()> {
    let unfinished = folder.unfinished(number);
    files::remove(&unfinished)?;
    files::ensure_directory(&unfinished)?;
    for (name, text) in manifests {
        files::write_new(&unfinished.join(name), text.as_bytes())?;
    }
    files::write_new(&unfinished.join("release.json"), record.to_text()?.as_bytes())?;
    files::sync_directory(&unfinished)?;
    let (finished, aside) = (folder.revision(number), folder.set_aside(number));
    if files::exists(&finished)? {
        files::remove(&aside)?;
        files::rename(&finished, &aside)?;
    }
    files::rename(&unfinished, &finished)?;
    files::remove(&aside)?;
    folder.set_current(number)
}
