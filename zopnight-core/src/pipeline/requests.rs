//! What the use cases are asked.

use crate::domain::{
    Actor, AppName, BranchName, BuildSpec, CommitSha, Idempotency, IntegrationId, Namespace, OrgId, OwnerName, RepoName,
    RepoPath, RepoRef, RevisionId, RevisionNumber, RuntimeSpec, SpaceId,
};

/// Who asks, and how a repetition is recognised.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The tenant.
    pub org: OrgId,
    /// Who acts, for the timeline.
    pub actor: Actor,
    /// Recognises a repeated request.
    pub idempotency: Option<Idempotency>,
}

impl RequestContext {
    /// A request of a tenant by an unknown actor.
    #[must_use]
    pub fn new(org: OrgId) -> Self {
        Self { org, actor: Actor::unknown(), idempotency: None }
    }

    /// By this actor.
    #[must_use]
    pub fn with_actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// Recognised by this.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Option<Idempotency>) -> Self {
        self.idempotency = idempotency;
        self
    }
}

/// Where code is to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// The connection.
    pub integration: IntegrationId,
    /// The repository's owner.
    pub owner: OwnerName,
    /// The repository's name.
    pub repo: RepoName,
    /// `None` = the default branch.
    pub branch: Option<BranchName>,
    /// The app's directory.
    pub root_path: RepoPath,
    /// Whether a push makes a revision.
    pub auto_deploy: bool,
}

impl SourceSpec {
    /// The root of a repository at its default branch, where every push makes a revision.
    #[must_use]
    pub fn new(integration: IntegrationId, owner: OwnerName, repo: RepoName) -> Self {
        Self { integration, owner, repo, branch: None, root_path: RepoPath::root(), auto_deploy: true }
    }

    /// The repository, its id not known yet.
    #[must_use]
    pub fn repo_ref(&self) -> RepoRef {
        RepoRef { integration: self.integration.clone(), owner: self.owner.clone(), name: self.repo.clone(), id: None }
    }
}

/// A deployment to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentSpec {
    /// Unique in the tenant.
    pub name: AppName,
    /// Where the code comes from.
    pub source: SourceSpec,
    /// How it is built.
    pub build: BuildSpec,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// The cluster.
    pub space: SpaceId,
    /// `None` = the grant's default.
    pub namespace: Option<Namespace>,
}

impl DeploymentSpec {
    /// A deployment with default build and runtime, in the space's default namespace.
    #[must_use]
    pub fn new(name: AppName, source: SourceSpec, space: SpaceId) -> Self {
        Self { name, source, build: BuildSpec::default(), runtime: RuntimeSpec::default(), space, namespace: None }
    }
}

/// A change of configuration: absent parts stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigChange {
    /// Only if the configuration still has this version.
    pub config_version: Option<u32>,
    /// The branch to follow.
    pub branch: Option<BranchName>,
    /// The app's directory.
    pub root_path: Option<RepoPath>,
    /// Whether a push makes a revision.
    pub auto_deploy: Option<bool>,
    /// How it is built, whole.
    pub build: Option<BuildSpec>,
    /// How it runs, whole.
    pub runtime: Option<RuntimeSpec>,
}

/// What to deploy again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedeployRequest {
    /// `None` = the branch's head.
    pub commit: Option<CommitSha>,
    /// Take the image that serves, with the present configuration.
    pub reuse_image: bool,
}

/// Where to roll back to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollbackTo {
    /// The newest revision that succeeded before the one that serves.
    #[default]
    Previous,
    /// This revision.
    Revision(RevisionId),
    /// The revision of this number.
    Number(RevisionNumber),
}

/// Where a list of repositories goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoriesCursor {
    /// In this integration.
    pub integration: IntegrationId,
    /// On this page of the forge, 1-based.
    pub page: u32,
    /// After this many of its entries.
    pub offset: u32,
}

/// A list of repositories, read live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoriesQuery {
    /// Only of this integration.
    pub integration: Option<IntegrationId>,
    /// Only those whose `owner/repo` contains this, without case.
    pub contains: Option<String>,
    /// At most this many, 1 ..= 5,000.
    pub limit: u32,
    /// Where to go on.
    pub cursor: Option<RepositoriesCursor>,
    /// Answer with what there is after this long.
    pub within: std::time::Duration,
}

/// A list of branches, read live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchesQuery {
    /// The repository; its id need not be known.
    pub repo: RepoRef,
    /// Only those whose name contains this, without case.
    pub contains: Option<String>,
    /// At most this many, 1 ..= 5,000.
    pub limit: u32,
    /// The forge's page to go on with, 1-based.
    pub page: u32,
    /// Answer with what there is after this long.
    pub within: std::time::Duration,
}

/// What to analyse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalyzeQuery {
    /// The repository; its id need not be known.
    pub repo: RepoRef,
    /// `None` = the default branch.
    pub branch: Option<BranchName>,
    /// The app's directory.
    pub root_path: RepoPath,
}
