//! Build attempts.

use crate::domain::{
    Applied, AttemptId, AttemptOp, AttemptPatch, DispatchState, HttpsUrl, RevisionState, RunOutcome, RunRef, Settled, Stale,
};
use crate::testing::suites::fixtures::{attempt, attempt_id, open, org};
use crate::testing::suites::store::{Kit, StoreHarness};

fn run(id: &str) -> RunRef {
    let url = HttpsUrl::parse("https://forge.test/runs/1").expect("a URL");
    RunRef { id: id.to_owned(), url }
}

fn stale(applied: &Applied, jti: AttemptId) -> bool {
    matches!(applied, Applied::Stale(Stale::Attempt(of)) if *of == jti)
}

/// An attempt is there before its dispatch, and records what becomes of it.
pub async fn attempt_open_before_dispatch(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let (jti, before) = (attempt_id(), h.now());
    kit.commit(app.change().with_attempt(open(jti, app.first, 1))).await;
    let opened = kit.store.attempts(&app.org, app.first).await.expect("they are listed").remove(0);
    let new = attempt(jti, app.first, 1);
    assert_eq!((opened.jti, opened.revision, opened.number), (jti, app.first, 1));
    assert_eq!((&opened.image_repository, &opened.commit), (&new.image_repository, &new.commit));
    assert_eq!((opened.deadline, opened.dispatch, opened.run.clone()), (new.deadline, DispatchState::Pending, None));
    assert_eq!((opened.settled, opened.refusals, opened.dispatched_at, opened.closed_at), (None, 0, None, None));
    assert!((before..=h.now()).contains(&opened.opened_at));
    let patch = AttemptPatch { dispatch: Some(DispatchState::Unknown), ..AttemptPatch::default() };
    kit.commit(app.change().with_attempt(AttemptOp::Patch { jti, patch })).await;
    let first = kit.view(&app, app.first).await.attempt.and_then(|a| a.dispatched_at).expect("it is stamped");
    h.advance(std::time::Duration::from_secs(60));
    let patch = AttemptPatch { dispatch: Some(DispatchState::Accepted), run: Some(run("7")), refusal: None };
    kit.commit(app.change().with_attempt(AttemptOp::Patch { jti, patch })).await;
    let now = kit.view(&app, app.first).await.attempt.expect("an attempt");
    assert_eq!((now.dispatch, now.run, now.dispatched_at), (DispatchState::Accepted, Some(run("7")), Some(first)));
}

/// A revision has one attempt of each number, and an id names one attempt.
pub async fn attempt_number_unique(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let first = attempt_id();
    kit.commit(app.change().with_attempt(open(first, app.first, 1))).await;
    let before = h.peek().await;
    let twin = attempt_id();
    let applied = kit.apply(app.change().with_attempt(open(twin, app.first, 1))).await;
    assert!(stale(&applied, twin), "{applied:?}");
    let applied = kit.apply(app.change().with_attempt(open(first, app.first, 2))).await;
    assert!(stale(&applied, first), "{applied:?}");
    assert_eq!(h.peek().await, before);
    kit.commit(app.change().with_attempt(open(twin, app.first, 2))).await;
    let numbers: Vec<_> = kit.store.attempts(&app.org, app.first).await.expect("they are listed");
    assert_eq!(numbers.iter().map(|a| (a.number, a.jti)).collect::<Vec<_>>(), [(1, first), (2, twin)]);
}

/// An attempt ends with its revision, whatever ends that; a revision that has its image opens none.
pub async fn attempt_closed_with_revision(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let ends = [RevisionState::Cancelled, RevisionState::Superseded, RevisionState::TimedOut, RevisionState::Built];
    for (n, to) in ends.into_iter().enumerate() {
        let app = kit.app(&org("a"), &format!("app-{n}")).await;
        let building = kit.moving(&app, app.first, RevisionState::Building).await;
        kit.commit(building.with_attempt(open(attempt_id(), app.first, 1))).await;
        assert!(kit.view(&app, app.first).await.attempt.is_some_and(|a| a.is_open()), "building is no end");
        kit.go(&app, app.first, &[to]).await;
        let attempt = kit.view(&app, app.first).await.attempt.expect("an attempt");
        assert_eq!((attempt.settled, attempt.outcome, attempt.is_open()), (Some(Settled::Ended), None, false));
        let applied = kit.apply(app.change().with_attempt(open(attempt_id(), app.first, 2))).await;
        assert!(matches!(applied, Applied::Stale(Stale::Revision(id)) if id == app.first), "{applied:?}");
    }
}

/// A closed attempt is neither closed again nor patched, but refusals are still counted.
pub async fn attempt_patch_closed_refused(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let (jti, unknown) = (attempt_id(), attempt_id());
    kit.commit(app.change().with_attempt(open(jti, app.first, 1))).await;
    let close = |jti| AttemptOp::Close { jti, settled: Settled::NotStarted, outcome: None, body_digest: None };
    kit.commit(app.change().with_attempt(close(jti))).await;
    let closed_at = kit.view(&app, app.first).await.attempt.and_then(|a| a.closed_at);
    assert!(closed_at.is_some());
    let patch = AttemptPatch { run: Some(run("7")), ..AttemptPatch::default() };
    for (op, of) in [
        (close(jti), jti),
        (AttemptOp::Patch { jti, patch: patch.clone() }, jti),
        (close(unknown), unknown),
        (AttemptOp::Patch { jti: unknown, patch }, unknown),
    ] {
        let applied = kit.apply(app.change().with_attempt(op)).await;
        assert!(stale(&applied, of), "{applied:?}");
    }
    for _ in 0..2 {
        let patch = AttemptPatch { refusal: Some("stale_attempt"), ..AttemptPatch::default() };
        kit.commit(app.change().with_attempt(AttemptOp::Patch { jti, patch })).await;
    }
    let now = kit.view(&app, app.first).await.attempt.expect("an attempt");
    assert_eq!((now.refusals, now.last_refusal.as_deref()), (2, Some("stale_attempt")));
    assert_eq!((now.run, now.closed_at, now.settled), (None, closed_at, Some(Settled::NotStarted)));
}

/// One change may record the run of an attempt, settle it and move its revision.
pub async fn attempt_patch_with_close(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let jti = attempt_id();
    kit.commit(app.change().with_attempt(open(jti, app.first, 1))).await;
    let patch = AttemptPatch { dispatch: Some(DispatchState::Accepted), run: Some(run("7")), refusal: None };
    let outcome = Some(RunOutcome::Failed);
    let change = kit
        .moving(&app, app.first, RevisionState::Failed)
        .await
        .with_attempt(AttemptOp::Patch { jti, patch })
        .with_attempt(AttemptOp::Close { jti, settled: Settled::Watch, outcome, body_digest: None });
    kit.commit(change).await;
    let now = kit.view(&app, app.first).await.attempt.expect("an attempt");
    assert_eq!((now.run, now.settled, now.outcome), (Some(run("7")), Some(Settled::Watch), outcome));
    assert_eq!(now.dispatch, DispatchState::Accepted);
}
