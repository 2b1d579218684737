//! The `git` program: one bare repository, a handful of questions.
//!
//! Every call is an argument array, never a shell line. System configuration, prompts, hooks, file system monitors, lazy
//! fetches and every protocol but local files are off, so that nothing here talks to a network or runs foreign code.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use zopnight_core::domain::{BranchName, CommitInfo, CommitSha};
use zopnight_core::{Error, Result};

const OPERATION: &str = "git";
const DEADLINE: Duration = Duration::from_secs(120);
const SETTINGS: [&str; 10] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "gc.auto=0",
    "-c",
    "protocol.allow=never",
    "-c",
    "protocol.file.allow=always",
];
/// A caller that runs inside a git hook has these; they would point us at its repository.
const INHERITED: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
];

/// A bare repository of ours.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    dir: PathBuf,
}

/// An entry of a commit's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeLine {
    /// `100644`, `100755`, `120000` (link), `040000` (directory) or `160000` (submodule).
    pub(crate) mode: String,
    pub(crate) object: String,
    /// Of a file or link.
    pub(crate) size: Option<u64>,
    /// As git has it; it need not be UTF-8.
    pub(crate) path: Vec<u8>,
}

/// A commit to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewCommit<'a> {
    pub(crate) branch: &'a BranchName,
    pub(crate) files: &'a [(&'a str, &'a [u8])],
    pub(crate) message: &'a str,
    /// Seconds since the epoch; with the fixed author it makes the commit's id the same on every machine.
    pub(crate) at: i64,
}

/// Runs git and answers its standard output.
pub(crate) async fn git(dir: Option<&Path>, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>> {
    let (good, output, complaint) = answer(dir, arguments, input).await?;
    if good {
        return Ok(output);
    }
    let what = arguments.first().copied().unwrap_or_default();
    Err(Error::unavailable(OPERATION, format!("git {what} failed: {complaint}")))
}

/// Runs git for its exit status, its standard output and the last line of its complaint.
pub(crate) async fn answer(dir: Option<&Path>, arguments: &[&str], input: Option<&[u8]>) -> Result<(bool, Vec<u8>, String)> {
    let mut command = Command::new("git");
    command.args(SETTINGS);
    if let Some(dir) = dir {
        command.arg("-C").arg(dir);
    }
    INHERITED.iter().for_each(|name| {
        command.env_remove(name);
    });
    command
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::not_found(OPERATION, "git_missing", "there is no git program on PATH; install git and try again")
        }
        _ => Error::unavailable(OPERATION, "git cannot be started").with_source(e),
    })?;
    let pipe = child.stdin.take();
    let feed = async {
        if let (Some(mut pipe), Some(input)) = (pipe, input) {
            // A program that stops reading early says why on its standard error.
            let _ = pipe.write_all(input).await;
            let _ = pipe.shutdown().await;
        }
    };
    let both = async { tokio::join!(feed, child.wait_with_output()) };
    let (_, output) = tokio::time::timeout(DEADLINE, both)
        .await
        .map_err(|_| Error::unavailable(OPERATION, format!("git did not answer within {} s", DEADLINE.as_secs())))?;
    let output = output.map_err(|e| Error::unavailable(OPERATION, "git was lost").with_source(e))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it gave no reason").to_owned();
    Ok((output.status.success(), output.stdout, complaint))
}

/// One line of text.
pub(crate) async fn line(dir: &Path, arguments: &[&str]) -> Result<String> {
    Ok(String::from_utf8_lossy(&git(Some(dir), arguments, None).await?).trim_end().to_owned())
}

/// One line of text, or `None` where git says no.
pub(crate) async fn line_if(dir: &Path, arguments: &[&str]) -> Result<Option<String>> {
    let (good, output, _) = answer(Some(dir), arguments, None).await?;
    Ok(good.then(|| String::from_utf8_lossy(&output).trim_end().to_owned()))
}

impl Repository {
    /// The one in `dir`, which exists.
    pub(crate) fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// A new, empty one whose default branch is `main`.
    pub(crate) async fn init(dir: &Path) -> Result<Self> {
        let path = text(dir)?;
        git(None, &["init", "--bare", "--quiet", "--template=", "--initial-branch=main", "--", path], None).await?;
        Ok(Self::at(dir))
    }

    /// A clone that shares nothing with `from`, not even by hard links.
    pub(crate) async fn clone_of(from: &Path, dir: &Path) -> Result<Self> {
        let (from, path) = (text(from)?, text(dir)?);
        git(None, &["clone", "--bare", "--quiet", "--no-hardlinks", "--template=", "--", from, path], None).await?;
        Ok(Self::at(dir))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The branch that HEAD names, whether or not it has a commit.
    pub(crate) async fn default_branch(&self) -> Result<Option<String>> {
        line_if(&self.dir, &["symbolic-ref", "--quiet", "--short", "HEAD"]).await
    }

    /// Branches and their heads, by name. Names need not be of our grammar.
    pub(crate) async fn branches(&self) -> Result<Vec<(String, CommitSha)>> {
        let format = "--format=%(objectname) %(refname:lstrip=2)";
        let listed = git(Some(&self.dir), &["for-each-ref", format, "refs/heads/"], None).await?;
        let lines = String::from_utf8_lossy(&listed).into_owned();
        Ok(lines
            .lines()
            .filter_map(|l| l.split_once(' '))
            .filter_map(|(sha, name)| Some((name.to_owned(), CommitSha::parse(sha).ok()?)))
            .collect())
    }

    pub(crate) async fn head_of(&self, branch: &BranchName) -> Result<Option<CommitSha>> {
        self.commit_named(&format!("refs/heads/{branch}")).await
    }

    /// The commit behind a full ref or an id.
    pub(crate) async fn commit_named(&self, name: &str) -> Result<Option<CommitSha>> {
        let spec = format!("{name}^{{commit}}");
        let found = line_if(&self.dir, &["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]).await?;
        found.map(|sha| CommitSha::parse(&sha)).transpose()
    }

    pub(crate) async fn describe(&self, sha: &CommitSha) -> Result<CommitInfo> {
        let said = line(&self.dir, &["log", "-1", "--format=%an%x00%s", "--end-of-options", sha.as_str(), "--"]).await?;
        let (author, title) = said.split_once('\0').unwrap_or_default();
        Ok(CommitInfo::described(sha.clone(), Some(title), Some(author)))
    }

    /// Everything in a commit's tree, directories before what is in them, in git's order.
    pub(crate) async fn tree(&self, sha: &CommitSha) -> Result<Vec<TreeLine>> {
        let arguments = ["ls-tree", "-r", "-t", "-z", "--long", "--full-tree", sha.as_str()];
        let listed = git(Some(&self.dir), &arguments, None).await?;
        let lines = listed.split(|b| *b == 0).filter(|l| !l.is_empty());
        lines.map(|l| tree_line(l).ok_or_else(|| Error::internal(OPERATION, "git ls-tree answered oddly"))).collect()
    }

    /// The contents of these objects, in order.
    pub(crate) async fn blobs(&self, objects: &[&str]) -> Result<Vec<Vec<u8>>> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let asked: String = objects.iter().flat_map(|o| [o, "\n"]).collect();
        let answer = git(Some(&self.dir), &["cat-file", "--batch"], Some(asked.as_bytes())).await?;
        let mut rest = answer.as_slice();
        let mut blobs = Vec::with_capacity(objects.len());
        for _ in objects {
            let (blob, after) =
                next_blob(rest).ok_or_else(|| Error::unavailable(OPERATION, "an object of the commit is missing"))?;
            blobs.push(blob.to_vec());
            rest = after;
        }
        Ok(blobs)
    }

    /// Commits on top of a branch, which is made if it is not there; files not named stay as they are.
    pub(crate) async fn commit(&self, new: NewCommit<'_>) -> Result<CommitSha> {
        let parent = self.head_of(new.branch).await?;
        let stream = commit_stream(&new, parent.as_ref());
        git(Some(&self.dir), &["fast-import", "--quiet", "--done"], Some(&stream)).await?;
        let head = self.head_of(new.branch).await?;
        head.ok_or_else(|| Error::internal(OPERATION, "git fast-import made no commit"))
    }
}

/// What `git fast-import` is told.
fn commit_stream(new: &NewCommit<'_>, parent: Option<&CommitSha>) -> Vec<u8> {
    let who = format!("ZopNight Quickstart <quickstart@example.test> {} +0000", new.at);
    let mut stream = format!("commit refs/heads/{}\nauthor {who}\ncommitter {who}\n", new.branch).into_bytes();
    data(&mut stream, new.message.as_bytes());
    if let Some(parent) = parent {
        stream.extend_from_slice(format!("from {parent}\n").as_bytes());
    }
    for (path, contents) in new.files {
        stream.extend_from_slice(format!("M 100644 inline {}\n", quoted(path.as_bytes())).as_bytes());
        data(&mut stream, contents);
    }
    stream.extend_from_slice(b"done\n");
    stream
}

fn data(stream: &mut Vec<u8>, bytes: &[u8]) {
    stream.extend_from_slice(format!("data {}\n", bytes.len()).as_bytes());
    stream.extend_from_slice(bytes);
    stream.push(b'\n');
}

/// A path as `git fast-import` reads it back byte for byte.
pub(crate) fn quoted(path: &[u8]) -> String {
    let escape = |b: &u8| match b {
        b'"' | b'\\' => format!("\\{}", char::from(*b)),
        0x20..=0x7E => char::from(*b).to_string(),
        _ => format!("\\{b:03o}"),
    };
    format!("\"{}\"", path.iter().map(escape).collect::<String>())
}

fn tree_line(line: &[u8]) -> Option<TreeLine> {
    let tab = line.iter().position(|b| *b == b'\t')?;
    let mut fields = std::str::from_utf8(line.get(..tab)?).ok()?.split_ascii_whitespace();
    let mode = fields.next()?.to_owned();
    let _kind = fields.next()?;
    let object = fields.next()?.to_owned();
    let size = fields.next()?.parse().ok();
    Some(TreeLine { mode, object, size, path: line.get(tab.checked_add(1)?..)?.to_vec() })
}

fn next_blob(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.iter().position(|b| *b == b'\n')?;
    let header = std::str::from_utf8(answer.get(..end)?).ok()?;
    let size: usize = header.rsplit_once(' ')?.1.parse().ok()?;
    let body = answer.get(end.checked_add(1)?..)?;
    Some((body.get(..size)?, body.get(size.checked_add(1)?..)?))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::invalid(OPERATION, format!("the path {} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_line_keeps_odd_names() {
        let line = tree_line(b"100755 blob 8baef1b4abc478178b004d62031cf7fe6db6f903       7\ta b\t\xff").unwrap();
        assert_eq!((line.mode.as_str(), line.size, line.path.as_slice()), ("100755", Some(7), b"a b\t\xff".as_slice()));
        let submodule = tree_line(b"160000 commit 8baef1b4abc478178b004d62031cf7fe6db6f903       -\tsub").unwrap();
        assert_eq!((submodule.size, submodule.mode.as_str()), (None, "160000"));
        assert_eq!(tree_line(b"100644 blob"), None);
    }

    #[test]
    fn blobs_are_cut_by_their_length() {
        let answer = b"aa blob 3\na\nb\nbb blob 0\n\n";
        let (first, rest) = next_blob(answer).unwrap();
        assert_eq!(first, b"a\nb");
        assert_eq!(next_blob(rest).unwrap(), (b"".as_slice(), b"".as_slice()));
        assert_eq!(next_blob(b"aa missing\n"), None);
        assert_eq!(next_blob(b"aa blob 9\nshort"), None);
    }

    #[test]
    fn paths_are_quoted_for_the_import() {
        assert_eq!(quoted(b"a \"b\"\\c\n\xe9"), r#""a \"b\"\\c\012\351""#);
    }

    #[test]
    fn a_commit_names_its_parent_and_ends() {
        let branch = BranchName::parse("main").unwrap();
        let parent = CommitSha::parse(&"a".repeat(40)).unwrap();
        let new = NewCommit { branch: &branch, files: &[("x", b"1")], message: "m", at: 7 };
        let stream = String::from_utf8(commit_stream(&new, Some(&parent))).unwrap();
        let wanted = format!("data 1\nm\nfrom {parent}\nM 100644 inline \"x\"\ndata 1\n1\ndone\n");
        assert!(stream.ends_with(&wanted), "{stream}");
        assert!(stream.starts_with("commit refs/heads/main\nauthor ZopNight Quickstart "));
    }
}
