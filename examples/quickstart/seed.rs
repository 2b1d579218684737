//! What is deployed: the sample, or a clone of the user's repository.

use std::path::{Path, PathBuf};

use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{AppName, BranchName, CommitSha, OwnerName, RepoName, RepoPath, RepoRef};
use zopnight_core::ports::Clock as _;
use zopnight_core::{Error, Result};

use crate::git::{self, NewCommit, Repository};
use crate::sample;
use crate::source::LocalForge;
use crate::stop::Stop;

const OWNER: &str = "demo";

/// What to deploy, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seed {
    Sample,
    Repo(UserRepo),
}

/// A repository of the user's with nothing uncommitted. Only read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRepo {
    pub(crate) top: PathBuf,
    branch: BranchName,
    root: RepoPath,
    name: String,
}

/// A repository at our forge that a deployment follows.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    pub(crate) repo: RepoRef,
    pub(crate) git: Repository,
    pub(crate) branch: BranchName,
    pub(crate) root: RepoPath,
    pub(crate) app: AppName,
    sample: bool,
}

/// A commit on top of the branch.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) before: CommitSha,
    pub(crate) after: CommitSha,
    pub(crate) message: String,
}

impl UserRepo {
    /// Looks at the repository at `path`.
    ///
    /// # Errors
    /// `Usage` with the remedy if there is none, it is empty, something is uncommitted, or no branch is checked out.
    pub(crate) async fn inspect(path: &Path) -> Result<Self, Stop> {
        let shown = path.display();
        let usage = |message: String| Stop::Usage(message);
        let path = std::fs::canonicalize(path).map_err(|e| usage(format!("--repo {shown}: {e}")))?;
        if !path.is_dir() {
            return Err(usage(format!("--repo {shown} is not a directory")));
        }
        let (readable, bare, complaint) = git::answer(Some(&path), &["rev-parse", "--is-bare-repository"], None).await?;
        if !readable {
            let none = complaint.contains("not a git repository");
            let remedy = if none { "run `git init`, commit, and try again" } else { "do what git says, and try again" };
            return Err(usage(format!("--repo {shown} cannot be read: {complaint}; {remedy}")));
        }
        let bare = bare.starts_with(b"true");
        let (top, prefix) = if bare {
            (git::line(&path, &["rev-parse", "--absolute-git-dir"]).await?, String::new())
        } else {
            let top = git::line_if(&path, &["rev-parse", "--show-toplevel"]).await?;
            let top = top.ok_or_else(|| usage(format!("--repo {shown} is inside .git; name the work tree")))?;
            (top, git::line(&path, &["rev-parse", "--show-prefix"]).await?)
        };
        let top = PathBuf::from(top);
        let head = git::line_if(&top, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
        if head.is_none() {
            return Err(usage(format!(
                "--repo {shown} has no commit: `git add` your files and `git commit`, then try again"
            )));
        }
        if !bare {
            let changed = git::line(&top, &["status", "--porcelain"]).await?;
            if let Some(first) = changed.lines().next() {
                let remedy = "only commits are deployed: commit or `git stash -u`, then try again";
                let what = first.get(3..).unwrap_or(first);
                return Err(usage(format!("--repo {shown} has uncommitted changes ({what} …); {remedy}")));
            }
        }
        let branch = git::line_if(&top, &["symbolic-ref", "--quiet", "--short", "HEAD"]).await?;
        let branch = branch.and_then(|b| BranchName::parse(&b).ok()).ok_or_else(|| {
            usage(format!("--repo {shown} is on no branch: `git switch` to the branch to deploy, then try again"))
        })?;
        let root = RepoPath::parse(&prefix).map_err(|e| usage(format!("--repo {shown}: {}", e.message())))?;
        let name = top.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { top, branch, root, name })
    }
}

impl Seed {
    fn base_name(&self) -> &str {
        match self {
            Self::Sample => "hello",
            Self::Repo(repo) => repo.name.trim_end_matches(".git"),
        }
    }

    /// Puts the repository into the forge, under the first name that is free there; `taken` are deployments' names.
    pub(crate) async fn plant(&self, forge: &LocalForge, taken: &[String]) -> Result<Planted> {
        let owner = OwnerName::parse(OWNER)?;
        let (name, app) = self.free_name(forge, &owner, taken)?;
        match self {
            Self::Sample => {
                let repo = forge.create(&owner, &name).await?;
                let git = forge.open(&repo)?;
                let (branch, root) = (BranchName::parse("main")?, RepoPath::root());
                let planted = Planted { repo, git, branch, root, app, sample: true };
                planted.commit_sample("Hello from the quickstart", "Say hello", sample::FIRST_AT).await?;
                Ok(planted)
            }
            Self::Repo(user) => {
                let repo = forge.import(&owner, &name, &user.top).await?;
                let git = forge.open(&repo)?;
                let (branch, root) = (user.branch.clone(), user.root.clone());
                Ok(Planted { repo, git, branch, root, app, sample: false })
            }
        }
    }

    fn free_name(&self, forge: &LocalForge, owner: &OwnerName, taken: &[String]) -> Result<(RepoName, AppName)> {
        let base = plain(self.base_name());
        for n in 1_u32..10_000 {
            let name = if n == 1 { base.clone() } else { format!("{base}-{n}") };
            let (name, app) = (RepoName::parse(&name)?, AppName::parse(&name)?);
            if !forge.has(owner, &name) && !taken.iter().any(|t| t == app.as_str()) {
                return Ok((name, app));
            }
        }
        Err(Error::conflict("seed", "name_taken", "the work directory is full of earlier runs; take another --work-dir"))
    }
}

impl Planted {
    /// One more commit: the sample says something else, a clone gets an empty commit.
    pub(crate) async fn step(&self, number: u32) -> Result<Step> {
        let before = self.head().await?;
        let message = if self.sample { format!("Say hello again ({number})") } else { "Trigger a build".to_owned() };
        let after = if self.sample {
            let at = sample::FIRST_AT.saturating_add(i64::from(number) * 60);
            self.commit_sample(&format!("Hello again, for the {number}. time"), &message, at).await?
        } else {
            let at = SystemClock.now().as_secs();
            self.git.commit(NewCommit { branch: &self.branch, files: &[], message: &message, at }).await?
        };
        Ok(Step { before, after, message })
    }

    pub(crate) async fn head(&self) -> Result<CommitSha> {
        let head = self.git.head_of(&self.branch).await?;
        head.ok_or_else(|| Error::internal("seed", "the clone has lost its branch"))
    }

    async fn commit_sample(&self, says: &str, message: &str, at: i64) -> Result<CommitSha> {
        let files = sample::files(says);
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_slice())).collect();
        self.git.commit(NewCommit { branch: &self.branch, files: &files, message, at }).await
    }
}

/// `name` as a deployment may be called, at most 40 characters.
fn plain(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let kept: String = lower.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    let begun = kept.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let cut = begun.get(..40).unwrap_or(begun).trim_end_matches('-');
    if cut.is_empty() { "app".to_owned() } else { cut.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_directory_s_name_becomes_one_of_a_deployment() {
        for (name, wanted) in
            [("My_App.v2", "my-app-v2"), ("42", "app"), ("", "app"), ("---", "app"), ("2nd-try", "nd-try"), ("é", "app")]
        {
            assert_eq!(plain(name), wanted);
        }
        let long = plain(&"x-".repeat(40));
        assert!(AppName::parse(&format!("{long}-9999")).is_ok(), "{long}");
    }
}
