//! Pages, what is unfinished, who follows a branch, what the sweep looks at.

use std::time::Duration;

use crate::domain::{
    BranchKey, BranchName, DeploymentOp, DeploymentQuery, DeploymentRef, DeploymentSort, EventQuery, ForgeId, IntegrationId,
    Lane, NewDeployment, OrgId, Outcome, OwnerName, Page, PageRequest, RepoName, RepositoryId, RevisionChange,
    RevisionQuery, RevisionSort, RevisionState, SweepPage, SweepQuery,
};
use crate::error::ErrorKind;
use crate::testing::suites::fixtures::{
    attempt_id, build_job, commit, deployment_id, new_deployment, open, org, revision_id, source, with_revision,
};
use crate::testing::suites::store::{App, Kit, StoreHarness};

const HOUR: Duration = Duration::from_secs(3_600);

const fn page(page: u32, limit: u32) -> PageRequest {
    PageRequest { page, limit }
}

fn create(org: &OrgId, new: NewDeployment) -> (DeploymentRef, RevisionChange) {
    let id = deployment_id();
    let change = RevisionChange::new(org.clone(), id).with_deployment(DeploymentOp::Create(Box::new(new)));
    (DeploymentRef { org: org.clone(), id }, with_revision(change, revision_id(), 1))
}

async fn names(kit: &Kit<'_>, query: DeploymentQuery) -> (Vec<String>, Option<u64>) {
    let Page { items, total } = kit.store.deployments(&org("a"), &query).await.expect("they are listed");
    (items.into_iter().map(|view| view.deployment.name.to_string()).collect(), total)
}

/// Pages are disjoint and complete, and the total counts all of them.
pub async fn page_totals_exact(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    kit.app(&org("b"), "other").await;
    for n in 2..8 {
        kit.push(&app, n).await;
    }
    let mut numbers = Vec::new();
    for at in 1..=3 {
        let query = RevisionQuery { page: page(at, 3), ..RevisionQuery::default() };
        let page = kit.store.revisions(&app.org, app.id, &query).await.expect("they are listed");
        assert_eq!(page.total, Some(7));
        numbers.extend(page.items.iter().map(|v| v.revision.number.get()));
    }
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1]);
    let query = EventQuery { page: page(2, 5), ..EventQuery::default() };
    let events = kit.store.events(&app.org, app.id, &query).await.expect("they are listed");
    assert_eq!((events.items.iter().map(|e| e.seq).collect::<Vec<_>>(), events.total), (vec![3, 2, 1], Some(8)));
    assert_eq!(names(&kit, DeploymentQuery::default()).await, (vec!["shop".to_owned()], Some(1)));
}

/// A page past the end is empty and still counts; a page outside its bounds is refused.
pub async fn page_past_end_empty(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let query = RevisionQuery { page: page(10_000, 100), ..RevisionQuery::default() };
    let past = kit.store.revisions(&app.org, app.id, &query).await.expect("they are listed");
    assert_eq!((past.items.len(), past.total), (0, Some(1)));
    let query = DeploymentQuery { page: page(2, 1), ..DeploymentQuery::default() };
    assert_eq!(names(&kit, query).await, (Vec::new(), Some(1)));
    for bad in [page(0, 1), page(10_001, 1), page(1, 0), page(1, 101)] {
        let revisions = RevisionQuery { page: bad, ..RevisionQuery::default() };
        let deployments = DeploymentQuery { page: bad, ..DeploymentQuery::default() };
        let events = EventQuery { page: bad, ..EventQuery::default() };
        let errors = [
            kit.store.revisions(&app.org, app.id, &revisions).await.map(drop),
            kit.store.deployments(&app.org, &deployments).await.map(drop),
            kit.store.events(&app.org, app.id, &events).await.map(drop),
        ];
        assert!(errors.into_iter().all(|e| e.is_err_and(|e| e.kind() == ErrorKind::Invalid)), "{bad:?}");
    }
}

/// Each order of a list, and each filter of deployments.
pub async fn sort_each_key(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for (n, name) in ["web-b", "api-c", "web-a"].into_iter().enumerate() {
        let mut new = new_deployment(name);
        if n == 0 {
            new.source.integration = IntegrationId::parse("int-2").expect("an integration");
            new.source.owner = OwnerName::parse("Other").expect("an owner");
        }
        kit.commit(create(&org("a"), new).1).await;
        h.advance(Duration::from_secs(1));
    }
    let sorted = async |sort| names(&kit, DeploymentQuery { sort, ..DeploymentQuery::default() }).await.0;
    assert_eq!(sorted(DeploymentSort::CreatedDescending).await, ["web-a", "api-c", "web-b"]);
    assert_eq!(sorted(DeploymentSort::CreatedAscending).await, ["web-b", "api-c", "web-a"]);
    assert_eq!(sorted(DeploymentSort::NameAscending).await, ["api-c", "web-a", "web-b"]);
    assert_eq!(sorted(DeploymentSort::NameDescending).await, ["web-b", "web-a", "api-c"]);
    let named = |part: &str| DeploymentQuery { name_contains: Some(part.to_owned()), ..DeploymentQuery::default() };
    assert_eq!(names(&kit, named("eb-")).await, (vec!["web-a".to_owned(), "web-b".to_owned()], Some(2)));
    for wild in ["%", "_", "e%b"] {
        assert_eq!(names(&kit, named(wild)).await, (Vec::new(), Some(0)), "{wild} is text");
    }
    let integration = IntegrationId::parse("int-2").ok();
    let of = DeploymentQuery { integration, ..DeploymentQuery::default() };
    assert_eq!(names(&kit, of).await.0, ["web-b"]);
    let repo = OwnerName::parse("OTHER").ok().zip(RepoName::parse("Shop").ok());
    let of = DeploymentQuery { repo, ..DeploymentQuery::default() };
    assert_eq!(names(&kit, of).await.0, ["web-b"], "forges compare names without case");
}

/// Revisions of one state, in both orders.
pub async fn filter_state(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let second = kit.push(&app, 2).await;
    kit.push(&app, 3).await;
    kit.go(&app, second, &[RevisionState::Failed]).await;
    let list = async |state, sort| {
        let query = RevisionQuery { state, sort, ..RevisionQuery::default() };
        let page = kit.store.revisions(&app.org, app.id, &query).await.expect("they are listed");
        assert_eq!(page.total, Some(page.items.len() as u64));
        page.items.iter().map(|v| v.revision.number.get()).collect::<Vec<_>>()
    };
    assert_eq!(list(Some(RevisionState::Queued), RevisionSort::NumberAscending).await, [1, 3]);
    assert_eq!(list(Some(RevisionState::Queued), RevisionSort::NumberDescending).await, [3, 1]);
    assert_eq!(list(Some(RevisionState::Failed), RevisionSort::NumberAscending).await, [2]);
    assert!(list(Some(RevisionState::Built), RevisionSort::NumberAscending).await.is_empty());
}

/// Unfinished revisions by number, at most 50, with their open attempts.
pub async fn unfinished_sorted_capped(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let mut ids = vec![app.first];
    for n in 2..51 {
        ids.push(kit.push(&app, n).await);
    }
    let jti = attempt_id();
    kit.commit(app.change().with_attempt(open(jti, ids[7], 1))).await;
    let unfinished = kit.store.unfinished(&app.org, app.id).await.expect("they are listed");
    assert_eq!(unfinished.iter().map(|v| v.revision.id).collect::<Vec<_>>(), ids);
    let attempts: Vec<_> = unfinished.iter().filter_map(|v| v.attempt.as_ref()).map(|a| a.jti).collect();
    assert_eq!(attempts, [jti]);
    kit.go(&app, ids[3], &[RevisionState::Cancelled]).await;
    kit.go(&app, ids[0], &[RevisionState::Failed]).await;
    let unfinished = kit.store.unfinished(&app.org, app.id).await.expect("they are listed");
    assert_eq!(unfinished.len(), 48);
    assert_eq!(unfinished.first().map(|v| v.revision.number.get()), Some(2));
    let error = kit.store.unfinished(&app.org, deployment_id()).await.expect_err("no such deployment");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// A deployment comes with its newest and its serving revision, alone and in a list.
pub async fn status_inputs_present(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let way = [RevisionState::Building, RevisionState::Built, RevisionState::Deploying, RevisionState::Succeeded];
    kit.go(&app, app.first, &way).await;
    let second = kit.push(&app, 2).await;
    kit.go(&app, second, &[RevisionState::Failed]).await;
    let one = kit.store.deployment(&app.org, app.id).await.expect("it is there");
    let page = kit.store.deployments(&app.org, &DeploymentQuery::default()).await.expect("they are listed");
    assert_eq!(page.items.as_slice(), std::slice::from_ref(&one));
    assert_eq!((one.newest.id, one.newest.state), (second, RevisionState::Failed));
    assert_eq!(one.current.map(|r| (r.id, r.state)), Some((app.first, RevisionState::Succeeded)));
}

fn key() -> BranchKey {
    let source = source();
    BranchKey { forge: source.forge, repository: source.repository, branch: source.branch }
}

/// A branch is matched by forge, repository number and name, each exactly; who does not follow is left out.
pub async fn following_matches_forge_repo_branch_exactly(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let mut near: Vec<NewDeployment> = (0..7).map(|n| new_deployment(&format!("app-{n}"))).collect();
    near[1].source.branch = BranchName::parse("Main").expect("a branch");
    near[2].source.branch = BranchName::parse("main2").expect("a branch");
    near[3].source.forge = ForgeId::parse("forge.test").expect("a forge");
    near[4].source.repository = RepositoryId::new(8).expect("a repository");
    near[5].source.auto_deploy = false;
    near[6].source.owner = OwnerName::parse("renamed").expect("an owner");
    let mut refs = Vec::new();
    for new in near {
        let (at, change) = create(&org("b"), new);
        kit.commit(change).await;
        refs.push(at);
    }
    let (first, change) = create(&org("a"), new_deployment("app"));
    kit.commit(change).await;
    let following = kit.store.following(&key(), None).await.expect("they are listed");
    assert_eq!(following, [first.clone(), refs[0].clone(), refs[6].clone()], "of all orgs, by org and id");
    let rest = kit.store.following(&key(), Some(first)).await.expect("they are listed");
    assert_eq!(rest, [refs[0].clone(), refs[6].clone()]);
}

/// 501 followers are two pages.
pub async fn following_pages_501(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for n in 0..501 {
        kit.app(&org(if n % 2 == 0 { "a" } else { "b" }), &format!("app-{n}")).await;
    }
    let first = kit.store.following(&key(), None).await.expect("they are listed");
    assert_eq!(first.len(), 500);
    assert!(first.is_sorted());
    let second = kit.store.following(&key(), first.last().cloned()).await.expect("they are listed");
    assert_eq!(second.len(), 1);
    assert!(second.first() > first.last());
    let none = kit.store.following(&key(), second.first().cloned()).await.expect("they are listed");
    assert!(none.is_empty());
}

/// The sweep's page of branches tells what it needs to judge a head.
pub async fn sweep_page_tracked(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (one, two) = (kit.app(&org("a"), "one").await, kit.app(&org("b"), "two").await);
    let mut quiet = new_deployment("quiet");
    quiet.source.auto_deploy = false;
    kit.commit(create(&org("a"), quiet).1).await;
    kit.push(&one, 2).await;
    let tracked = async |after| {
        let query = SweepQuery::Tracked { after };
        match kit.store.sweep_page(&query).await.expect("the page is given") {
            SweepPage::Tracked(branches) => branches,
            other => panic!("{other:?}"),
        }
    };
    let at = |app: &App| DeploymentRef { org: app.org.clone(), id: app.id };
    let all = tracked(None).await;
    assert_eq!(all.iter().map(|b| b.deployment.clone()).collect::<Vec<_>>(), [at(&one), at(&two)]);
    let first = &all[0];
    assert_eq!((&first.repo, &first.forge, &first.branch), (&source().repo(), &source().forge, &source().branch));
    assert_eq!((first.source_head.clone(), first.newest_number), (Some(commit(2)), 2));
    assert_eq!((first.skipped_head.clone(), first.mark), (None, None));
    assert!(first.last_accepted_at.is_some());
    assert_eq!(tracked(Some(at(&one))).await.len(), 1);
    assert!(tracked(Some(at(&two))).await.is_empty());
}

/// A revision that no live job will move is stalled once it was idle long enough, with or without an open attempt.
pub async fn sweep_page_stalled(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let mut apps = Vec::new();
    for (org_id, name) in [("a", "bare"), ("a", "building"), ("b", "alive"), ("b", "ended")] {
        apps.push(kit.app(&org(org_id), name).await);
    }
    for _ in 0..4 {
        kit.run_one(Lane::Build, Outcome::Done).await;
    }
    let building = kit.moving(&apps[1], apps[1].first, RevisionState::Building).await;
    kit.commit(building.with_attempt(open(attempt_id(), apps[1].first, 1))).await;
    kit.enqueue(build_job(&apps[2].org, apps[2].id, apps[2].first).after(24 * HOUR)).await;
    kit.go(&apps[3], apps[3].first, &[RevisionState::Failed]).await;
    let stalled = async |after| {
        let query = SweepQuery::Stalled { idle: HOUR, after };
        match kit.store.sweep_page(&query).await.expect("the page is given") {
            SweepPage::Stalled(rows) => rows,
            other => panic!("{other:?}"),
        }
    };
    assert!(stalled(None).await.is_empty(), "not idle yet");
    h.advance(2 * HOUR);
    let at = |app: &App| DeploymentRef { org: app.org.clone(), id: app.id };
    let rows = stalled(None).await;
    let expected =
        [(at(&apps[0]), apps[0].first, RevisionState::Queued), (at(&apps[1]), apps[1].first, RevisionState::Building)];
    assert_eq!(rows, expected);
    assert_eq!(stalled(Some((at(&apps[0]), apps[0].first))).await, expected[1..]);
    kit.enqueue(build_job(&apps[0].org, apps[0].id, apps[0].first)).await;
    assert_eq!(stalled(None).await, expected[1..]);
}
