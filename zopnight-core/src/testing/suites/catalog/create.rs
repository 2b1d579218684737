//! Creation, removal, configuration; requests that come twice.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Applied, BranchMark, BranchName, ConfigPatch, DeploymentId, DeploymentOp, EventKind, Expect, Idempotency,
    IdempotencyRef, JobState, Lane, NewEvent, OrgId, OwnerName, QuotaKind, RepoName, RevisionChange, RevisionState,
    SourcePatch, Stale, hex,
};
use crate::error::ErrorKind;
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{self, commit, create, deployment_id, org, revision_id, told, with_revision};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{App, Kit, committed};

const DAY: Duration = Duration::from_secs(86_400);

fn idempotency(key: u8, digest: u8) -> Idempotency {
    let key = IdempotencyRef { scope_hash: [9; 32], key_hash: [key; 32] };
    Idempotency { key, request_digest: [digest; 32], status: 201 }
}

fn request(org: &OrgId, app: &str, key: u8, digest: u8) -> RevisionChange {
    create(org, deployment_id(), app).with_idempotency(Some(idempotency(key, digest)))
}

/// Deployment, revision 1, events and job of one commit.
pub async fn create_writes_all(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (org, id) = (org("a"), deployment_id());
    let change = create(&org, id, "shop");
    let job = change.jobs.first().map(|job| job.id).expect("a build job");
    let before = h.now();
    let done = kit.commit(change).await;
    assert_eq!((done.numbers.len(), done.numbers[0].1.get(), done.events), (1, 1, Some((1, 2))));
    assert!(done.enqueued.len() == 1 && done.enqueued[0].id == job && !done.enqueued[0].folded);
    let view = h.other().deployment(&org, id).await.expect("the deployment is there");
    let (d, new) = (&view.deployment, fixtures::new_deployment("shop"));
    assert_eq!((&d.name, &d.source, &d.build), (&new.name, &new.source, &new.build));
    assert_eq!((&d.runtime, &d.target), (&new.runtime, &new.target));
    assert_eq!((d.version, d.config_version, d.newest_number), (done.version, 1, 1));
    assert_eq!((d.current_revision, d.current_number, d.deleting_at), (None, 0, None));
    assert_eq!(d.source_head, Some(commit(1)));
    assert!((before..=h.now()).contains(&d.created_at) && d.last_accepted_at == Some(d.created_at));
    let r = &view.newest;
    assert_eq!((r.id, r.number.get(), r.state), (done.numbers[0].0, 1, RevisionState::Queued));
    assert_eq!((r.commit.sha.clone(), r.finished_at, view.current.is_none()), (commit(1), None, true));
    let events = kit.events(&App { org, id, first: r.id }).await;
    let kinds: Vec<_> = events.iter().map(|e| (e.seq, e.kind, e.revision)).collect();
    assert_eq!(kinds, [(1, EventKind::DeploymentCreated, None), (2, EventKind::RevisionQueued, Some(r.id))]);
    assert_eq!(kit.claim_one(Lane::Build).await.id, job);
}

/// A live name is taken in its org, and free in another.
pub async fn create_name_taken(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.app(&org("a"), "shop").await;
    let before = h.peek().await;
    let applied = kit.apply(create(&org("a"), deployment_id(), "shop")).await;
    assert!(matches!(applied, Applied::NameTaken), "{applied:?}");
    assert_eq!(h.peek().await, before);
    kit.app(&org("b"), "shop").await;
}

/// The name of a deployment that is gone is free again.
pub async fn create_name_free_after_gone(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    kit.go(&app, app.first, &[RevisionState::Cancelled]).await;
    kit.commit(app.change().with_deployment(DeploymentOp::Deleting)).await;
    let applied = kit.apply(create(&app.org, deployment_id(), "shop")).await;
    assert!(matches!(applied, Applied::NameTaken), "{applied:?}");
    kit.commit(app.change().with_deployment(DeploymentOp::Gone)).await;
    kit.app(&app.org, "shop").await;
    let error = kit.store.deployment(&app.org, app.id).await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// An org has at most 1,000 deployments; another org is not concerned.
pub async fn create_quota(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for n in 0..1_000 {
        kit.app(&org("a"), &format!("app-{n}")).await;
    }
    let applied = kit.apply(create(&org("a"), deployment_id(), "one-more")).await;
    assert!(matches!(applied, Applied::Quota(QuotaKind::Deployments)), "{applied:?}");
    assert_eq!(h.peek().await.deployments.len(), 1_000);
    kit.app(&org("b"), "one-more").await;
}

/// Ten at once with one name: one wins, nothing of the others is left.
pub async fn create_10_concurrent_same_name(h: &dyn StoreHarness) {
    let racers: Vec<_> = (0..10)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            let change = create(&org("a"), deployment_id(), "shop");
            tokio::spawn(async move { store.apply(change).await.expect("a change is answered") })
        })
        .collect();
    let (mut won, mut taken) = (0, 0);
    for racer in racers {
        match racer.await.expect("a racer ends") {
            Applied::Committed(_) => won += 1,
            Applied::NameTaken => taken += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((won, taken), (1, 9));
    let peek = h.peek().await;
    assert_eq!((peek.deployments.len(), peek.revisions.len(), peek.events.len(), peek.jobs.len()), (1, 1, 2, 1));
}

/// The same request again is answered with what the first one did.
pub async fn idempotency_replay(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let first = kit.commit(request(&org("a"), "shop", 1, 1)).await;
    let before = h.peek().await;
    let applied = kit.apply(request(&org("a"), "shop", 1, 1)).await;
    let Applied::Replayed(record) = applied else { panic!("{applied:?}") };
    let (deployment, revision) = (before.deployments[0].id, first.numbers[0].0);
    assert_eq!((record.deployment, record.revision, record.status), (deployment, Some(revision), 201));
    assert_eq!(record.request_digest, [1; 32]);
    assert_eq!(h.peek().await, before);
    let key = idempotency(1, 1).key;
    assert_eq!(kit.store.idempotency(&org("a"), &key).await.expect("the record is read"), Some(record));
    assert_eq!(kit.store.idempotency(&org("b"), &key).await.expect("the record is read"), None);
    kit.commit(request(&org("b"), "shop", 1, 1)).await;
}

/// The same key with another request is refused.
pub async fn idempotency_key_reused(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.commit(request(&org("a"), "shop", 1, 1)).await;
    let before = h.peek().await;
    let applied = kit.apply(request(&org("a"), "other", 1, 2)).await;
    assert!(matches!(applied, Applied::KeyReused), "{applied:?}");
    assert_eq!(h.peek().await, before);
}

/// A request that was refused leaves its key free.
pub async fn idempotency_failed_request_stores_nothing(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.app(&org("a"), "shop").await;
    let applied = kit.apply(request(&org("a"), "shop", 1, 1)).await;
    assert!(matches!(applied, Applied::NameTaken), "{applied:?}");
    assert_eq!(h.peek().await.idempotency, 0);
    kit.commit(request(&org("a"), "other", 1, 2)).await;
    assert_eq!(h.peek().await.idempotency, 1);
}

/// After a day a key is new again.
pub async fn idempotency_expired_is_new(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.commit(request(&org("a"), "one", 1, 1)).await;
    h.advance(DAY + Duration::from_secs(1));
    kit.commit(request(&org("a"), "two", 1, 2)).await;
    let applied = kit.apply(request(&org("a"), "two", 1, 2)).await;
    assert!(matches!(applied, Applied::Replayed(_)), "{applied:?}");
    assert_eq!(h.peek().await.idempotency, 1);
}

/// A hundred at once: one effect, 99 replays of it.
pub async fn idempotency_100_concurrent(h: &dyn StoreHarness) {
    let racers: Vec<_> = (0..100)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            let change = request(&org("a"), "shop", 1, 1);
            tokio::spawn(async move { store.apply(change).await.expect("a change is answered") })
        })
        .collect();
    let (mut made, mut replayed) = (Vec::new(), Vec::new());
    for racer in racers {
        match racer.await.expect("a racer ends") {
            Applied::Committed(done) => made.push(done.numbers[0].0),
            Applied::Replayed(record) => replayed.extend(record.revision),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((made.len(), replayed.len()), (1, 99));
    assert!(replayed.iter().all(|id| *id == made[0]));
    let peek = h.peek().await;
    assert_eq!((peek.deployments.len(), peek.jobs.len(), peek.idempotency), (1, 1, 1));
}

/// Of two equal requests beside each other one is carried out and the other is answered with it, wherever the first stands.
pub async fn idempotency_first_wins_at_every_point(h: &dyn StoreHarness) {
    for at in 0.. {
        let change = || request(&org(&format!("org-{at}")), "shop", 1, 1);
        let carry_out = |change: RevisionChange| {
            move |store: Arc<dyn Store>| async move { store.apply(change).await.expect("a change is answered") }
        };
        let both = meanwhile(h, at, Act::Go, carry_out(change()), carry_out(change())).await;
        let Some(both) = both else { break };
        match (&both.first, &both.second) {
            (Applied::Committed(done), Applied::Replayed(record))
            | (Applied::Replayed(record), Applied::Committed(done)) => {
                assert_eq!(record.revision, Some(done.numbers[0].0), "{:?}", both.at);
            }
            other => panic!("{:?}: {other:?}", both.at),
        }
    }
}

/// Of a key and its request only hashes are stored.
pub async fn idempotency_keys_are_hashed(h: &dyn StoreHarness) {
    const KEY: &str = "canary-key-of-a-request";
    let kit = Kit::of(h);
    let (scope_hash, key_hash) = (hex::sha256(b"canary-scope"), hex::sha256(KEY.as_bytes()));
    let key = IdempotencyRef { scope_hash, key_hash };
    let wanted = Idempotency { key, request_digest: hex::sha256(b"canary-request"), status: 201 };
    kit.commit(create(&org("a"), deployment_id(), "shop").with_idempotency(Some(wanted.clone()))).await;
    let raw = h.raw().await;
    assert!(raw.contains("shop"), "the rows are looked at");
    for hash in [scope_hash, key_hash, wanted.request_digest] {
        assert!(raw.to_lowercase().contains(&hex::encode(&hash)), "the hash is stored as it is");
    }
    assert!(!raw.contains("canary"), "neither key nor request is stored");
}

/// Records past their time are purged.
pub async fn purge_idempotency_after_ttl(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.commit(request(&org("a"), "one", 1, 1)).await;
    h.advance(DAY / 2);
    kit.commit(request(&org("a"), "two", 2, 2)).await;
    assert_eq!(kit.later(DAY / 4).await.purged, 0);
    assert_eq!(kit.later(DAY / 2).await.purged, 1);
    assert_eq!(h.peek().await.idempotency, 1);
}

/// A configuration is changed only as it was read.
pub async fn config_version_conflict(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let patch = || Box::new(ConfigPatch { auto_deploy: Some(false), ..ConfigPatch::default() });
    let expect = Expect { config_version: Some(1), ..Expect::default() };
    let change = || app.change().with_expect(expect).with_deployment(DeploymentOp::Configure(patch()));
    kit.commit(change()).await;
    let d = kit.store.deployment(&app.org, app.id).await.expect("it is there").deployment;
    assert_eq!((d.config_version, d.source.auto_deploy), (2, false));
    let before = h.peek().await;
    let applied = kit.apply(change()).await;
    assert!(matches!(applied, Applied::Stale(Stale::ConfigVersion)), "{applied:?}");
    let applied = kit.apply(app.change().with_expect(Expect { version: Some(d.version + 1), ..Expect::default() })).await;
    assert!(matches!(applied, Applied::Stale(Stale::Version)), "{applied:?}");
    assert_eq!(h.peek().await, before);
}

/// What is known of the source is replaced part by part; a new branch forgets the marks of the old one.
pub async fn source_marks_follow_the_branch(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let read = async || kit.store.deployment(&app.org, app.id).await.expect("it is there").deployment;
    let renamed = (OwnerName::parse("new").expect("an owner"), RepoName::parse("home").expect("a name"));
    let patch = SourcePatch { renamed: Some(renamed), mark: Some(Some(BranchMark::Absent)), skipped_head: Some(commit(9)) };
    kit.commit(app.change().with_deployment(DeploymentOp::Source(Box::new(patch)))).await;
    let d = read().await;
    assert_eq!((d.source.owner.as_str(), d.source.name.as_str()), ("new", "home"));
    assert_eq!((d.branch_mark, d.skipped_head, d.source_head), (Some(BranchMark::Absent), Some(commit(9)), Some(commit(1))));
    assert_eq!(d.config_version, 1, "that is no configuration");
    let patch = SourcePatch { mark: Some(None), ..SourcePatch::default() };
    kit.commit(app.change().with_deployment(DeploymentOp::Source(Box::new(patch)))).await;
    assert_eq!((read().await.branch_mark, read().await.skipped_head), (None, Some(commit(9))));
    let branch = BranchName::parse("next").ok();
    let patch = ConfigPatch { branch, ..ConfigPatch::default() };
    kit.commit(app.change().with_deployment(DeploymentOp::Configure(Box::new(patch)))).await;
    let d = read().await;
    assert_eq!((d.source.branch.as_str(), d.source_head, d.skipped_head, d.branch_mark), ("next", None, None, None));
}

/// A deployment that is being removed takes ends and events only.
pub async fn deleting_refuses_changes(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    kit.commit(app.change().with_deployment(DeploymentOp::Deleting)).await;
    let before = h.peek().await;
    let refused = [
        with_revision(app.change(), revision_id(), 2),
        app.change().with_deployment(DeploymentOp::Configure(Box::default())),
        app.change().with_deployment(DeploymentOp::Deleting),
        kit.moving(&app, app.first, RevisionState::Building).await,
        app.change().with_attempt(fixtures::open(fixtures::attempt_id(), app.first, 1)),
    ];
    for change in refused {
        let applied = kit.apply(change).await;
        assert!(matches!(applied, Applied::Deleting), "{applied:?}");
    }
    assert_eq!(h.peek().await, before);
    kit.commit(app.change().with_event(NewEvent::new(EventKind::DeploymentDeleting, "going"))).await;
    kit.go(&app, app.first, &[RevisionState::Cancelled]).await;
    let view = kit.store.deployment(&app.org, app.id).await.expect("it is still there");
    assert!(view.deployment.deleting_at.is_some());
}

/// A deployment is gone only when all its revisions have ended; the last end may be in the same change.
pub async fn gone_needs_all_terminal(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    kit.commit(app.change().with_deployment(DeploymentOp::Deleting)).await;
    let error = kit.store.apply(app.change().with_deployment(DeploymentOp::Gone)).await.expect_err("one is queued");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let change = kit.moving(&app, app.first, RevisionState::Cancelled).await;
    let change = change.with_event(NewEvent::new(EventKind::DeploymentDeleted, "gone"));
    kit.commit(change.with_deployment(DeploymentOp::Gone)).await;
    let error = kit.store.apply(app.change().with_event(told(app.first, RevisionState::Cancelled))).await;
    assert_eq!(error.expect_err("it is gone").kind(), ErrorKind::NotFound);
    assert!(h.peek().await.deployments.is_empty());
}

/// A change of an unknown deployment is not found, and stores nothing.
pub async fn unknown_deployment_is_not_found(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let id: DeploymentId = deployment_id();
    let change = with_revision(RevisionChange::new(org("a"), id), revision_id(), 1);
    let error = kit.store.apply(change).await.expect_err("no such deployment");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(h.peek().await.count(JobState::Ready), 0);
    drop(committed(kit.apply(create(&org("a"), id, "shop")).await));
}
