//! Events about an App's installations.

use serde::Deserialize;
use zopnight_core::Result;
use zopnight_core::domain::{IgnoreReason, InstallationEvent, InstallationId, RepoEvent, RepositoryId};

use super::body::{self, Action, Object};
use super::ignored;

/// `installation` in a payload of another event.
#[derive(Deserialize)]
pub(super) struct Installation {
    id: u64,
}

impl Installation {
    pub(super) fn id(&self) -> Result<InstallationId> {
        InstallationId::new(self.id)
    }
}

#[derive(Deserialize)]
struct Changed {
    installation: Object<Described>,
}

#[derive(Deserialize)]
struct Described {
    id: u64,
    account: Object<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "login")]
    _login: String,
}

#[derive(Deserialize)]
struct Repositories {
    repositories_added: Vec<Object<Identified>>,
    repositories_removed: Vec<Object<Identified>>,
}

#[derive(Deserialize)]
struct Identified {
    id: u64,
}

/// Reads an `installation` event.
pub(super) fn read(json: &str) -> Result<RepoEvent> {
    let Action { action } = body::parse(json)?;
    if !["deleted", "suspend", "unsuspend", "created", "new_permissions_accepted"].contains(&&*action) {
        return Ok(ignored("installation", &action, IgnoreReason::UnusedAction));
    }
    changed(json, &action)
}

/// Reads an `installation_repositories` event.
pub(super) fn read_repositories(json: &str) -> Result<RepoEvent> {
    let Action { action } = body::parse(json)?;
    if !["added", "removed"].contains(&&*action) {
        return Ok(ignored("installation_repositories", &action, IgnoreReason::UnusedAction));
    }
    let lists: Repositories = body::parse(json)?;
    for repository in lists.repositories_added.iter().chain(&lists.repositories_removed) {
        RepositoryId::new(repository.0.id)?;
    }
    changed(json, &action)
}

fn changed(json: &str, action: &str) -> Result<RepoEvent> {
    let Changed { installation } = body::parse(json)?;
    let Described { id, account: Object(Account { .. }) } = installation.0;
    Ok(RepoEvent::Installation(InstallationEvent { action: action.to_owned(), installation: InstallationId::new(id)? }))
}
