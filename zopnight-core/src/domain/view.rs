//! What the catalog is asked, and what it answers.

use std::time::Duration;

use super::attempt::BuildAttempt;
use super::branch::BranchName;
use super::change::DeploymentRef;
use super::commit::CommitSha;
use super::deployment::{BranchMark, Deployment};
use super::forge::{ForgeId, IntegrationId, OwnerName, RepoName, RepoRef, RepositoryId};
use super::id::{DeploymentId, RevisionId};
use super::revision::{Revision, RevisionState};
use super::time::Timestamp;

/// A deployment with its newest and its serving revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    /// The deployment.
    pub deployment: Deployment,
    /// Its newest revision.
    pub newest: Revision,
    /// The one that serves.
    pub current: Option<Revision>,
}

/// A revision with its open or last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionView {
    /// The revision.
    pub revision: Revision,
    /// Its open attempt, else its last.
    pub attempt: Option<BuildAttempt>,
    /// SHA-256 of the delivery's body that made it.
    pub delivery_digest: Option<[u8; 32]>,
}

/// A page of things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The things.
    pub items: Vec<T>,
    /// How many there are in all; `None` where it is not counted.
    pub total: Option<u64>,
}

/// Which page: `page` 1..=10,000, `limit` 1..=100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 1-based.
    pub page: u32,
    /// Items a page.
    pub limit: u32,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { page: 1, limit: 20 }
    }
}

impl PageRequest {
    /// How many items come before this page.
    #[must_use]
    pub fn offset(&self) -> u64 {
        u64::from(self.page.saturating_sub(1)).saturating_mul(u64::from(self.limit))
    }
}

/// The order of a list of deployments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeploymentSort {
    /// Newest first.
    #[default]
    CreatedDescending,
    /// Oldest first.
    CreatedAscending,
    /// By name.
    NameAscending,
    /// By name, backwards.
    NameDescending,
}

/// A list of deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentQuery {
    /// Which page.
    pub page: PageRequest,
    /// In which order.
    pub sort: DeploymentSort,
    /// Only names that contain this.
    pub name_contains: Option<String>,
    /// Only of this integration.
    pub integration: Option<IntegrationId>,
    /// Only of this repository.
    pub repo: Option<(OwnerName, RepoName)>,
}

/// The order of a list of revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevisionSort {
    /// Newest first. Creation order and numbers agree.
    #[default]
    NumberDescending,
    /// Oldest first.
    NumberAscending,
}

/// A list of revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevisionQuery {
    /// Which page.
    pub page: PageRequest,
    /// In which order.
    pub sort: RevisionSort,
    /// Only in this state.
    pub state: Option<RevisionState>,
}

/// A list of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Which page; ignored with `after` but for its limit.
    pub page: PageRequest,
    /// Newest first; ignored with `after`.
    pub newest_first: bool,
    /// Only events after this sequence number, ascending, uncounted.
    pub after: Option<u64>,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self { page: PageRequest::default(), newest_first: true, after: None }
    }
}

/// A branch at a forge: what a webhook's fan-out looks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BranchKey {
    /// The forge instance.
    pub forge: ForgeId,
    /// The repository.
    pub repository: RepositoryId,
    /// The branch.
    pub branch: BranchName,
}

/// What the sweep looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepQuery {
    /// Deployments that follow a branch.
    Tracked {
        /// After this one.
        after: Option<DeploymentRef>,
    },
    /// Unfinished revisions that no live job will move.
    Stalled {
        /// Unchanged for this long.
        idle: Duration,
        /// After this one.
        after: Option<(DeploymentRef, RevisionId)>,
    },
}

/// A page of what the sweep looks at, at most 500.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepPage {
    /// Deployments that follow a branch, by (org, id).
    Tracked(Vec<TrackedBranch>),
    /// Unfinished revisions that no live job will move.
    Stalled(Vec<(DeploymentRef, RevisionId, RevisionState)>),
}

/// A deployment that follows a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedBranch {
    /// Which.
    pub deployment: DeploymentRef,
    /// The repository, with its id.
    pub repo: RepoRef,
    /// The forge instance.
    pub forge: ForgeId,
    /// The branch.
    pub branch: BranchName,
    /// Commit of the newest revision made at the head.
    pub source_head: Option<CommitSha>,
    /// A head that was skipped on purpose.
    pub skipped_head: Option<CommitSha>,
    /// Why the branch has no head.
    pub mark: Option<BranchMark>,
    /// The newest revision's number.
    pub newest_number: u32,
    /// When a revision at the head was last accepted.
    pub last_accepted_at: Option<Timestamp>,
}

/// Scope and key of a repeated request, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyRef {
    /// SHA-256 of route and path ids.
    pub scope_hash: [u8; 32],
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
}

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Scope and key.
    pub key: IdempotencyRef,
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// The HTTP status of the first answer.
    pub status: u16,
    /// The deployment it was about.
    pub deployment: DeploymentId,
    /// The revision it made.
    pub revision: Option<RevisionId>,
    /// When.
    pub created_at: Timestamp,
}
