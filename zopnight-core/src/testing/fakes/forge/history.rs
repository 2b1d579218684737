//! Branches and commits of one repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::described;
use crate::domain::{BranchName, CommitInfo, CommitSha, OwnerName, RepoInfo, RepoName, RepositoryId, hex};
use crate::testing::fakes::FakeForge;
use crate::testing::tree::MemoryTree;

#[derive(Debug)]
pub(super) struct Repo {
    pub(super) owner: OwnerName,
    pub(super) name: RepoName,
    /// Names it had, which lead here as long as nobody takes them.
    pub(super) former: Vec<(OwnerName, RepoName)>,
    default_branch: Option<BranchName>,
    private: bool,
    archived: bool,
    pub(super) branches: BTreeMap<BranchName, (CommitSha, bool)>,
    pub(super) commits: BTreeMap<CommitSha, Commit>,
    pub(super) odd: u32,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) info: CommitInfo,
    pub(super) message: String,
    pub(super) parent: Option<CommitSha>,
    pub(super) changed: Vec<String>,
    pub(super) tree: Arc<MemoryTree>,
}

impl Repo {
    pub(super) fn new(owner: OwnerName, name: RepoName) -> Self {
        Self {
            owner,
            name,
            former: Vec::new(),
            default_branch: BranchName::parse("main").ok(),
            private: true,
            archived: false,
            branches: BTreeMap::new(),
            commits: BTreeMap::new(),
            odd: 0,
        }
    }

    pub(super) fn info(&self, id: RepositoryId) -> RepoInfo {
        RepoInfo {
            forge: FakeForge::id(),
            id,
            owner: self.owner.clone(),
            name: self.name.clone(),
            default_branch: self.default_branch.clone().filter(|_| !self.commits.is_empty()),
            private: self.private,
            archived: self.archived,
        }
    }

    pub(super) fn edit(&mut self, id: RepositoryId, change: impl FnOnce(&mut RepoInfo)) {
        let mut info = RepoInfo { default_branch: self.default_branch.clone(), ..self.info(id) };
        change(&mut info);
        self.default_branch = info.default_branch;
        self.private = info.private;
        self.archived = info.archived;
    }

    pub(super) fn rename(&mut self, owner: OwnerName, name: RepoName) {
        let owner = std::mem::replace(&mut self.owner, owner);
        let name = std::mem::replace(&mut self.name, name);
        self.former.push((owner, name));
    }

    pub(super) fn commit(
        &mut self,
        branch: &BranchName,
        tree: impl FnOnce(MemoryTree) -> MemoryTree,
        changed: Vec<String>,
        message: &str,
        author: &str,
    ) -> CommitSha {
        let parent = self.branches.get(branch).map(|(sha, _)| sha.clone());
        let below = parent.as_ref().and_then(|sha| self.commits.get(sha));
        let tree = tree(below.map(|c| (*c.tree).clone()).unwrap_or_default());
        let sha = sha_of(parent.as_ref(), &tree, message, author);
        let info = described(sha.clone(), message, author);
        let commit = Commit { info, message: message.to_owned(), parent, changed, tree: Arc::new(tree) };
        self.commits.insert(sha.clone(), commit);
        self.point(branch, sha.clone());
        sha
    }

    pub(super) fn commit_of(&self, sha: &CommitSha) -> &Commit {
        self.commits.get(sha).unwrap_or_else(|| panic!("{}/{} holds no commit {sha}", self.owner, self.name))
    }

    pub(super) fn set_branch(&mut self, branch: &BranchName, to: &CommitSha) {
        let to = self.commit_of(to).info.sha.clone();
        self.point(branch, to);
    }

    fn point(&mut self, branch: &BranchName, to: CommitSha) {
        let protected = self.branches.get(branch).is_some_and(|(_, protected)| *protected);
        self.branches.insert(branch.clone(), (to, protected));
    }

    /// The paths changed on the way from `before` to `after`; `None` if `before` is not an ancestor.
    pub(super) fn changed_between(&self, before: &CommitSha, after: &CommitSha) -> Option<BTreeSet<&str>> {
        let mut changed = BTreeSet::new();
        let mut at = after;
        while at != before {
            let commit = self.commits.get(at)?;
            changed.extend(commit.changed.iter().map(String::as_str));
            at = commit.parent.as_ref()?;
        }
        Some(changed)
    }

    pub(super) fn delete_branch(&mut self, branch: &BranchName) {
        self.branches.remove(branch);
    }

    pub(super) fn protect(&mut self, branch: &BranchName, protected: bool) {
        if let Some((_, flag)) = self.branches.get_mut(branch) {
            *flag = protected;
        }
    }

    pub(super) fn default_branch(&self) -> Option<&BranchName> {
        self.default_branch.as_ref()
    }
}

fn sha_of(parent: Option<&CommitSha>, tree: &MemoryTree, message: &str, author: &str) -> CommitSha {
    let mut text = format!("{parent:?}\0{message}\0{author}\0");
    for node in tree.nodes() {
        text.push_str(&format!("{node:?}\0"));
    }
    let digest = hex::encode(&hex::sha256(text.as_bytes()));
    CommitSha::parse(digest.get(..40).unwrap_or_default()).expect("forty hex digits are a commit's id")
}
