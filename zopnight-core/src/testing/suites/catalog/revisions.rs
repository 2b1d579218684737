//! Pushes and moves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::{
    Applied, CancelJobs, Cause, DeliveryId, Expect, JobKind, JobState, Lane, RevisionChange, RevisionId, RevisionMove,
    RevisionOp, RevisionPatch, RevisionState, Stale,
};
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{
    attempt_id, cancel_job, commit, image, new_revision, open, org, revision_id, step, told, with_revision,
};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{App, Kit};

const ALL_THE_WAY: [RevisionState; 4] =
    [RevisionState::Building, RevisionState::Built, RevisionState::Deploying, RevisionState::Succeeded];

fn delivered(app: &App, delivery: &str, digest: u8, n: u32) -> RevisionChange {
    let delivery = DeliveryId::parse(delivery).expect("a delivery id");
    let mut new = new_revision(RevisionId::for_delivery(app.id, &delivery), n);
    new.delivery_digest = Some([digest; 32]);
    new.cause = Cause::Push { delivery };
    let event = told(new.id, RevisionState::Queued);
    app.change().with_revision(RevisionOp::Create(Box::new(new))).with_event(event)
}

fn stale(applied: &Applied, id: RevisionId) -> bool {
    matches!(applied, Applied::Stale(Stale::Revision(of)) if *of == id)
}

/// A redelivery is the same revision, and the caller sees its digest.
pub async fn push_redelivery_exists(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let made = kit.commit(delivered(&app, "d-1", 7, 2)).await.numbers[0].0;
    let before = h.peek().await;
    for digest in [7, 8] {
        let applied = kit.apply(delivered(&app, "D-1", digest, 2)).await;
        let Applied::Exists(view) = applied else { panic!("{applied:?}") };
        assert_eq!((view.revision.id, view.delivery_digest), (made, Some([7; 32])));
        assert_eq!(view.revision.number.get(), 2);
    }
    assert_eq!(h.peek().await, before);
}

/// A push ends three older revisions, cancels their jobs, asks to stop their runs: all in one commit.
pub async fn push_supersedes_in_one_commit(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let (second, third) = (kit.push(&app, 2).await, kit.push(&app, 3).await);
    let jti = attempt_id();
    kit.commit(kit.moving(&app, app.first, RevisionState::Building).await.with_attempt(open(jti, app.first, 1))).await;
    let running = kit.claim_one(Lane::Build).await;
    let older = kit.store.unfinished(&app.org, app.id).await.expect("they are listed");
    assert_eq!(older.iter().map(|v| v.revision.id).collect::<Vec<_>>(), [app.first, second, third]);
    assert_eq!(older[0].attempt.as_ref().map(|a| a.jti), Some(jti));
    let newest = revision_id();
    let mut change = with_revision(app.change(), newest, 4).with_follow_up(cancel_job(&app.org, app.id, app.first, jti));
    for view in &older {
        let patch = RevisionPatch { superseded_by: Some(newest), ..RevisionPatch::default() };
        change = change
            .with_revision(step(view, RevisionState::Superseded, patch))
            .with_event(told(view.revision.id, RevisionState::Superseded))
            .with_cancel(CancelJobs::OfRevision(view.revision.id));
    }
    let done = kit.commit(change).await;
    assert_eq!((done.numbers.len(), done.numbers[0].1.get(), done.enqueued.len()), (1, 4, 2));
    for view in &older {
        let now = kit.view(&app, view.revision.id).await;
        assert_eq!((now.revision.state, now.revision.superseded_by), (RevisionState::Superseded, Some(newest)));
        assert!(now.attempt.is_none_or(|a| !a.is_open()));
    }
    let peek = h.peek().await;
    let builds: Vec<_> = peek.jobs.iter().filter(|job| job.kind == JobKind::Build).collect();
    let states: Vec<JobState> = builds.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Leased, JobState::Cancelled, JobState::Cancelled, JobState::Ready]);
    assert!(builds[0].cancel_asked && builds[0].id == running.id);
    assert_eq!(kit.claim_one(Lane::Control).await.kind, JobKind::CancelRun);
}

/// A, B, A, B by force are four revisions.
pub async fn push_a_b_a_b_four_revisions(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    for n in [2, 1, 2] {
        kit.push(&app, n).await;
    }
    let page = kit.store.revisions(&app.org, app.id, &crate::domain::RevisionQuery::default()).await;
    let page = page.expect("they are listed");
    let shas: Vec<_> = page.items.iter().map(|v| (v.revision.number.get(), v.revision.commit.sha.clone())).collect();
    assert_eq!(shas, [(4, commit(2)), (3, commit(1)), (2, commit(2)), (1, commit(1))]);
}

fn applying(change: RevisionChange) -> impl FnOnce(Arc<dyn Store>) -> BoxFuture<'static, Applied> {
    move |store| async move { store.apply(change).await.expect("a change is answered") }.boxed()
}

/// Of two pushes that saw the same newest revision the second decides again, and becomes number 3; wherever the first
/// stands meanwhile.
pub async fn newest_number_stale(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for at in 0.. {
        let app = kit.app(&org("a"), &format!("app-{at}")).await;
        let push = |id: RevisionId, newest: u32| {
            let expect = Expect { newest_number: Some(newest), ..Expect::default() };
            with_revision(app.change(), id, 2).with_expect(expect)
        };
        let (one, two) = (revision_id(), revision_id());
        let both = meanwhile(h, at, Act::Go, applying(push(one, 1)), applying(push(two, 1))).await;
        let Some(both) = both else { break };
        let first_won = matches!(both.first, Applied::Committed(_));
        let (won, lost) = if first_won { (one, two) } else { (two, one) };
        let answers = [&both.first, &both.second];
        assert_eq!(answers.iter().filter(|a| matches!(a, Applied::Committed(_))).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|a| matches!(a, Applied::Stale(Stale::NewestNumber))).count(), 1, "{answers:?}");
        assert!(!both.overtook || first_won == both.at.is_committed(), "{answers:?} {:?}", both.at);
        assert_eq!(kit.commit(push(lost, 2)).await.numbers[0].1.get(), 3);
        assert_eq!(kit.view(&app, won).await.revision.number.get(), 2);
    }
}

/// A move needs the version it read.
pub async fn move_cas_version(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let view = kit.view(&app, app.first).await;
    let patch = RevisionPatch { image: Some(image(1)), ..RevisionPatch::default() };
    let change = || app.change().with_revision(step(&view, RevisionState::Queued, patch.clone()));
    kit.commit(change()).await;
    let now = kit.view(&app, app.first).await.revision;
    assert_eq!((now.version, now.image, now.state), (view.revision.version + 1, Some(image(1)), RevisionState::Queued));
    let before = h.peek().await;
    let applied = kit.apply(change()).await;
    assert!(stale(&applied, app.first), "{applied:?}");
    assert_eq!(h.peek().await, before);
}

/// A move needs the state it names, whatever the version.
pub async fn move_cas_state(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let version = kit.view(&app, app.first).await.revision.version;
    let (from, to, patch) = (RevisionState::Building, RevisionState::Built, RevisionPatch::default());
    let wrong = RevisionMove { id: app.first, version, from, to, patch };
    let before = h.peek().await;
    let change = app.change().with_revision(RevisionOp::Move(Box::new(wrong))).with_event(told(app.first, to));
    let applied = kit.apply(change).await;
    assert!(stale(&applied, app.first), "{applied:?}");
    let unknown = RevisionMove {
        id: revision_id(),
        version: 1,
        from: RevisionState::Queued,
        to: RevisionState::Building,
        patch: RevisionPatch::default(),
    };
    let id = unknown.id;
    let applied = kit.apply(app.change().with_revision(RevisionOp::Move(Box::new(unknown)))).await;
    assert!(stale(&applied, id), "{applied:?}");
    assert_eq!(h.peek().await, before);
}

/// Nothing leaves a terminal state, by whatever `from`.
pub async fn move_terminal_refused(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    kit.go(&app, app.first, &[RevisionState::Failed]).await;
    let version = kit.view(&app, app.first).await.revision.version;
    let before = h.peek().await;
    for from in RevisionState::ALL {
        let (to, patch) = (RevisionState::Succeeded, RevisionPatch { image: Some(image(1)), ..RevisionPatch::default() });
        let step = RevisionMove { id: app.first, version, from, to, patch };
        match kit.store.apply(app.change().with_revision(RevisionOp::Move(Box::new(step)))).await {
            Ok(applied) => assert!(!from.is_terminal() && stale(&applied, app.first), "{applied:?}"),
            Err(error) => assert!(from.is_terminal() && error.kind() == crate::ErrorKind::Invalid, "{error:?}"),
        }
    }
    assert_eq!(h.peek().await, before);
}

/// Ten racers to different states: one wins.
pub async fn move_two_racers_one_wins(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let ends = [RevisionState::Failed, RevisionState::Cancelled, RevisionState::Superseded, RevisionState::TimedOut];
    let mut changes = Vec::new();
    for n in 0..10 {
        let to = ends[n % ends.len()];
        changes.push((to, if n % 2 == 0 { h.store() } else { h.other() }, kit.moving(&app, app.first, to).await));
    }
    let race = |(to, store, change): (RevisionState, Arc<dyn Store>, RevisionChange)| {
        tokio::spawn(async move { (to, store.apply(change).await.expect("a change is answered")) })
    };
    let racers: Vec<_> = changes.into_iter().map(race).collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await.expect("a racer ends") {
            (to, Applied::Committed(_)) => winners.push(to),
            (_, applied) => assert!(stale(&applied, app.first), "{applied:?}"),
        }
    }
    assert_eq!(winners, [kit.view(&app, app.first).await.revision.state]);
    for at in 0.. {
        let app = kit.app(&org("a"), &format!("app-{at}")).await;
        let built = kit.moving(&app, app.first, RevisionState::Built).await;
        let cancelled = kit.moving(&app, app.first, RevisionState::Cancelled).await;
        let Some(both) = meanwhile(h, at, Act::Go, applying(built), applying(cancelled)).await else { break };
        let state = kit.view(&app, app.first).await.revision.state;
        match (&both.first, &both.second) {
            (Applied::Committed(_), other) => assert!(stale(other, app.first) && state == RevisionState::Built, "{both:?}"),
            (other, Applied::Committed(_)) => {
                assert!(stale(other, app.first) && state == RevisionState::Cancelled, "{both:?}")
            }
            _ => panic!("nobody wins: {both:?}"),
        }
    }
}

/// The revision that succeeds serves; each step is stamped once by the store's clock.
pub async fn move_succeeded_sets_current(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let mut at = vec![h.now()];
    for to in ALL_THE_WAY {
        h.advance(Duration::from_secs(100));
        at.push(h.now());
        kit.go(&app, app.first, &[to]).await;
        let serves = kit.store.deployment(&app.org, app.id).await.expect("it is there").current.is_some();
        assert_eq!(serves, to == RevisionState::Succeeded);
    }
    let view = kit.store.deployment(&app.org, app.id).await.expect("it is there");
    assert_eq!((view.deployment.current_revision, view.deployment.current_number), (Some(app.first), 1));
    let r = view.current.expect("one serves");
    let stamps = [r.build_started_at, r.built_at, r.deploy_started_at, r.finished_at];
    for (stamp, before) in stamps.into_iter().zip(at.into_iter().skip(1)) {
        let since = stamp.expect("each step is stamped").since(before);
        assert!(stamp >= Some(before) && since < Duration::from_secs(100), "{stamp:?} {before:?}");
    }
}

/// An older revision that succeeds late does not serve again.
pub async fn move_succeeded_older_does_not_move_current_back(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let second = kit.push(&app, 2).await;
    kit.go(&app, second, &ALL_THE_WAY).await;
    kit.go(&app, app.first, &ALL_THE_WAY).await;
    let d = kit.store.deployment(&app.org, app.id).await.expect("it is there").deployment;
    assert_eq!((d.current_revision, d.current_number, d.newest_revision), (Some(second), 2, second));
}

/// A callback that overtakes the dispatch moves from queued to built, and the dispatch's own move is stale.
pub async fn move_queued_to_built_overtakes(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let slow = kit.moving(&app, app.first, RevisionState::Building).await;
    let fast = app.change().with_event(told(app.first, RevisionState::Building));
    let view = kit.view(&app, app.first).await;
    let patch = RevisionPatch { image: Some(image(1)), ..RevisionPatch::default() };
    let fast =
        fast.with_revision(step(&view, RevisionState::Built, patch)).with_event(told(app.first, RevisionState::Built));
    kit.commit(fast).await;
    let applied = kit.apply(slow).await;
    assert!(stale(&applied, app.first), "{applied:?}");
    let r = kit.view(&app, app.first).await.revision;
    assert_eq!((r.state, r.image, r.finished_at), (RevisionState::Built, Some(image(1)), None));
}

/// Stamps are the store's: the caller has no say.
pub async fn clock_is_databases(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    h.advance(Duration::from_secs(86_400 * 400));
    let before = h.now();
    let app = kit.app(&org("a"), "shop").await;
    let events = kit.events(&app).await;
    let r = kit.view(&app, app.first).await.revision;
    let stamps = events.iter().map(|e| e.at).chain([r.created_at, r.updated_at]);
    for stamp in stamps {
        assert_eq!(stamp, r.created_at, "one reading a transaction");
        assert!((before..=h.now()).contains(&stamp));
    }
}
