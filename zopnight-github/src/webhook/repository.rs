//! Repositories in deliveries, and the event that tells of a change to one.

use std::borrow::Cow;

use serde::Deserialize;
use zopnight_core::Result;
use zopnight_core::domain::{
    BranchName, ForgeId, IgnoreReason, OwnerName, RepoEvent, RepoInfo, RepoName, RepositoryEvent, RepositoryId,
};

use super::body::{self, Action, Object};
use super::{ignored, invalid};

const USED: [&str; 8] =
    ["renamed", "transferred", "edited", "archived", "unarchived", "deleted", "privatized", "publicized"];

/// `repository` in a payload.
#[derive(Deserialize)]
pub(super) struct Repository<'a> {
    id: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    owner: Object<Owner>,
    #[serde(deserialize_with = "body::nullable")]
    default_branch: Option<String>,
    private: bool,
    archived: bool,
}

/// Its owner. Push payloads of older servers have `name` alone.
#[derive(Deserialize)]
struct Owner {
    login: Option<String>,
    name: Option<String>,
}

impl Repository<'_> {
    pub(super) fn info(&self, forge: &ForgeId) -> Result<RepoInfo> {
        let owner = self.owner.0.login.as_deref().or(self.owner.0.name.as_deref());
        Ok(RepoInfo {
            forge: forge.clone(),
            id: RepositoryId::new(self.id)?,
            owner: OwnerName::parse(owner.ok_or_else(|| invalid("the repository's owner has no login"))?)?,
            name: RepoName::parse(&self.name)?,
            default_branch: self.default_branch.as_deref().and_then(|b| BranchName::parse(b).ok()),
            private: self.private,
            archived: self.archived,
        })
    }
}

#[derive(Deserialize)]
struct Changed<'a> {
    #[serde(borrow)]
    repository: Object<Repository<'a>>,
}

/// Reads a `repository` event.
pub(super) fn read(json: &str, forge: &ForgeId) -> Result<RepoEvent> {
    let Action { action } = body::parse(json)?;
    if !USED.contains(&&*action) {
        return Ok(ignored("repository", &action, IgnoreReason::UnusedAction));
    }
    let Changed { repository } = body::parse(json)?;
    Ok(RepoEvent::Repository(RepositoryEvent { action: action.into_owned(), repository: repository.0.info(forge)? }))
}
