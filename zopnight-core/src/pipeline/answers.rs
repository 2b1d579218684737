//! What the use cases answer.

use super::requests::RepositoriesCursor;
use crate::domain::{
    Analysis, Branch, BranchName, CommitSha, DeliveryId, DeployedImage, DeploymentView, IntegrationId, RepoInfo, RevisionId,
    RevisionState, RevisionView,
};

/// A change of a deployment that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The deployment as it is now.
    pub deployment: DeploymentView,
    /// The revision it made, or concerns; `None` where it needed none.
    pub revision: Option<RevisionView>,
    /// The same request was carried out before; nothing was written now.
    pub replayed: bool,
}

/// A repository and the integration that sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRepository {
    /// The integration.
    pub integration: IntegrationId,
    /// The repository.
    pub repository: RepoInfo,
}

/// A list of repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoriesAnswer {
    /// By integration, then in the forge's order; without archived ones.
    pub repositories: Vec<ListedRepository>,
    /// Where to go on.
    pub next: Option<RepositoriesCursor>,
    /// Time ran out before the end.
    pub incomplete: bool,
    /// Integrations that could not be read, with the error's code.
    pub failures: Vec<(IntegrationId, String)>,
}

/// A list of branches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchesAnswer {
    /// The default branch first, then by name.
    pub branches: Vec<Branch>,
    /// The default branch's name.
    pub default_branch: Option<BranchName>,
    /// The forge's next page.
    pub next: Option<u32>,
    /// Time ran out before the end.
    pub incomplete: bool,
    /// Left out because their name is outside our grammar.
    pub skipped: u32,
}

/// An analysis and the commit it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysisOf {
    /// What was found.
    pub analysis: Analysis,
    /// In this commit.
    pub commit: CommitSha,
}

/// What a webhook came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// The forge tried the connection.
    Pong,
    /// It made revisions, or was left to a sweep.
    Accepted,
    /// It was known already.
    Duplicate,
    /// It concerns nothing of ours.
    Ignored,
}

impl WebhookOutcome {
    /// The name on the wire and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pong => "pong",
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
        }
    }
}

/// What a webhook came to. Counts only: whoever can sign may not learn of tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The delivery.
    pub delivery: DeliveryId,
    /// What it came to.
    pub outcome: WebhookOutcome,
    /// Why it was ignored.
    pub reason: Option<&'static str>,
    /// Revisions that carry this delivery.
    pub revisions: u32,
}

/// What a build callback came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The revision.
    pub revision: RevisionId,
    /// Where it stands.
    pub state: RevisionState,
    /// Its image, with our digest.
    pub image: Option<DeployedImage>,
    /// The same callback was accepted before; nothing was written now.
    pub replayed: bool,
}
