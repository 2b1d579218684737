//! A forge that is a directory of bare repositories: `<root>/<owner>/<name>.git`.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zopnight_core::clock::SystemRandom;
use zopnight_core::domain::{
    Branch, BranchName, CommitSha, ForgeId, IntegrationId, OwnerName, RepoInfo, RepoName, RepoRef, RepositoryId,
};
use zopnight_core::ports::{
    At, BranchPage, BranchesRequest, Head, HeadsRequest, Random as _, RepoSource, RepositoriesRequest, RepositoryPage,
    Snapshot, SnapshotRequest,
};
use zopnight_core::{Error, Result};

use crate::git::Repository;
use crate::tree::GitTree;

use std::sync::Arc;

const OPERATION: &str = "local_forge";
const PAGE: usize = 100;
/// Beside git's own files; git ignores it.
const ID_FILE: &str = "zopnight-id";

/// Bare repositories below a directory, all seen by one integration.
#[derive(Clone, Debug)]
pub(crate) struct LocalForge {
    root: PathBuf,
    forge: ForgeId,
    integration: IntegrationId,
}

/// A repository as it lies on disk.
#[derive(Clone, Debug)]
struct Found {
    owner: OwnerName,
    name: RepoName,
    id: RepositoryId,
    git: Repository,
}

impl LocalForge {
    pub(crate) const fn new(root: PathBuf, forge: ForgeId, integration: IntegrationId) -> Self {
        Self { root, forge, integration }
    }

    /// A new, empty repository.
    pub(crate) async fn create(&self, owner: &OwnerName, name: &RepoName) -> Result<RepoRef> {
        let dir = self.reserve(owner, name)?;
        Repository::init(&dir).await?;
        self.adopt(owner, name, &dir)
    }

    /// A repository that is a clone of the one at `from`.
    pub(crate) async fn import(&self, owner: &OwnerName, name: &RepoName, from: &Path) -> Result<RepoRef> {
        let dir = self.reserve(owner, name)?;
        Repository::clone_of(from, &dir).await?;
        self.adopt(owner, name, &dir)
    }

    pub(crate) fn has(&self, owner: &OwnerName, name: &RepoName) -> bool {
        self.dir_of(owner, name).exists()
    }

    /// The bare repository behind a reference.
    pub(crate) fn open(&self, repo: &RepoRef) -> Result<Repository> {
        self.find(repo)?.map(|found| found.git).ok_or_else(|| absent(repo))
    }

    pub(crate) const fn integration(&self) -> &IntegrationId {
        &self.integration
    }

    fn dir_of(&self, owner: &OwnerName, name: &RepoName) -> PathBuf {
        self.root.join(owner.as_str()).join(format!("{name}.git"))
    }

    /// Makes the directory; of two that try, one fails.
    fn reserve(&self, owner: &OwnerName, name: &RepoName) -> Result<PathBuf> {
        let dir = self.dir_of(owner, name);
        fs::create_dir_all(self.root.join(owner.as_str())).and_then(|()| fs::create_dir(&dir)).map_err(failed)?;
        fs::canonicalize(&dir).map_err(failed)
    }

    fn adopt(&self, owner: &OwnerName, name: &RepoName, dir: &Path) -> Result<RepoRef> {
        let mut bytes = [0; 6];
        SystemRandom.fill(&mut bytes);
        let number = bytes.iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b)).max(1);
        let id = RepositoryId::new(number)?;
        fs::write(dir.join(ID_FILE), id.to_string()).map_err(failed)?;
        Ok(RepoRef { integration: self.integration.clone(), owner: owner.clone(), name: name.clone(), id: Some(id) })
    }

    fn all(&self) -> Result<Vec<Found>> {
        let mut all = Vec::new();
        for owner in names(&self.root)? {
            let Ok(owner) = OwnerName::parse(&owner) else { continue };
            for name in names(&self.root.join(owner.as_str()))? {
                let Some(name) = name.strip_suffix(".git").and_then(|n| RepoName::parse(n).ok()) else { continue };
                let dir = self.dir_of(&owner, &name);
                // One without an id is being made just now.
                let Ok(id) = fs::read_to_string(dir.join(ID_FILE)) else { continue };
                let Ok(id) = RepositoryId::parse(id.trim()) else { continue };
                all.push(Found { owner: owner.clone(), name, id, git: Repository::at(dir) });
            }
        }
        Ok(all)
    }

    /// The repository of that name, which must be the one that was known by it.
    fn find(&self, repo: &RepoRef) -> Result<Option<Found>> {
        let found = self.all()?.into_iter().find(|f| f.owner == repo.owner && f.name == repo.name);
        match found {
            Some(found) if repo.id.is_some_and(|known| known != found.id) => {
                let message = format!("{repo} is another repository than before");
                Err(Error::not_found(OPERATION, "repository_replaced", message))
            }
            found => Ok(found),
        }
    }

    fn check(&self, integration: &IntegrationId) -> Result<()> {
        if *integration == self.integration {
            return Ok(());
        }
        Err(Error::not_found(OPERATION, "integration_not_found", format!("there is no integration {integration}")))
    }

    async fn info(&self, found: &Found) -> Result<RepoInfo> {
        let named = found.git.default_branch().await?.and_then(|b| BranchName::parse(&b).ok());
        let default_branch = match named {
            Some(branch) if found.git.head_of(&branch).await?.is_some() => Some(branch),
            _ => None,
        };
        Ok(RepoInfo {
            forge: self.forge.clone(),
            id: found.id,
            owner: found.owner.clone(),
            name: found.name.clone(),
            default_branch,
            private: true,
            archived: false,
        })
    }

    async fn head(&self, repo: &RepoRef, branch: &BranchName) -> Result<Head> {
        let Some(found) = self.find(repo)? else { return Ok(Head::RepositoryAbsent) };
        match found.git.head_of(branch).await? {
            Some(sha) => {
                let commit = found.git.describe(&sha).await?;
                Ok(Head::At { commit, owner: found.owner, name: found.name })
            }
            None if found.git.branches().await?.is_empty() => Ok(Head::Empty),
            None => Ok(Head::BranchAbsent),
        }
    }

    async fn locate(&self, found: &Found, info: &RepoInfo, at: &At) -> Result<CommitSha> {
        let (branch, message) = match at {
            At::Commit(sha) => {
                let commit = found.git.commit_named(sha.as_str()).await?;
                return commit
                    .ok_or_else(|| Error::not_found(OPERATION, "commit_not_found", format!("there is no commit {sha}")));
            }
            At::Branch(branch) => (Some(branch), format!("branch \"{branch}\" does not exist")),
            At::DefaultBranch => (info.default_branch.as_ref(), "the default branch has no commit".to_owned()),
        };
        let head = match branch {
            Some(branch) => found.git.head_of(branch).await?,
            None => None,
        };
        match head {
            Some(head) => Ok(head),
            None if found.git.branches().await?.is_empty() => {
                Err(Error::conflict(OPERATION, "empty_repository", "the repository has no commit"))
            }
            None => Err(Error::not_found(OPERATION, "branch_not_found", message)),
        }
    }
}

#[async_trait]
impl RepoSource for LocalForge {
    async fn repositories(&self, request: &RepositoriesRequest) -> Result<RepositoryPage> {
        self.check(&request.integration)?;
        let (here, next) = page(self.all()?, request.page);
        let mut repositories = Vec::with_capacity(here.len());
        for found in &here {
            repositories.push(self.info(found).await?);
        }
        Ok(RepositoryPage { repositories, skipped: 0, next })
    }

    async fn branches(&self, request: &BranchesRequest) -> Result<BranchPage> {
        self.check(&request.repo.integration)?;
        let found = self.find(&request.repo)?.ok_or_else(|| absent(&request.repo))?;
        let (here, next) = page(found.git.branches().await?, request.page);
        let asked = here.len();
        let known = here.into_iter().filter_map(|(name, commit)| Some((BranchName::parse(&name).ok()?, commit)));
        let branches: Vec<Branch> = known.map(|(name, commit)| Branch { name, commit, protected: false }).collect();
        let skipped = u32::try_from(asked.saturating_sub(branches.len())).unwrap_or(u32::MAX);
        let repository = if request.page == 1 { Some(self.info(&found).await?) } else { None };
        Ok(BranchPage { repository, branches, skipped, next })
    }

    async fn heads(&self, request: &HeadsRequest) -> Result<Vec<Head>> {
        self.check(&request.integration)?;
        if !(1..=100).contains(&request.heads.len()) {
            return Err(Error::invalid(OPERATION, "1 to 100 heads can be asked for"));
        }
        let mut heads = Vec::with_capacity(request.heads.len());
        for (repo, branch) in &request.heads {
            heads.push(self.head(repo, branch).await.unwrap_or_else(Head::Failed));
        }
        Ok(heads)
    }

    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        self.check(&request.repo.integration)?;
        let found = self.find(&request.repo)?.ok_or_else(|| absent(&request.repo))?;
        let repository = self.info(&found).await?;
        let sha = self.locate(&found, &repository, &request.at).await?;
        let commit = found.git.describe(&sha).await?;
        let tree = Arc::new(GitTree::open(&found.git, &sha).await?);
        Ok(Snapshot { repository, commit, tree })
    }
}

/// The names in a directory, sorted; none if it is not there.
fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names: Vec<String> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn page<T>(all: Vec<T>, page: u32) -> (Vec<T>, Option<u32>) {
    let before = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(PAGE);
    let more = all.len() > before.saturating_add(PAGE);
    (all.into_iter().skip(before).take(PAGE).collect(), more.then(|| page.saturating_add(1)))
}

fn absent(repo: &RepoRef) -> Error {
    Error::not_found(OPERATION, "repository_not_found", format!("{repo} is not in the work directory"))
}

fn failed(cause: std::io::Error) -> Error {
    Error::unavailable(OPERATION, format!("the work directory cannot be used: {cause}")).with_source(cause)
}
