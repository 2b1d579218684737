//! Pull requests. Whose code one brings is decided by numeric repository ids alone: names can be taken over, flags and
//! labels can be chosen.

use std::borrow::Cow;

use serde::Deserialize;
use zopnight_core::Result;
use zopnight_core::domain::{
    BranchName, CommitSha, ForgeId, ForkOrigin, IgnoreReason, PullRequestAction, PullRequestEvent, RepoEvent, RepositoryId,
    text,
};

use super::body::{self, Action, Object};
use super::ignored;
use super::installation::Installation;
use super::repository::Repository;

#[derive(Deserialize)]
struct Payload<'a> {
    number: u64,
    #[serde(borrow)]
    pull_request: Object<PullRequest<'a>>,
    #[serde(borrow)]
    repository: Object<Repository<'a>>,
    installation: Option<Object<Installation>>,
}

#[derive(Deserialize)]
struct PullRequest<'a> {
    #[serde(borrow)]
    head: Object<Head<'a>>,
    #[serde(borrow)]
    base: Object<Base<'a>>,
    draft: bool,
    merged: bool,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    sha: Cow<'a, str>,
    #[serde(rename = "ref", borrow)]
    branch: Cow<'a, str>,
    #[serde(deserialize_with = "body::nullable")]
    repo: Option<Object<Identified>>,
}

#[derive(Deserialize)]
struct Base<'a> {
    #[serde(rename = "ref", borrow)]
    branch: Cow<'a, str>,
    repo: Object<Identified>,
}

#[derive(Deserialize)]
struct Identified {
    id: u64,
}

fn known(action: &str) -> Option<PullRequestAction> {
    Some(match action {
        "opened" => PullRequestAction::Opened,
        "synchronize" => PullRequestAction::Synchronize,
        "reopened" => PullRequestAction::Reopened,
        "ready_for_review" => PullRequestAction::ReadyForReview,
        "converted_to_draft" => PullRequestAction::ConvertedToDraft,
        "closed" => PullRequestAction::Closed,
        "labeled" => PullRequestAction::Labeled,
        "unlabeled" => PullRequestAction::Unlabeled,
        _ => return None,
    })
}

fn origin(head: Option<&Identified>, base: &Identified) -> Result<ForkOrigin> {
    let base = RepositoryId::new(base.id)?;
    Ok(match head.map(|repo| RepositoryId::new(repo.id)).transpose()? {
        None => ForkOrigin::Gone,
        Some(id) if id == base => ForkOrigin::SameRepository,
        Some(repository) => ForkOrigin::Fork { repository },
    })
}

/// Reads a `pull_request` event.
pub(super) fn read(json: &str, forge: &ForgeId) -> Result<RepoEvent> {
    let Action { action } = body::parse(json)?;
    let Some(action) = known(&action) else {
        return Ok(ignored("pull_request", &action, IgnoreReason::UnusedAction));
    };
    let payload: Payload<'_> = body::parse(json)?;
    let PullRequest { head: Object(head), base: Object(base), draft, merged } = payload.pull_request.0;
    Ok(RepoEvent::PullRequest(PullRequestEvent {
        action,
        number: payload.number,
        repository: payload.repository.0.info(forge)?,
        installation: payload.installation.map(|i| i.0.id()).transpose()?,
        base: BranchName::parse(&base.branch)?,
        head_branch: text::line(&head.branch, 244),
        head: CommitSha::parse(&head.sha)?,
        fork: origin(head.repo.as_ref().map(|repo| &repo.0), &base.repo.0)?,
        draft,
        merged,
    }))
}
