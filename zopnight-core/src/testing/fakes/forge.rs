//! A forge in memory.

mod history;
mod log;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use self::history::Repo;
use super::faults::{Faults, lock};
use crate::domain::{
    BranchName, ChangedPaths, CommitInfo, CommitSha, Delivery, DeliveryId, DeploymentId, ForgeId, IntegrationId, OwnerName,
    PushEvent, RefEvent, RepoEvent, RepoInfo, RepoName, RepoPath, RepoRef, RepositoryId, RevisionReport, SecretSlot,
    SkipToken, hex,
};
use crate::error::{Error, Result};
use crate::ports::StatusReporter;
use crate::testing::tree::MemoryTree;

pub use self::log::Undelivered;

/// The host name of the fake forge.
const FORGE: &str = "forge.test";

#[derive(Debug, Default)]
struct Integration {
    repositories: Vec<RepositoryId>,
    revoked: bool,
    odd: u32,
}

#[derive(Debug, Default)]
struct State {
    integrations: BTreeMap<IntegrationId, Integration>,
    repos: BTreeMap<RepositoryId, Repo>,
    last_repo: u64,
    last_delivery: u64,
    head_faults: Vec<HeadFault>,
    reports: Vec<RevisionReport>,
    log: Vec<Undelivered>,
    outbox: Vec<Delivery>,
}

struct HeadFault {
    repository: RepositoryId,
    branch: BranchName,
    error: Box<dyn Fn() -> Error + Send + Sync>,
}

impl std::fmt::Debug for HeadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeadFault({} {})", self.repository, self.branch)
    }
}

/// A forge with integrations, repositories, branches, commits and webhook deliveries, all in memory: a `RepoSource`, a
/// `DeliveryLog` and a [`StatusReporter`] at once.
///
/// Its forge id is `forge.test`. Faults are named `repositories`, `branches`, `heads`, `snapshot`, `missed`, `redeliver`
/// and `report`. Setting it up panics on names outside our grammar and on repositories it never made.
///
/// ```
/// use zopnight_core::domain::{BranchName, IntegrationId};
/// use zopnight_core::ports::repo_source::head;
/// use zopnight_core::testing::fakes::FakeForge;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let forge = FakeForge::new();
/// let repo = forge.create_repo(&IntegrationId::parse("gh").unwrap(), "acme/shop");
/// let sha = forge.commit(&repo, "main", &[("Dockerfile", "FROM scratch\n")]);
/// let found = head(&*forge, &repo, &BranchName::parse("main").unwrap()).await.unwrap();
/// assert_eq!(found.sha, sha);
/// # });
/// ```
#[derive(Debug, Default)]
pub struct FakeForge {
    faults: Faults,
    state: Mutex<State>,
}

impl FakeForge {
    /// An empty forge.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// An empty forge with this script of faults.
    #[must_use]
    pub fn with_faults(faults: Faults) -> Arc<Self> {
        Arc::new(Self { faults, state: Mutex::default() })
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// `forge.test`.
    #[must_use]
    pub fn id() -> ForgeId {
        ForgeId::parse(FORGE).expect("the forge's name is valid")
    }

    /// Makes an integration without repositories; [`FakeForge::create_repo`] makes it, too.
    pub fn connect(&self, integration: &IntegrationId) {
        self.lock().integrations.entry(integration.clone()).or_default();
    }

    /// The integration is gone: `integration_not_found`.
    pub fn disconnect(&self, integration: &IntegrationId) {
        self.lock().integrations.remove(integration);
    }

    /// The integration's credential is refused, or taken again.
    pub fn revoke(&self, integration: &IntegrationId, revoked: bool) {
        self.lock().integrations.entry(integration.clone()).or_default().revoked = revoked;
    }

    /// So many repositories of the integration have names outside our grammar; they are counted as skipped.
    pub fn add_odd_repositories(&self, integration: &IntegrationId, count: u32) {
        self.lock().integrations.entry(integration.clone()).or_default().odd += count;
    }

    /// Makes an empty, private repository `owner/name` with default branch `main`, seen by the integration.
    ///
    /// # Panics
    /// If the name is not `owner/name` or is taken.
    pub fn create_repo(&self, integration: &IntegrationId, name: &str) -> RepoRef {
        let (owner, name) = split(name);
        let mut state = self.lock();
        assert!(state.by_name(&owner, &name).is_none(), "{owner}/{name} is taken");
        state.last_repo += 1;
        let id = RepositoryId::new(1_000 + state.last_repo).expect("repository ids are small");
        state.repos.insert(id, Repo::new(owner.clone(), name.clone()));
        state.integrations.entry(integration.clone()).or_default().repositories.push(id);
        RepoRef { integration: integration.clone(), owner, name, id: Some(id) }
    }

    /// A second integration sees the repository.
    pub fn share(&self, repo: &RepoRef, integration: &IntegrationId) -> RepoRef {
        let id = known(repo);
        let mut state = self.lock();
        let repositories = &mut state.integrations.entry(integration.clone()).or_default().repositories;
        if !repositories.contains(&id) {
            repositories.push(id);
        }
        RepoRef { integration: integration.clone(), ..repo.clone() }
    }

    /// Renames or transfers a repository: the id stays, the old name leads here until somebody takes it. Answers the new
    /// reference.
    ///
    /// # Panics
    /// If the name is not `owner/name` or is taken.
    pub fn rename(&self, repo: &RepoRef, name: &str) -> RepoRef {
        let (owner, name) = split(name);
        let mut state = self.lock();
        assert!(state.by_name(&owner, &name).is_none(), "{owner}/{name} is taken");
        state.repo_mut(repo).rename(owner.clone(), name.clone());
        RepoRef { owner, name, ..repo.clone() }
    }

    /// Deletes a repository; its name is free again.
    pub fn delete_repo(&self, repo: &RepoRef) {
        let id = known(repo);
        let mut state = self.lock();
        state.repos.remove(&id);
        for integration in state.integrations.values_mut() {
            integration.repositories.retain(|r| *r != id);
        }
    }

    /// Changes what the forge says of a repository; owner, name and id stay.
    pub fn edit(&self, repo: &RepoRef, change: impl FnOnce(&mut RepoInfo)) {
        let id = known(repo);
        self.lock().repo_mut(repo).edit(id, change);
    }

    /// What the forge says of a repository.
    #[must_use]
    pub fn info(&self, repo: &RepoRef) -> RepoInfo {
        let id = known(repo);
        self.lock().repo_mut(repo).info(id)
    }

    /// Commits files on top of a branch, which is made if it is not there, and moves it. Files already in the branch stay.
    /// The commit's id follows from its content, so that the same history has the same ids.
    pub fn commit(&self, repo: &RepoRef, branch: &str, files: &[(&str, &str)]) -> CommitSha {
        self.commit_as(repo, branch, files, "Change files", "Ada")
    }

    /// The same with a message and an author.
    pub fn commit_as(&self, repo: &RepoRef, branch: &str, files: &[(&str, &str)], message: &str, author: &str) -> CommitSha {
        let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let add = |tree| files.iter().fold(tree, |tree: MemoryTree, (path, text)| tree.put(path, text));
        self.lock().repo_mut(repo).commit(&branch_name(branch), add, paths, message, author)
    }

    /// Commits a whole tree in place of the branch's.
    pub fn commit_tree(&self, repo: &RepoRef, branch: &str, tree: MemoryTree) -> CommitSha {
        let paths = tree.nodes().map(|(path, _)| path).collect();
        self.lock().repo_mut(repo).commit(&branch_name(branch), |_| tree, paths, "Replace the tree", "Ada")
    }

    /// Points a branch at a commit that the repository holds: a new branch, or a forced push.
    ///
    /// # Panics
    /// If the repository holds no such commit.
    pub fn set_branch(&self, repo: &RepoRef, branch: &str, to: &CommitSha) {
        self.lock().repo_mut(repo).set_branch(&branch_name(branch), to);
    }

    /// Deletes a branch; its commits stay.
    pub fn delete_branch(&self, repo: &RepoRef, branch: &str) {
        self.lock().repo_mut(repo).delete_branch(&branch_name(branch));
    }

    /// Protects a branch, or no longer.
    pub fn protect(&self, repo: &RepoRef, branch: &str, protected: bool) {
        self.lock().repo_mut(repo).protect(&branch_name(branch), protected);
    }

    /// So many branches have names outside our grammar; they are counted as skipped.
    pub fn add_odd_branches(&self, repo: &RepoRef, count: u32) {
        self.lock().repo_mut(repo).odd += count;
    }

    /// Where a branch stands.
    #[must_use]
    pub fn head_of(&self, repo: &RepoRef, branch: &str) -> Option<CommitSha> {
        self.lock().repo_mut(repo).branches.get(&branch_name(branch)).map(|(sha, _)| sha.clone())
    }

    /// `heads` answers `Failed` for this branch.
    pub fn fail_head(&self, repo: &RepoRef, branch: &str, error: impl Fn() -> Error + Send + Sync + 'static) {
        let fault = HeadFault { repository: known(repo), branch: branch_name(branch), error: Box::new(error) };
        self.lock().head_faults.push(fault);
    }

    /// `heads` answers every branch again.
    pub fn heal_heads(&self) {
        self.lock().head_faults.clear();
    }

    /// Commits files and answers the webhook of that push, under a new delivery id.
    pub fn push(&self, repo: &RepoRef, branch: &str, files: &[(&str, &str)]) -> Delivery {
        let before = self.head_of(repo, branch);
        let after = self.commit(repo, branch, files);
        self.push_event(repo, branch, before.as_ref(), &after)
    }

    /// The webhook of a push that moved `branch` from `before` to `after`, under a new delivery id. The fields are open, so
    /// that a test may change what it needs.
    ///
    /// # Panics
    /// If the repository holds no commit `after`.
    pub fn push_event(&self, repo: &RepoRef, branch: &str, before: Option<&CommitSha>, after: &CommitSha) -> Delivery {
        let mut state = self.lock();
        let found = state.repo_mut(repo);
        let repository = found.info(known(repo));
        let commit = found.commit_of(after);
        let way = before.and_then(|before| found.changed_between(before, after));
        let forced = before.is_some() && way.is_none();
        let changed = match way {
            Some(paths) => ChangedPaths::Known(paths.into_iter().filter_map(|p| RepoPath::parse(p).ok()).collect()),
            None => ChangedPaths::Unknown("the branch did not stand below"),
        };
        let push = PushEvent {
            repository,
            installation: None,
            git_ref: format!("refs/heads/{branch}"),
            name: branch.to_owned(),
            before: before.cloned(),
            after: after.clone(),
            created: before.is_none(),
            forced,
            head: Some(commit.info.clone()),
            changed,
            skip: commit.message.contains("[skip ci]").then(|| SkipToken("[skip ci]".to_owned())),
        };
        state.deliver(RepoEvent::Push(push))
    }

    /// The webhook of a branch that was deleted, under a new delivery id.
    pub fn branch_deleted_event(&self, repo: &RepoRef, branch: &str) -> Delivery {
        let mut state = self.lock();
        let repository = state.repo_mut(repo).info(known(repo));
        state.deliver(RepoEvent::BranchDeleted(RefEvent { repository, name: branch.to_owned() }))
    }

    /// A webhook that tells anything else, under a new delivery id.
    pub fn event(&self, event: RepoEvent) -> Delivery {
        self.lock().deliver(event)
    }

    /// What the forge was told of revisions, in order.
    #[must_use]
    pub fn reports(&self) -> Vec<RevisionReport> {
        self.lock().reports.clone()
    }

    /// What the forge shows of a deployment at a commit: the last report.
    #[must_use]
    pub fn shown(&self, deployment: DeploymentId, commit: &CommitSha) -> Option<RevisionReport> {
        let state = self.lock();
        state.reports.iter().rev().find(|r| r.deployment == deployment && r.commit == *commit).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn deliver(&mut self, event: RepoEvent) -> Delivery {
        self.last_delivery += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", self.last_delivery);
        let id = DeliveryId::parse(&id).expect("the made delivery id is valid");
        let body_sha256 = hex::sha256(format!("{event:?}").as_bytes());
        Delivery { forge: FakeForge::id(), id, body_sha256, secret: SecretSlot::Current, event }
    }

    fn by_name(&self, owner: &OwnerName, name: &RepoName) -> Option<RepositoryId> {
        self.repos.iter().find(|(_, r)| r.owner == *owner && r.name == *name).map(|(id, _)| *id)
    }

    fn repo_mut(&mut self, repo: &RepoRef) -> &mut Repo {
        self.repos.get_mut(&known(repo)).unwrap_or_else(|| panic!("{repo} is not at the forge"))
    }
}

fn known(repo: &RepoRef) -> RepositoryId {
    repo.id.unwrap_or_else(|| panic!("{repo} has no id: use the reference that create_repo gave"))
}

fn branch_name(text: &str) -> BranchName {
    BranchName::parse(text).expect("the branch's name is valid")
}

fn split(full: &str) -> (OwnerName, RepoName) {
    let (owner, name) = full.split_once('/').expect("a repository is called owner/name");
    (OwnerName::parse(owner).expect("the owner is valid"), RepoName::parse(name).expect("the name is valid"))
}

/// What the forge tells of a commit.
fn described(sha: CommitSha, message: &str, author: &str) -> CommitInfo {
    CommitInfo::described(sha, Some(message), Some(author))
}

#[async_trait]
impl StatusReporter for FakeForge {
    async fn report(&self, report: &RevisionReport) -> Result<()> {
        let after = self.faults.enter("report").await?;
        self.lock().reports.push(report.clone());
        after.leave().await
    }
}
