//! The container programs' part, played by scripts.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use zopnight_core::domain::{CommitSha, ImageRef};

use super::program::{pack, ran, until};
use crate::args::{Args, BuilderChoice, Database};
use crate::image_layout::{ImageLayout, layer};
use crate::tool::{Program, Tool, choose};

/// A directory with scripts of these names, as in `PATH`, behind the system's own.
fn path_with(scripts: &[(&str, String)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in scripts {
        let file = dir.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

/// An image layout as a container program would save it.
fn saved(dir: &Path) -> PathBuf {
    let root = dir.join("saved");
    let commit = CommitSha::parse(&"a".repeat(40)).unwrap();
    let image = ImageRef::parse("registry.local/other/name:x").unwrap();
    ImageLayout::new(root.clone()).put_packed(&image, &commit, &layer(&[])).unwrap();
    root
}

#[tokio::test]
async fn the_first_that_answers_is_taken_and_silent_ones_are_named() {
    let broken = "echo first >&2; echo 'Cannot connect to the daemon' >&2; exit 1".to_owned();
    let path = path_with(&[("docker", broken.clone()), ("podman", "exit 0".to_owned()), ("buildah", "exit 0".to_owned())]);
    let chosen = choose(BuilderChoice::Auto, path.path().as_os_str()).await.unwrap();
    let podman = path.path().join("podman");
    assert_eq!(chosen.tool, Tool::Container { program: Program::Podman, path: podman });
    assert_eq!(chosen.notes, ["docker is there but does not answer: Cannot connect to the daemon"]);

    let path = path_with(&[("docker", broken)]);
    let chosen = choose(BuilderChoice::Auto, path.path().as_os_str()).await.unwrap();
    assert_eq!((chosen.tool, chosen.notes.len()), (Tool::Pack, 2));
    assert!(chosen.notes[1].starts_with("no container builder found: packed the source"), "{:?}", chosen.notes);
    let named = choose(BuilderChoice::Podman, path.path().as_os_str()).await.unwrap_err();
    assert!(named.contains("there is no podman on PATH"), "{named}");
}

/// Deploys what a script in the place of `name` saves by `save`, and answers how it was called.
async fn deployed_by(builder: BuilderChoice, name: &str, save: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (layout, log) = (saved(dir.path()), dir.path().join("calls"));
    let script = format!(
        "echo \"$@\" >> '{log}'\nlayout='{layout}'\ncase \"$1\" in\nbuild) grep -q FROM \"$3\" || exit 3 ;;\n{save}\nesac",
        log = log.display(),
        layout = layout.display(),
    );
    let path = path_with(&[(name, script)]);
    let ran = ran(&Args { builder, ..pack(&dir.path().join("work")) }, path.path().as_os_str()).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let calls = fs::read_to_string(&log).unwrap();
    assert_eq!(calls.lines().count(), 6, "three calls for each of two builds: {calls}");
    assert_eq!(calls.matches(" --label org.opencontainers.image.revision=").count(), 2, "{calls}");
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_all_three_programs_are_deployed() {
    let podman = deployed_by(BuilderChoice::Podman, "podman", "save) cp -R \"$layout\" \"$5\" ;;").await;
    assert!(podman.contains("--format oci ") && podman.contains("save --format oci-dir --output "), "{podman}");
    let docker = deployed_by(BuilderChoice::Docker, "docker", "save) tar -cf \"$3\" -C \"$layout\" . ;;").await;
    assert!(!docker.contains("--format"), "{docker}");
    let push = "push) to=${4#oci:}; cp -R \"$layout\" \"${to%:image}\" ;;";
    let buildah = deployed_by(BuilderChoice::Buildah, "buildah", push).await;
    assert!(buildah.contains("push -- registry.local/demo/hello:"), "{buildah}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_build_is_ended_and_cleared_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let (pid, work) = (dir.path().join("pid"), dir.path().join("work"));
    let path = path_with(&[("podman", format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 600", pid.display()))]);
    let db = Database::File(dir.path().join("zopnight.db"));
    let args = Args { builder: BuilderChoice::Podman, db: db.clone(), ..pack(&work) };
    let started = async {
        while !pid.exists() {
            tokio::task::yield_now().await;
        }
    };
    let interrupted = until(&args, path.path().as_os_str(), started).await;
    assert_eq!(interrupted.code, 130, "{}", interrupted.err);
    let id = fs::read_to_string(&pid).unwrap();
    // It was killed; the system takes a moment to let it go. Without /proc there is nothing to look at.
    let process = Path::new("/proc").join(id.trim()).join("exe");
    let gone = async {
        while process.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("the container program goes on");

    let ran = ran(&Args { db, ..pack(&work) }, path.path().as_os_str()).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("revision 1 of hello was left unfinished by an earlier run: cancelled"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_builder_that_fails_is_a_failed_revision() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_with(&[("buildah", "echo working >&2; echo 'no such base image' >&2; exit 5".to_owned())]);
    let args = Args { builder: BuilderChoice::Buildah, ..pack(&dir.path().join("work")) };
    let ran = ran(&args, path.path().as_os_str()).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("the timeline of revision 1:"), "{}", ran.err);
    assert!(ran.err.contains("  | working\n  | no such base image\n"), "the log's end is told: {}", ran.err);
    assert!(ran.err.contains("revision 1 failed: buildah build failed (exit status: 5): no such base image"), "{}", ran.err);
    assert_eq!(ran.summary()["ok"], false);
}
