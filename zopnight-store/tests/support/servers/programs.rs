//! The programs of a machine, and who runs them.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::Kind;

/// What starts a private server.
#[derive(Debug)]
pub(super) enum Programs {
    MariaDb { install: PathBuf, server: PathBuf },
    MySql { server: PathBuf },
    Postgres { init: PathBuf, server: PathBuf },
}

/// A user without rights.
#[derive(Clone, Copy, Debug)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Programs {
    /// The user to run as: the servers refuse to run as root.
    pub(super) fn user(&self) -> Option<User> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
        let own = if matches!(self, Self::Postgres { .. }) { "postgres" } else { "mysql" };
        let found = || user(own).or_else(|| user("nobody")).expect("a root without the user nobody");
        is_root.then(found)
    }
}

/// What this machine has: on `PATH`, or where the packages of a distribution put it.
pub(super) fn find(kind: Kind) -> Option<Programs> {
    match kind {
        Kind::Mysql => {
            let server = program("mariadbd").or_else(|| program("mysqld"))?;
            let version = Command::new(&server).arg("--version").output().ok()?;
            if !String::from_utf8_lossy(&version.stdout).contains("MariaDB") {
                return Some(Programs::MySql { server });
            }
            let install = program("mariadb-install-db").or_else(|| program("mysql_install_db"))?;
            Some(Programs::MariaDb { install, server })
        }
        Kind::Postgres => Some(Programs::Postgres { init: program("initdb")?, server: program("postgres")? }),
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // The newest one only: both programs must come from one version.
    directories.extend(versions.max().map(|newest| format!("/usr/lib/postgresql/{newest}/bin").into()));
    directories.into_iter().map(|directory| directory.join(name)).find(|file| file.is_file())
}

fn user(name: &str) -> Option<User> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
    Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// A number that no other call gets, in this process or another.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
