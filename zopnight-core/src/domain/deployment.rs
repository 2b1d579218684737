//! A deployment: a long-lived application in one environment.

use super::branch::BranchName;
use super::build::BuildSpec;
use super::commit::CommitSha;
use super::forge::{ForgeId, IntegrationId, OwnerName, RepoName, RepoRef, RepositoryId};
use super::id::{DeploymentId, RevisionId};
use super::org::OrgId;
use super::repo_path::RepoPath;
use super::revision::{Revision, RevisionState};
use super::runtime::RuntimeSpec;
use super::target::{AppName, Target};
use super::time::Timestamp;

/// Where a deployment's code comes from. The numeric id is the key; owner and name follow renames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The forge instance.
    pub forge: ForgeId,
    /// The connection through which it is reached.
    pub integration: IntegrationId,
    /// The repository.
    pub repository: RepositoryId,
    /// Its owner's present name.
    pub owner: OwnerName,
    /// Its present name.
    pub name: RepoName,
    /// The branch that is followed.
    pub branch: BranchName,
    /// The app's directory.
    pub root_path: RepoPath,
    /// Whether a push makes a revision.
    pub auto_deploy: bool,
}

impl Source {
    /// The repository, with its id.
    #[must_use]
    pub fn repo(&self) -> RepoRef {
        RepoRef {
            integration: self.integration.clone(),
            owner: self.owner.clone(),
            name: self.name.clone(),
            id: Some(self.repository),
        }
    }
}

/// Why a tracked branch has no head; noted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BranchMark {
    /// The branch is gone.
    Absent,
    /// The repository is empty.
    Empty,
    /// The repository is gone, or out of the integration's sight.
    RepositoryAbsent,
}

impl BranchMark {
    /// The name in the store and in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "branch_absent",
            Self::Empty => "repository_empty",
            Self::RepositoryAbsent => "repository_absent",
        }
    }

    /// The mark of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Absent, Self::Empty, Self::RepositoryAbsent].into_iter().find(|m| m.as_str() == name)
    }
}

/// A deployment as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its tenant.
    pub org: OrgId,
    /// Its id.
    pub id: DeploymentId,
    /// Its name, unique in the tenant while it lives.
    pub name: AppName,
    /// Where the code comes from.
    pub source: Source,
    /// How it is built.
    pub build: BuildSpec,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// Where it goes.
    pub target: Target,
    /// Grows with each change of configuration.
    pub config_version: u32,
    /// Grows with each change at all; compare-and-set by it.
    pub version: u64,
    /// The revision that serves; moved only by `succeeded`.
    pub current_revision: Option<RevisionId>,
    /// Its number, 0 = none.
    pub current_number: u32,
    /// The newest revision.
    pub newest_revision: RevisionId,
    /// Its number.
    pub newest_number: u32,
    /// Commit of the newest revision made at the branch's head: what a push is ordered against.
    pub source_head: Option<CommitSha>,
    /// A head that was skipped on purpose; the sweep does not build it.
    pub skipped_head: Option<CommitSha>,
    /// Why the branch has no head, noted once.
    pub branch_mark: Option<BranchMark>,
    /// When a revision at the head was last accepted.
    pub last_accepted_at: Option<Timestamp>,
    /// When its removal was asked.
    pub deleting_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a user sees of a deployment at a glance. Computed, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// Nothing serves yet, one is under way.
    Pending,
    /// Serves.
    Live,
    /// Serves, a newer one is under way.
    Updating,
    /// Serves, the newest failed.
    Failing,
    /// Nothing serves, the newest failed.
    Failed,
    /// Being removed.
    Deleting,
}

impl DeploymentStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Live => "live",
            Self::Updating => "updating",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }
}

impl Deployment {
    /// The status, given the newest revision.
    #[must_use]
    pub fn status(&self, newest: &Revision) -> DeploymentStatus {
        if self.deleting_at.is_some() {
            return DeploymentStatus::Deleting;
        }
        match (self.current_revision.is_some(), newest.state) {
            (true, RevisionState::Succeeded) => DeploymentStatus::Live,
            (true, s) if !s.is_terminal() => DeploymentStatus::Updating,
            (true, RevisionState::Cancelled | RevisionState::Superseded) => DeploymentStatus::Live,
            (true, _) => DeploymentStatus::Failing,
            (false, s) if !s.is_terminal() => DeploymentStatus::Pending,
            (false, _) => DeploymentStatus::Failed,
        }
    }
}
