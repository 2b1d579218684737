//! What every [`RepoSource`] keeps, whatever forge it asks.
//!
//! An adapter implements [`RepoSourceHarness`] over a forge it can fill, and stamps the cases with `repo_source_suite!`.
//! Each case gets a harness of its own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{BranchName, CommitSha, IntegrationId, RepoPath, RepoRef};
use crate::error::{ErrorKind, Result};
use crate::ports::repo_source::head;
use crate::ports::{
    At, BranchesRequest, FileContent, Head, HeadsRequest, Listing, ReadRequest, RepoSource, RepositoriesRequest, Snapshot,
    SnapshotRequest,
};

/// A source over an empty forge that the suite can fill.
#[async_trait]
pub trait RepoSourceHarness: Send + Sync {
    /// The source under test; the same on every call.
    fn source(&self) -> Arc<dyn RepoSource>;

    /// The integration through which the suite looks. It exists and sees nothing yet.
    fn integration(&self) -> IntegrationId;

    /// Makes an empty repository with default branch `main`, seen by the integration. The owner is the harness's choice;
    /// the answer holds the numeric id.
    async fn create(&self, name: &str) -> RepoRef;

    /// Deletes a repository.
    async fn delete(&self, repo: &RepoRef);

    /// Renames a repository, keeping its id. `None` where the forge has no renames.
    async fn rename(&self, repo: &RepoRef, name: &str) -> Option<RepoRef>;

    /// Commits text files on top of a branch, which is made if it is not there.
    async fn commit(&self, repo: &RepoRef, branch: &str, files: &[(&str, &str)], message: &str) -> CommitSha;

    /// Deletes a branch.
    async fn delete_branch(&self, repo: &RepoRef, branch: &str);
}

fn branch(text: &str) -> BranchName {
    BranchName::parse(text).expect("the suite's branches are well formed")
}

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).expect("the suite's paths are well formed")
}

fn request(repo: &RepoRef, at: At) -> SnapshotRequest {
    SnapshotRequest { repo: repo.clone(), at, root: RepoPath::root(), want: Vec::new() }
}

async fn snapshot(harness: &impl RepoSourceHarness, repo: &RepoRef, at: At) -> Snapshot {
    harness.source().snapshot(&request(repo, at)).await.expect("a snapshot is answered")
}

async fn read(snapshot: &Snapshot, file: &str) -> FileContent {
    let request = ReadRequest { paths: vec![path(file)], max_bytes: 1_000 };
    snapshot.tree.read_many(&request).await.expect("the tree answers").remove(0)
}

async fn heads(harness: &impl RepoSourceHarness, heads: Vec<(RepoRef, BranchName)>) -> Result<Vec<Head>> {
    harness.source().heads(&HeadsRequest { integration: harness.integration(), heads }).await
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T>, kind: ErrorKind, code: &str) {
    let error = answer.expect_err("the call is refused");
    assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error:?}");
}

/// An integration without repositories has one empty page.
pub async fn an_empty_integration_has_no_repositories(harness: &impl RepoSourceHarness) {
    let request = RepositoriesRequest { integration: harness.integration(), page: 1 };
    let page = harness.source().repositories(&request).await.expect("a page is answered");
    assert!(page.repositories.is_empty() && page.next.is_none(), "{page:?}");
}

/// 101 repositories come on two pages, each once, with their ids.
pub async fn repositories_come_in_pages(harness: &impl RepoSourceHarness) {
    let mut made = Vec::new();
    for n in 0..101 {
        made.push(harness.create(&format!("repo-{n:03}")).await.id);
    }
    let mut seen = Vec::new();
    let mut next = Some(1);
    let mut pages = 0;
    while let Some(page) = next {
        let request = RepositoriesRequest { integration: harness.integration(), page };
        let answer = harness.source().repositories(&request).await.expect("a page is answered");
        assert!(answer.repositories.len() <= 100);
        seen.extend(answer.repositories.iter().map(|r| Some(r.id)));
        next = answer.next;
        pages += 1;
    }
    made.sort();
    seen.sort();
    assert_eq!((pages, seen), (2, made));
}

/// An integration that the forge does not know is not found.
pub async fn an_unknown_integration_is_not_found(harness: &impl RepoSourceHarness) {
    let integration = IntegrationId::parse("suite-unknown").expect("a well-formed id");
    let request = RepositoriesRequest { integration: integration.clone(), page: 1 };
    refused(harness.source().repositories(&request).await, ErrorKind::NotFound, "integration_not_found");
    let repo = RepoRef { integration, ..harness.create("shop").await };
    refused(head(&*harness.source(), &repo, &branch("main")).await, ErrorKind::NotFound, "integration_not_found");
}

/// 101 branches come on two pages, the first with the repository.
pub async fn branches_come_in_pages(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    let mut made = vec!["main".to_owned()];
    let sha = harness.commit(&repo, "main", &[("a", "1")], "first").await;
    for n in 0..100 {
        made.push(format!("topic/{n:03}"));
        harness.commit(&repo, made.last().expect("one was pushed"), &[("b", "2")], "topic").await;
    }
    let page = |page| BranchesRequest { repo: repo.clone(), page };
    let first = harness.source().branches(&page(1)).await.expect("page 1 is answered");
    let info = first.repository.as_ref().expect("page 1 tells the repository");
    assert_eq!((Some(info.id), info.default_branch.as_ref()), (repo.id, Some(&branch("main"))));
    assert_eq!((first.branches.len(), first.next), (100, Some(2)));
    let second = harness.source().branches(&page(2)).await.expect("page 2 is answered");
    assert!(second.repository.is_none() && second.next.is_none());
    let all: Vec<_> = first.branches.into_iter().chain(second.branches).collect();
    assert!(all.iter().any(|b| b.name == branch("main") && b.commit == sha));
    let mut seen: Vec<_> = all.iter().map(|b| b.name.to_string()).collect();
    seen.sort();
    assert_eq!(seen, made);
}

/// The repository of an empty one is told, without branches and default branch.
pub async fn an_empty_repository_has_no_branches(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    let answer = harness.source().branches(&BranchesRequest { repo: repo.clone(), page: 1 }).await.expect("a page");
    assert!(answer.branches.is_empty() && answer.next.is_none());
    assert_eq!(answer.repository.map(|r| (Some(r.id), r.default_branch)), Some((repo.id, None)));
}

/// The head moves with the branch and tells the commit's first line and the repository's name.
pub async fn a_head_is_the_newest_commit(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    let first = harness.commit(&repo, "main", &[("a", "1")], "first").await;
    assert_eq!(head(&*harness.source(), &repo, &branch("main")).await.expect("a head").sha, first);
    let second = harness.commit(&repo, "main", &[("a", "2")], "second\n\nwith more").await;
    let answers = heads(harness, vec![(repo.clone(), branch("main"))]).await.expect("heads are answered");
    let [Head::At { commit, owner, name }] = answers.as_slice() else { panic!("one head, not {answers:?}") };
    assert_eq!(commit.sha, second);
    assert_ne!(first, second);
    assert!(commit.title.as_deref().is_none_or(|t| t == "second"), "{commit:?}");
    assert_eq!((owner, name), (&repo.owner, &repo.name));
}

/// Heads come in request order; absent things are answers.
pub async fn heads_come_in_request_order(harness: &impl RepoSourceHarness) {
    let (one, two, empty) = (harness.create("one").await, harness.create("two").await, harness.create("empty").await);
    let gone = harness.create("gone").await;
    harness.delete(&gone).await;
    let sha_one = harness.commit(&one, "main", &[("a", "1")], "one").await;
    let sha_two = harness.commit(&two, "feature/x#1", &[("a", "2")], "two").await;
    let asked = vec![
        (two.clone(), branch("feature/x#1")),
        (gone, branch("main")),
        (one.clone(), branch("main")),
        (one, branch("feature/x#1")),
        (empty, branch("main")),
        (two.clone(), branch("feature/x")),
        (two, branch("feature/x#1")),
    ];
    let answers = heads(harness, asked).await.expect("heads are answered");
    let at = |head: &Head, sha: &CommitSha| matches!(head, Head::At { commit, .. } if commit.sha == *sha);
    assert_eq!(answers.len(), 7);
    assert!(at(&answers[0], &sha_two) && at(&answers[2], &sha_one) && at(&answers[6], &sha_two), "{answers:?}");
    assert!(matches!(answers[1], Head::RepositoryAbsent), "{answers:?}");
    assert!(matches!(answers[3], Head::BranchAbsent) && matches!(answers[5], Head::BranchAbsent), "{answers:?}");
    assert!(matches!(answers[4], Head::Empty), "{answers:?}");
}

/// 1 to 100 heads may be asked for.
pub async fn heads_are_bounded(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    harness.commit(&repo, "main", &[("a", "1")], "first").await;
    for (count, fits) in [(0, false), (1, true), (100, true), (101, false)] {
        let answer = heads(harness, vec![(repo.clone(), branch("main")); count]).await;
        match answer {
            Ok(heads) => assert!(fits && heads.len() == count, "{count}"),
            Err(error) => assert!(!fits && error.kind() == ErrorKind::Invalid, "{count}: {error:?}"),
        }
    }
}

/// A deleted branch is absent, for heads and snapshots.
pub async fn a_deleted_branch_is_absent(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    harness.commit(&repo, "main", &[("a", "1")], "first").await;
    let sha = harness.commit(&repo, "topic", &[("a", "2")], "topic").await;
    harness.delete_branch(&repo, "topic").await;
    refused(head(&*harness.source(), &repo, &branch("topic")).await, ErrorKind::NotFound, "branch_not_found");
    let at = At::Branch(branch("topic"));
    refused(harness.source().snapshot(&request(&repo, at)).await, ErrorKind::NotFound, "branch_not_found");
    assert_ne!(head(&*harness.source(), &repo, &branch("main")).await.expect("main is there").sha, sha);
}

/// Branch, default branch and commit lead to the same snapshot.
pub async fn a_snapshot_is_found_three_ways(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    let sha = harness.commit(&repo, "main", &[("app/main.go", "package main")], "first").await;
    for at in [At::Branch(branch("main")), At::DefaultBranch, At::Commit(sha.clone())] {
        let snapshot = snapshot(harness, &repo, at).await;
        assert_eq!((&snapshot.commit.sha, Some(snapshot.repository.id)), (&sha, repo.id));
        assert_eq!(read(&snapshot, "app/main.go").await, FileContent::Text("package main".into()));
    }
}

/// A snapshot stays at its commit while the branch moves on; the older commit can be asked for.
pub async fn a_snapshot_is_pinned(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    let first = harness.commit(&repo, "main", &[("a", "1")], "first").await;
    let pinned = snapshot(harness, &repo, At::Branch(branch("main"))).await;
    let second = harness.commit(&repo, "main", &[("a", "2")], "second").await;
    assert_eq!(read(&pinned, "a").await, FileContent::Text("1".into()));
    let older = snapshot(harness, &repo, At::Commit(first)).await;
    assert_eq!(read(&older, "a").await, FileContent::Text("1".into()));
    let newer = snapshot(harness, &repo, At::Branch(branch("main"))).await;
    assert_eq!(newer.commit.sha, second);
    assert_eq!(read(&newer, "a").await, FileContent::Text("2".into()));
}

/// A root that is not there is an answer of the tree, not an error of the snapshot.
pub async fn an_absent_root_is_an_absent_listing(harness: &impl RepoSourceHarness) {
    let repo = harness.create("shop").await;
    harness.commit(&repo, "main", &[("a", "1")], "first").await;
    let mut asked = request(&repo, At::DefaultBranch);
    asked.root = path("nowhere");
    asked.want = vec![path("nowhere/go.mod"), path("a")];
    let snapshot = harness.source().snapshot(&asked).await.expect("a snapshot is answered");
    let listings = snapshot.tree.entries(&[path("nowhere"), RepoPath::root()]).await.expect("the tree answers");
    assert_eq!(listings.len(), 2);
    assert_eq!(listings[0], Listing::Absent);
    let Listing::Entries { entries, .. } = &listings[1] else { panic!("the root has entries") };
    assert!(entries.iter().any(|e| &*e.name == "a"));
}

/// What is not there has a code of its own.
pub async fn absent_things_have_their_codes(harness: &impl RepoSourceHarness) {
    let source = harness.source();
    let empty = harness.create("empty").await;
    for at in [At::DefaultBranch, At::Branch(branch("main"))] {
        refused(source.snapshot(&request(&empty, at)).await, ErrorKind::Conflict, "empty_repository");
    }
    let repo = harness.create("shop").await;
    harness.commit(&repo, "main", &[("a", "1")], "first").await;
    let absent = CommitSha::parse(&"5".repeat(40)).expect("a well-formed sha");
    refused(source.snapshot(&request(&repo, At::Commit(absent))).await, ErrorKind::NotFound, "commit_not_found");
    harness.delete(&repo).await;
    refused(source.snapshot(&request(&repo, At::DefaultBranch)).await, ErrorKind::NotFound, "repository_not_found");
    let page = BranchesRequest { repo, page: 1 };
    refused(source.branches(&page).await, ErrorKind::NotFound, "repository_not_found");
}

/// Another repository behind a known name is not taken for the one that was there.
pub async fn a_replaced_repository_is_refused(harness: &impl RepoSourceHarness) {
    let old = harness.create("shop").await;
    harness.commit(&old, "main", &[("a", "1")], "old").await;
    harness.delete(&old).await;
    let new = harness.create("shop").await;
    harness.commit(&new, "main", &[("a", "2")], "new").await;
    assert_ne!(old.id, new.id);
    let answer = harness.source().snapshot(&request(&old, At::DefaultBranch)).await;
    refused(answer, ErrorKind::NotFound, "repository_replaced");
    let page = BranchesRequest { repo: old.clone(), page: 1 };
    refused(harness.source().branches(&page).await, ErrorKind::NotFound, "repository_replaced");
    let answers = heads(harness, vec![(old, branch("main")), (new, branch("main"))]).await.expect("heads are answered");
    assert!(matches!(&answers[0], Head::Failed(e) if e.code() == Some("repository_replaced")), "{answers:?}");
    assert!(matches!(&answers[1], Head::At { .. }), "{answers:?}");
}

/// A renamed repository is the same by its id, and answers tell its new name.
pub async fn a_rename_keeps_the_id(harness: &impl RepoSourceHarness) {
    let old = harness.create("shop").await;
    let sha = harness.commit(&old, "main", &[("a", "1")], "first").await;
    let Some(new) = harness.rename(&old, "store").await else { return };
    assert_eq!(old.id, new.id);
    let found = snapshot(harness, &new, At::DefaultBranch).await;
    assert_eq!((found.repository.name, found.commit.sha), (new.name.clone(), sha));
    let answers = heads(harness, vec![(new.clone(), branch("main"))]).await.expect("heads are answered");
    assert!(matches!(&answers[0], Head::At { name, .. } if *name == new.name), "{answers:?}");
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of a [`RepoSourceHarness`].
#[macro_export]
macro_rules! repo_source_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            repo_source,
            [
                an_empty_integration_has_no_repositories,
                repositories_come_in_pages,
                an_unknown_integration_is_not_found,
                branches_come_in_pages,
                an_empty_repository_has_no_branches,
                a_head_is_the_newest_commit,
                heads_come_in_request_order,
                heads_are_bounded,
                a_deleted_branch_is_absent,
                a_snapshot_is_found_three_ways,
                a_snapshot_is_pinned,
                an_absent_root_is_an_absent_listing,
                absent_things_have_their_codes,
                a_replaced_repository_is_refused,
                a_rename_keeps_the_id,
            ]
        );
    };
}
