//! What a change does to the deployment.

use crate::domain::branch::BranchName;
use crate::domain::build::BuildSpec;
use crate::domain::commit::CommitSha;
use crate::domain::deployment::{BranchMark, Source};
use crate::domain::forge::{OwnerName, RepoName};
use crate::domain::repo_path::RepoPath;
use crate::domain::runtime::RuntimeSpec;
use crate::domain::target::{AppName, Target};

/// What happens to the deployment.
#[derive(Clone, Debug)]
pub enum DeploymentOp {
    /// Nothing but its counters.
    Keep,
    /// It is created.
    Create(Box<NewDeployment>),
    /// Its configuration changes.
    Configure(Box<ConfigPatch>),
    /// What is known of its source changes.
    Source(Box<SourcePatch>),
    /// Its removal begins.
    Deleting,
    /// Its removal is complete.
    Gone,
}

/// A deployment to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeployment {
    /// Its name.
    pub name: AppName,
    /// Where its code comes from.
    pub source: Source,
    /// How it is built.
    pub build: BuildSpec,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// Where it goes.
    pub target: Target,
}

/// A change of configuration: the given parts are replaced. A new branch forgets the marks of the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigPatch {
    /// The branch to follow.
    pub branch: Option<BranchName>,
    /// The app's directory.
    pub root_path: Option<RepoPath>,
    /// Whether a push makes a revision.
    pub auto_deploy: Option<bool>,
    /// How it is built.
    pub build: Option<BuildSpec>,
    /// How it runs.
    pub runtime: Option<RuntimeSpec>,
}

/// A change of what is known of the source: the given parts are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePatch {
    /// After a rename or transfer.
    pub renamed: Option<(OwnerName, RepoName)>,
    /// `Some(None)` clears the mark.
    pub mark: Option<Option<BranchMark>>,
    /// A head that was skipped on purpose.
    pub skipped_head: Option<CommitSha>,
}
