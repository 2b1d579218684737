//! Runs on a user's repository: it is read, never written.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use tempfile::TempDir;

use super::program::{pack, ran};
use crate::args::{Args, Database};

fn git(dir: &Path, arguments: &[&str]) -> String {
    let settings = ["-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"];
    let output = Command::new("git")
        .args(settings)
        .args(arguments)
        .current_dir(dir)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .expect("git is there");
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with one commit of a web app in a subdirectory.
fn repository() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("My Shop");
    std::fs::create_dir_all(top.join("web")).unwrap();
    git(&top, &["init", "--quiet", "--initial-branch=trunk"]);
    std::fs::write(top.join("web/Dockerfile"), "FROM scratch\nCOPY index.html /\nEXPOSE 8080\n").unwrap();
    std::fs::write(top.join("web/index.html"), "<p>hello</p>").unwrap();
    git(&top, &["add", "."]);
    git(&top, &["commit", "--quiet", "--message", "First"]);
    git(&top, &["tag", "v1"]);
    (dir, top)
}

/// Every file with its bytes and its time of change.
fn listing(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(listing(&entry.path()));
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            all.insert(entry.path(), (bytes, entry.metadata().unwrap().modified().unwrap()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_s_repository_is_deployed_and_stays_as_it_was() {
    let (_dir, top) = repository();
    let work = tempfile::tempdir().unwrap();
    let state = || (git(&top, &["status", "--porcelain"]), git(&top, &["for-each-ref"]), listing(&top));
    let before = state();
    let args = Args { repo: Some(top.join("web")), ..pack(work.path()) };
    let ran = ran(&args, OsStr::new("")).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let after = state();
    assert_eq!(before.0, "");
    assert!(before == after, "the repository has changed");
    let summary = ran.summary();
    assert_eq!(summary["deployment"]["name"], "my-shop");
    let commits: Vec<_> = summary["revisions"].as_array().unwrap().iter().map(|r| r["commit"].clone()).collect();
    let head = git(&top, &["rev-parse", "HEAD"]);
    assert_eq!((commits[0].as_str(), commits[2].as_str()), (Some(head.trim()), Some(head.trim())));
    assert_ne!(commits[1], commits[0], "an empty commit was made in the clone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deployed_is_refused_with_the_remedy_before_any_work() {
    let (_dir, top) = repository();
    let (_other, dirty) = repository();
    std::fs::write(dirty.join("new.txt"), "x").unwrap();
    let (_third, detached) = repository();
    git(&detached, &["switch", "--quiet", "--detach"]);
    let empty = tempfile::tempdir().unwrap();
    git(empty.path(), &["init", "--quiet"]);
    let none = tempfile::tempdir().unwrap();
    let missing = none.path().join("missing");
    for (repo, says) in [
        (dirty.as_path(), "new.txt …); only commits are deployed: commit or `git stash -u`"),
        (&detached, "is on no branch: `git switch`"),
        (empty.path(), "has no commit: `git add` your files and `git commit`"),
        (none.path(), "run `git init`"),
        (&missing, "--repo"),
        (&top.join("web/Dockerfile"), "is not a directory"),
    ] {
        let work = none.path().join("work");
        let ran = ran(&Args { repo: Some(repo.to_owned()), ..pack(&work) }, OsStr::new("")).await;
        assert_eq!(ran.code, 2, "{says}: {}", ran.err);
        assert!(ran.err.contains(says) && ran.err.lines().count() == 1, "{says}: {}", ran.err);
        assert!(!work.exists(), "{says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_ours_goes_into_the_repository() {
    let (_dir, top) = repository();
    let outside = tempfile::tempdir().unwrap();
    let before = listing(&top);
    for args in [
        Args { repo: Some(top.join("web")), ..pack(&top.join("web/work")) },
        Args { repo: Some(top.clone()), db: Database::File(top.join("data/x.db")), ..pack(outside.path()) },
    ] {
        let ran = ran(&args, OsStr::new("")).await;
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("must lie outside the repository"), "{}", ran.err);
    }
    assert!(before == listing(&top));
}
