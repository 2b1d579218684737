//! Where everything lies on disk, and that it is nobody else's.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::args::{Args, Database};
use crate::seed::Seed;
use crate::stop::Stop;

/// Nothing may be written into the user's repository.
pub(crate) fn outside(seed: &Seed, args: &Args) -> Result<(), Stop> {
    let Seed::Repo(repo) = seed else { return Ok(()) };
    let db = match &args.db {
        Database::File(file) => Some(file.as_path()),
        Database::Memory => None,
    };
    for (option, path) in [("--work-dir", args.work_dir.as_deref()), ("--db", db)] {
        if path.is_some_and(|p| nearest(p).starts_with(&repo.top)) {
            return Err(Stop::Usage(format!("{option} must lie outside the repository, which is never written to")));
        }
    }
    Ok(())
}

/// The real path of the nearest directory that is there.
fn nearest(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.ancestors().find_map(|p| std::fs::canonicalize(p).ok()).unwrap_or(path)
}

/// Two runs at once on the same files would take each other's jobs. The system lets go of the locks with the process.
pub(crate) fn lock(work: &Path, db: &Database) -> Result<Vec<File>, Stop> {
    let mut files = vec![work.join("lock")];
    if let Database::File(file) = db {
        let mut name = file.clone().into_os_string();
        name.push(".lock");
        files.push(name.into());
    }
    let take = |path: PathBuf| {
        let shown = path.display();
        let unusable = |e: std::io::Error| Stop::Usage(format!("{shown}: {e}"));
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(unusable)?;
        let file = File::options().create(true).append(true).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Stop::Usage(format!("another run holds {shown}; take another directory"))),
            Err(TryLockError::Error(e)) => Err(unusable(e)),
        }
    };
    files.into_iter().map(take).collect()
}

/// Where everything lies: the user's directory, or one of our own that goes away.
pub(crate) enum WorkDir {
    Given(PathBuf),
    Temporary(TempDir),
}

impl WorkDir {
    pub(crate) fn make(given: Option<&Path>) -> Result<Self, Stop> {
        let unusable = |e: std::io::Error| Stop::Usage(format!("the work directory cannot be made: {e}"));
        match given {
            Some(dir) => {
                std::fs::create_dir_all(dir).and_then(|()| std::fs::canonicalize(dir)).map(Self::Given).map_err(unusable)
            }
            None => tempfile::Builder::new().prefix("zopnight-").tempdir().map(Self::Temporary).map_err(unusable),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }

    pub(crate) fn keep(self) {
        if let Self::Temporary(dir) = self {
            let _ = dir.keep();
        }
    }
}
