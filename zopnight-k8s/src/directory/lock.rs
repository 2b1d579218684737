//! One writer a release, across processes.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind as Io, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use zopnight_core::domain::{Fence, ReleaseRef, RevisionNumber, Timestamp};
use zopnight_core::{Error, Result, Retry};

use super::OPERATION;
use super::files::{self, failed};

const NAME: &str = "LOCK";
/// A lock older than this belongs to a writer that is gone.
const STALE: Duration = Duration::from_secs(60);

/// The lock, let go when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    text: String,
}

/// `<deployment>/<revision>/<job fence>` and the microseconds since 1970, one a line.
#[derive(Clone, Copy, Debug)]
struct Holder {
    revision: u32,
    fence: u64,
    since: Timestamp,
}

/// A lock file that was found.
struct Held {
    text: Vec<u8>,
    holder: Option<Holder>,
    since: Timestamp,
}

fn parse(text: &[u8]) -> Option<Holder> {
    let text = std::str::from_utf8(text).ok()?;
    let (holder, since) = text.trim_end().split_once('\n')?;
    let mut parts = holder.splitn(3, '/').skip(1);
    let revision = parts.next()?.parse().ok()?;
    let fence = parts.next()?.parse().ok()?;
    Some(Holder { revision, fence, since: Timestamp::from_micros(since.parse().ok()?) })
}

/// Since when `path` is locked, and by whom as far as it says.
fn held(path: &Path) -> Result<Option<Held>> {
    let Some(text) = files::read(path, 1_024)? else { return Ok(None) };
    let holder = parse(&text);
    let since = match holder {
        Some(holder) => holder.since,
        // Its writer was cut off between making and filling the file: the file's own age counts.
        None => {
            let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(None) };
            let age = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            Timestamp::from_micros(i64::try_from(age.as_micros()).unwrap_or(0))
        }
    };
    Ok(Some(Held { text, holder, since }))
}

/// Whether someone is writing now.
pub(super) fn is_held(release: &Path, now: Timestamp) -> Result<bool> {
    Ok(held(&release.join(NAME))?.is_some_and(|held| now.since(held.since) < STALE))
}

impl Lock {
    /// Takes the lock of a release; a stale one, and one of an earlier hand-out of the same job, is taken over.
    ///
    /// # Errors
    /// `Conflict` `release_locked` with the time that is left.
    pub(super) fn take(
        release: &Path,
        target: &ReleaseRef,
        revision: RevisionNumber,
        fence: Fence,
        now: Timestamp,
    ) -> Result<Self> {
        let path = release.join(NAME);
        let text = format!("{}/{revision}/{}\n{}\n", target.deployment, fence.get(), now.as_micros());
        // Each round either takes the lock, finds it held, or takes a dead one away.
        for _ in 0..3 {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(&path, e))?;
                    return Ok(Self { path, text });
                }
                Err(e) if e.kind() == Io::AlreadyExists => {}
                Err(e) => return Err(failed(&path, e)),
            }
            let Some(Held { text: found, holder, since }) = held(&path)? else { continue };
            let earlier = holder.is_some_and(|h| h.revision == revision.get() && h.fence < fence.get());
            let left = STALE.saturating_sub(now.since(since));
            if !earlier && !left.is_zero() {
                return Err(locked(left));
            }
            take_away(&path, &found)?;
        }
        Err(locked(Duration::from_secs(2)))
    }
}

fn locked(left: Duration) -> Error {
    Error::conflict(OPERATION, "release_locked", "the release is being written").with_retry(Retry::After(left))
}

/// Removes a dead lock, unless another writer has put its own there meanwhile.
fn take_away(path: &Path, dead: &[u8]) -> Result<()> {
    let aside = path.with_file_name("LOCK.stale");
    files::remove(&aside)?;
    match fs::rename(path, &aside) {
        Err(e) if e.kind() == Io::NotFound => return Ok(()),
        moved => moved.map_err(|e| failed(path, e))?,
    }
    if files::read(&aside, 1_024)?.is_some_and(|found| found != dead) {
        // It was alive: back with it, unless a third one was quicker.
        drop(fs::hard_link(&aside, path));
    }
    files::remove(&aside)
}

impl Drop for Lock {
    fn drop(&mut self) {
        if fs::read(&self.path).is_ok_and(|found| found == self.text.as_bytes()) {
            drop(fs::remove_file(&self.path));
        }
    }
}
