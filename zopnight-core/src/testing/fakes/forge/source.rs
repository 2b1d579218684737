//! The forge as a source of repositories.

use std::sync::Arc;

use async_trait::async_trait;

use super::history::Repo;
use super::{FakeForge, State};
use crate::domain::{Branch, BranchName, CommitSha, IntegrationId, RepoInfo, RepoRef, RepositoryId};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{
    At, BranchPage, BranchesRequest, Head, HeadsRequest, RepoSource, RepositoriesRequest, RepositoryPage, Snapshot,
    SnapshotRequest, SourceTree,
};

/// Entries of a page.
const PAGE: usize = 100;

impl State {
    fn check(&self, integration: &IntegrationId) -> Result<()> {
        match self.integrations.get(integration) {
            None => Err(Error::not_found("forge.access", "integration_not_found", "the forge knows no such integration")),
            Some(found) if found.revoked => {
                let message = "the forge refuses the integration's credential";
                Err(Error::new(ErrorKind::Unauthenticated, "forge.access", message).with("code", "integration_unauthorized"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The repository behind the name, its present name or one that still leads to it, and its id checked.
    fn find(&self, repo: &RepoRef) -> Result<(RepositoryId, &Repo)> {
        self.check(&repo.integration)?;
        let former = |r: &Repo| r.former.iter().any(|(owner, name)| *owner == repo.owner && *name == repo.name);
        let id =
            self.by_name(&repo.owner, &repo.name).or_else(|| self.repos.iter().find(|(_, r)| former(r)).map(|(id, _)| *id));
        let seen = |id: &RepositoryId| {
            self.integrations.get(&repo.integration).is_some_and(|found| found.repositories.contains(id))
        };
        let absent = || Error::not_found("forge.repository", "repository_not_found", format!("{repo} is not visible"));
        let id = id.filter(seen).ok_or_else(absent)?;
        if repo.id.is_some_and(|known| known != id) {
            let message = format!("another repository is now called {repo}");
            return Err(Error::not_found("forge.repository", "repository_replaced", message));
        }
        self.repos.get(&id).map(|found| (id, found)).ok_or_else(absent)
    }

    fn head(&self, repo: &RepoRef, branch: &BranchName) -> Head {
        let (id, found) = match self.find(repo) {
            Ok(found) => found,
            Err(error) if error.code() == Some("repository_not_found") => return Head::RepositoryAbsent,
            Err(error) => return Head::Failed(error),
        };
        if let Some(fault) = self.head_faults.iter().find(|f| f.repository == id && f.branch == *branch) {
            return Head::Failed((fault.error)());
        }
        match found.branches.get(branch) {
            Some((sha, _)) => {
                Head::At { commit: found.commit_of(sha).info.clone(), owner: found.owner.clone(), name: found.name.clone() }
            }
            None if found.commits.is_empty() => Head::Empty,
            None => Head::BranchAbsent,
        }
    }

    fn snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        let (id, repo) = self.find(&request.repo)?;
        let sha = locate(repo, &request.at)?;
        let commit = repo.commits.get(&sha).ok_or_else(|| {
            Error::not_found("forge.snapshot", "commit_not_found", format!("{} has no commit {sha}", request.repo))
        })?;
        let tree: Arc<dyn SourceTree> = Arc::<crate::testing::tree::MemoryTree>::clone(&commit.tree);
        Ok(Snapshot { repository: repo.info(id), commit: commit.info.clone(), tree })
    }
}

fn locate(repo: &Repo, at: &At) -> Result<CommitSha> {
    let branch = match at {
        At::Commit(sha) => return Ok(sha.clone()),
        At::Branch(branch) => Some(branch),
        At::DefaultBranch => repo.default_branch(),
    };
    if repo.commits.is_empty() {
        return Err(Error::conflict("forge.snapshot", "empty_repository", "the repository has no commit"));
    }
    match branch.and_then(|b| repo.branches.get(b)) {
        Some((sha, _)) => Ok(sha.clone()),
        None => {
            Err(Error::not_found("forge.snapshot", "branch_not_found", "there is no such branch").with("field", "branch"))
        }
    }
}

/// One page of `all`, and the number of the next.
fn page<T>(all: Vec<T>, number: u32, operation: &'static str) -> Result<(Vec<T>, Option<u32>)> {
    let before = number.checked_sub(1).ok_or_else(|| Error::invalid(operation, "pages are counted from 1"))?;
    let skip = usize::try_from(before).unwrap_or(usize::MAX).saturating_mul(PAGE);
    let more = all.len() > skip.saturating_add(PAGE);
    Ok((all.into_iter().skip(skip).take(PAGE).collect(), more.then(|| number.saturating_add(1))))
}

#[async_trait]
impl RepoSource for FakeForge {
    async fn repositories(&self, request: &RepositoriesRequest) -> Result<RepositoryPage> {
        let after = self.faults.enter("repositories").await?;
        let answer = {
            let state = self.lock();
            state.check(&request.integration)?;
            let integration = state.integrations.get(&request.integration);
            let ids = integration.map(|i| i.repositories.as_slice()).unwrap_or_default();
            let all: Vec<RepoInfo> = ids.iter().filter_map(|id| Some(state.repos.get(id)?.info(*id))).collect();
            let (repositories, next) = page(all, request.page, "forge.repositories")?;
            let odd = integration.map_or(0, |i| i.odd);
            RepositoryPage { repositories, skipped: if request.page == 1 { odd } else { 0 }, next }
        };
        after.with(answer).await
    }

    async fn branches(&self, request: &BranchesRequest) -> Result<BranchPage> {
        let after = self.faults.enter("branches").await?;
        let answer = {
            let state = self.lock();
            let (id, repo) = state.find(&request.repo)?;
            let all = repo
                .branches
                .iter()
                .map(|(name, (commit, protected))| Branch {
                    name: name.clone(),
                    commit: commit.clone(),
                    protected: *protected,
                })
                .collect();
            let (branches, next) = page(all, request.page, "forge.branches")?;
            let first = request.page == 1;
            BranchPage {
                repository: first.then(|| repo.info(id)),
                branches,
                skipped: if first { repo.odd } else { 0 },
                next,
            }
        };
        after.with(answer).await
    }

    async fn heads(&self, request: &HeadsRequest) -> Result<Vec<Head>> {
        let after = self.faults.enter("heads").await?;
        let answer = {
            let state = self.lock();
            if !(1..=PAGE).contains(&request.heads.len()) {
                return Err(Error::invalid("forge.heads", "1 to 100 branches may be asked for"));
            }
            if request.heads.iter().any(|(repo, _)| repo.integration != request.integration) {
                return Err(Error::invalid("forge.heads", "all branches must be of the request's integration"));
            }
            state.check(&request.integration)?;
            request.heads.iter().map(|(repo, branch)| state.head(repo, branch)).collect()
        };
        after.with(answer).await
    }

    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        let after = self.faults.enter("snapshot").await?;
        let answer = self.lock().snapshot(request)?;
        after.with(answer).await
    }
}
