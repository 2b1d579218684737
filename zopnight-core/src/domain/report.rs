//! What is told to the forge about a revision.

use super::commit::CommitSha;
use super::forge::RepoRef;
use super::id::{DeploymentId, RevisionId};
use super::revision::{Cause, Reason, RevisionNumber, RevisionState};
use super::target::AppName;
use super::url::HttpsUrl;

/// A revision's present state, for the forge's own pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionReport {
    /// The repository.
    pub repo: RepoRef,
    /// The commit.
    pub commit: CommitSha,
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its name.
    pub name: AppName,
    /// 1..=100 characters.
    pub environment: String,
    /// Whether users depend on it.
    pub production: bool,
    /// The revision.
    pub revision: RevisionId,
    /// Its number.
    pub number: RevisionNumber,
    /// Why it was made.
    pub cause: Cause,
    /// Where it stands.
    pub state: RevisionState,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// The host's page about it.
    pub page_url: Option<HttpsUrl>,
    /// Where it serves.
    pub environment_url: Option<HttpsUrl>,
    /// The build's page.
    pub run_url: Option<HttpsUrl>,
}
