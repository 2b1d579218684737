//! Repositories, branches and commits of a forge.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::source_tree::SourceTree;
use crate::domain::{
    Branch, BranchName, CommitInfo, CommitSha, IntegrationId, OwnerName, RepoInfo, RepoName, RepoPath, RepoRef,
};
use crate::error::{Error, Result};

/// Repositories, branches and commits of a forge. Nothing is cached between calls. The pipeline has checked that the
/// integration is the tenant's before it calls.
///
/// Once a repository's numeric id is known, it is checked against every answer that carries one; another id behind the
/// name is `NotFound` with code `repository_replaced`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RepoSource: Debug + Send + Sync + 'static {
    /// One page (1-based) of repositories the integration can see.
    ///
    /// # Errors
    /// `Unauthenticated` (`integration_unauthorized`), `NotFound` (`integration_not_found`), `Unavailable`, `RateLimited`.
    async fn repositories(&self, request: &RepositoriesRequest) -> Result<RepositoryPage>;

    /// One page of branches; with page 1 also the repository itself.
    ///
    /// # Errors
    /// As [`RepoSource::repositories`], and `NotFound` (`repository_not_found`).
    async fn branches(&self, request: &BranchesRequest) -> Result<BranchPage>;

    /// Heads of 1 ..= 100 branches of one integration, in request order; one failing item does not fail the rest.
    ///
    /// # Errors
    /// As [`RepoSource::repositories`]; what concerns one item is its [`Head::Failed`].
    async fn heads(&self, request: &HeadsRequest) -> Result<Vec<Head>>;

    /// Resolves `at` once and pins everything to that commit.
    ///
    /// # Errors
    /// `NotFound` (`repository_not_found`, `branch_not_found`, `commit_not_found`), `Conflict` (`empty_repository`), and as
    /// [`RepoSource::repositories`].
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot>;
}

/// The head of one branch.
///
/// # Errors
/// Those of [`RepoSource::heads`] and of the item; an absent branch is `NotFound` (`branch_not_found`), an empty repository
/// `Conflict` (`empty_repository`), an absent repository `NotFound` (`repository_not_found`).
pub async fn head(source: &dyn RepoSource, repo: &RepoRef, branch: &BranchName) -> Result<CommitInfo> {
    let request = HeadsRequest { integration: repo.integration.clone(), heads: vec![(repo.clone(), branch.clone())] };
    match source.heads(&request).await?.pop() {
        Some(Head::At { commit, .. }) => Ok(commit),
        Some(Head::BranchAbsent) => {
            let message = format!("branch \"{branch}\" does not exist in {repo}");
            Err(Error::not_found("repo_source.head", "branch_not_found", message).with("field", "branch"))
        }
        Some(Head::Empty) => Err(Error::conflict("repo_source.head", "empty_repository", format!("{repo} is empty"))),
        Some(Head::RepositoryAbsent) => {
            Err(Error::not_found("repo_source.head", "repository_not_found", format!("{repo} is not visible")))
        }
        Some(Head::Failed(error)) => Err(error),
        None => Err(Error::internal("repo_source.head", "the adapter answered no item")),
    }
}

/// A page of repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoriesRequest {
    /// The connection.
    pub integration: IntegrationId,
    /// 1-based.
    pub page: u32,
}

/// A page of repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryPage {
    /// In the forge's order.
    pub repositories: Vec<RepoInfo>,
    /// Entries left out because a name is outside our grammar.
    pub skipped: u32,
    /// The next page's number.
    pub next: Option<u32>,
}

/// A page of branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchesRequest {
    /// The repository.
    pub repo: RepoRef,
    /// 1-based.
    pub page: u32,
}

/// A page of branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPage {
    /// With page 1.
    pub repository: Option<RepoInfo>,
    /// In the forge's order.
    pub branches: Vec<Branch>,
    /// Entries left out because a name is outside our grammar.
    pub skipped: u32,
    /// The next page's number.
    pub next: Option<u32>,
}

/// Many heads at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadsRequest {
    /// The connection; the same in every item.
    pub integration: IntegrationId,
    /// 1 ..= 100 branches.
    pub heads: Vec<(RepoRef, BranchName)>,
}

/// Where a branch stands.
#[derive(Debug)]
pub enum Head {
    /// At this commit; owner and name as they are now.
    At {
        /// The commit.
        commit: CommitInfo,
        /// The repository's present owner.
        owner: OwnerName,
        /// The repository's present name.
        name: RepoName,
    },
    /// There is no such branch.
    BranchAbsent,
    /// The repository has no commit.
    Empty,
    /// There is no such repository in the integration's sight.
    RepositoryAbsent,
    /// This item could not be asked.
    Failed(Error),
}

/// Which commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// The head of a branch.
    Branch(BranchName),
    /// The head of the default branch.
    DefaultBranch,
    /// A commit.
    Commit(CommitSha),
}

/// A commit's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// The repository.
    pub repo: RepoRef,
    /// Which commit.
    pub at: At,
    /// The app's directory: what will be listed first.
    pub root: RepoPath,
    /// What will be read first: a hint, at most 200.
    pub want: Vec<RepoPath>,
}

/// A commit and its files.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The repository as it is now.
    pub repository: RepoInfo,
    /// The commit.
    pub commit: CommitInfo,
    /// Its files.
    pub tree: Arc<dyn SourceTree>,
}
