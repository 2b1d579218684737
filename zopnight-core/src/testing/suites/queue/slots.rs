//! Build slots: open attempts of an org.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::{
    Applied, AttemptId, AttemptOp, CancelJobs, JobState, JobStep, Lane, Lease, OrgId, Outcome, RevisionChange, RevisionId,
    RevisionPatch, RevisionState, RunOutcome, Settled,
};
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::peek::BlockedOn;
use crate::testing::suites::fixtures::{attempt_id, open, org, step, told};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{App, Kit, committed, request};

const SLOTS: usize = 4;

fn opening(lease: &Lease, jti: AttemptId) -> RevisionChange {
    let (org, deployment) = (lease.scope.org().cloned(), lease.deployment);
    let (org, deployment) = org.zip(deployment).expect("a build job is of a deployment");
    let revision = lease.revision.expect("a build job is of a revision");
    RevisionChange::new(org, deployment).with_job(JobStep::Hold(lease.job)).with_attempt(open(jti, revision, 1))
}

/// Claims the head of the build lane and opens an attempt under it.
async fn begin(kit: &Kit<'_>) -> (Lease, AttemptId, Applied) {
    let lease = kit.claim_one(Lane::Build).await;
    let jti = attempt_id();
    let applied = kit.apply(opening(&lease, jti)).await;
    (lease, jti, applied)
}

async fn apps(kit: &Kit<'_>, org: &OrgId, n: usize) -> Vec<App> {
    let mut apps = Vec::new();
    for i in 0..n {
        apps.push(kit.app(org, &format!("app-{i}")).await);
    }
    apps
}

/// An org whose slots are all in use, with the leases that use them.
async fn full(kit: &Kit<'_>, org: &OrgId, more: usize) -> (Vec<App>, Vec<(Lease, AttemptId)>) {
    let apps = apps(kit, org, SLOTS + more).await;
    let mut running = Vec::new();
    for _ in 0..SLOTS {
        let (lease, jti, applied) = begin(kit).await;
        committed(applied);
        running.push((lease, jti));
    }
    (apps, running)
}

fn close(jti: AttemptId) -> AttemptOp {
    AttemptOp::Close { jti, settled: Settled::Callback, outcome: Some(RunOutcome::Succeeded), body_digest: Some([1; 32]) }
}

async fn open_attempts(h: &dyn StoreHarness, org: &OrgId) -> usize {
    h.peek().await.attempts.iter().filter(|a| a.org == *org && a.open).count()
}

/// 20 builds, eight builders, four slots: never five open attempts, and all of them are built.
pub async fn slot_limit_holds(h: &dyn StoreHarness) {
    const BUILDS: usize = 20;
    let kit = Kit::of(h);
    let org = org("a");
    apps(&kit, &org, BUILDS).await;
    let (open, built) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let builders: Vec<_> = (0..8)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            let (open, built) = (Arc::clone(&open), Arc::clone(&built));
            tokio::spawn(async move {
                while built.load(Ordering::SeqCst) < BUILDS {
                    let lease = store.claim(&request(Lane::Build, 1)).await.expect("a claim is answered").pop();
                    let Some(lease) = lease else {
                        store.wait(Duration::from_millis(5)).await;
                        continue;
                    };
                    let jti = attempt_id();
                    match store.apply(opening(&lease, jti)).await.expect("a change is answered") {
                        Applied::AtCapacity => continue,
                        applied => drop(committed(applied)),
                    }
                    assert!(open.fetch_add(1, Ordering::SeqCst) < SLOTS, "more open attempts than slots");
                    tokio::task::yield_now().await;
                    open.fetch_sub(1, Ordering::SeqCst);
                    let change = opening(&lease, jti);
                    let revision = lease.revision.expect("a build job is of a revision");
                    let view = store.revision(&change.org, change.deployment, revision).await.expect("it is there");
                    let done = RevisionChange::new(change.org, change.deployment)
                        .with_job(JobStep::Finish(lease.job, Outcome::Done))
                        .with_revision(step(&view, RevisionState::Built, RevisionPatch::default()))
                        .with_attempt(close(jti))
                        .with_event(told(revision, RevisionState::Built));
                    committed(store.apply(done).await.expect("a change is answered"));
                    built.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for builder in builders {
        builder.await.expect("a builder ends");
    }
    let peek = h.peek().await;
    assert_eq!(peek.attempts.iter().filter(|a| !a.open).count(), BUILDS);
    assert!(peek.revisions.iter().all(|r| r.state == RevisionState::Built));
}

/// Without a slot the job waits, and nothing else of the change is written.
pub async fn slot_at_capacity_blocks_job_and_writes_nothing_else(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (_, _) = full(&kit, &org("a"), 1).await;
    let before = h.peek().await;
    let lease = kit.claim_one(Lane::Build).await;
    let revision = lease.revision.expect("a build job is of a revision");
    let change = opening(&lease, attempt_id()).with_event(told(revision, RevisionState::Queued));
    let applied = kit.apply(change).await;
    assert!(matches!(applied, Applied::AtCapacity), "{applied:?}");
    let job = kit.job(lease.id).await;
    assert_eq!((job.state, job.blocked_on), (JobState::Blocked, Some(BlockedOn::Slot)));
    assert_eq!((job.counters.failures, job.counters.losses), (0, 0));
    let after = h.peek().await;
    assert_eq!((after.attempts.len(), after.events.len()), (before.attempts.len(), before.events.len()));
    assert_eq!((after.deployments, after.revisions), (before.deployments, before.revisions));
    assert_eq!(kit.maintain().await.mended, 0, "nothing is wrong with a job that waits for a slot");
    let again = kit.apply(opening(&lease, attempt_id())).await;
    assert!(matches!(again, Applied::LeaseLost), "{again:?}");
}

async fn freed_by(h: &dyn StoreHarness, change: impl AsyncFnOnce(&Kit<'_>, &App, AttemptId) -> RevisionChange) {
    let kit = Kit::of(h);
    let org = org("a");
    let (apps, running) = full(&kit, &org, 2).await;
    let (waiting, _, applied) = begin(&kit).await;
    assert!(matches!(applied, Applied::AtCapacity), "{applied:?}");
    let (second, _, _) = begin(&kit).await;
    kit.commit(change(&kit, &apps[0], running[0].1).await).await;
    assert_eq!(open_attempts(h, &org).await, SLOTS - 1);
    assert_eq!(kit.state(waiting.id).await, JobState::Ready, "woken in the commit that freed the slot");
    assert_eq!(kit.state(second.id).await, JobState::Blocked, "one slot, one job");
    let (lease, _, applied) = begin(&kit).await;
    committed(applied);
    assert_eq!(lease.id, waiting.id);
}

/// A callback frees a slot.
pub async fn slot_freed_by_callback(h: &dyn StoreHarness) {
    freed_by(h, async |kit, app, jti| kit.moving(app, app.first, RevisionState::Built).await.with_attempt(close(jti))).await;
}

/// A revision that is superseded frees its slot.
pub async fn slot_freed_by_supersede(h: &dyn StoreHarness) {
    freed_by(h, async |kit, app, _| kit.moving(app, app.first, RevisionState::Superseded).await).await;
}

/// A revision that times out frees its slot.
pub async fn slot_freed_by_timeout(h: &dyn StoreHarness) {
    freed_by(h, async |kit, app, _| kit.moving(app, app.first, RevisionState::TimedOut).await).await;
}

/// A revision that is cancelled frees its slot.
pub async fn slot_freed_by_cancel(h: &dyn StoreHarness) {
    freed_by(h, async |kit, app, _| {
        let change = kit.moving(app, app.first, RevisionState::Cancelled).await;
        change.with_cancel(CancelJobs::OfRevision(app.first))
    })
    .await;
}

/// The jobs that wait for a slot are woken in the order of enqueueing.
pub async fn slot_wakes_oldest_first(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (apps, running) = full(&kit, &org("a"), 3).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(begin(&kit).await.0.id);
    }
    for (n, id) in waiting.iter().enumerate() {
        let change = kit.moving(&apps[n], apps[n].first, RevisionState::Built).await.with_attempt(close(running[n].1));
        kit.commit(change).await;
        assert_eq!(kit.state(*id).await, JobState::Ready);
        let (lease, _, applied) = begin(&kit).await;
        committed(applied);
        assert_eq!(lease.id, *id);
    }
}

/// An open beside a close, wherever either stands: the limit holds, and a job that found no slot is awake once one is free.
/// Of two opens beside each other one gets the last slot.
pub async fn slot_open_vs_close_race(h: &dyn StoreHarness) {
    for (round, open_first) in [("open", true), ("close", false)] {
        for at in 0.. {
            if !open_beside_close(h, &org(&format!("{round}-{at}")), at, open_first).await {
                break;
            }
        }
    }
    for at in 0.. {
        if !open_beside_open(h, &org(&format!("both-{at}")), at).await {
            break;
        }
    }
}

fn applying(change: RevisionChange) -> impl FnOnce(Arc<dyn Store>) -> BoxFuture<'static, Applied> {
    move |store| async move { store.apply(change).await.expect("a change is answered") }.boxed()
}

/// Hands the rest of the lane out, so that the next round has it for itself.
async fn clear(kit: &Kit<'_>) {
    while !kit.claim(Lane::Build, 100).await.is_empty() {}
}

/// `false` if the first of the two has no such point.
async fn open_beside_close(h: &dyn StoreHarness, org: &OrgId, at: usize, open_first: bool) -> bool {
    let kit = Kit::of(h);
    let (apps, running) = full(&kit, org, 1).await;
    let lease = kit.claim_one(Lane::Build).await;
    let opening = applying(opening(&lease, attempt_id()));
    let closing = kit.moving(&apps[0], apps[0].first, RevisionState::Built).await.with_attempt(close(running[0].1));
    let closing = applying(closing);
    let (opened, closed, at) = if open_first {
        let Some(both) = meanwhile(h, at, Act::Go, opening, closing).await else { return false };
        (both.first, both.second, both.at)
    } else {
        let Some(both) = meanwhile(h, at, Act::Go, closing, opening).await else {
            clear(&kit).await;
            return false;
        };
        (both.second, both.first, both.at)
    };
    committed(closed);
    let open = open_attempts(h, org).await;
    match opened {
        Applied::Committed(_) => assert_eq!(open, SLOTS, "{at:?}"),
        Applied::AtCapacity => {
            assert_eq!((open, kit.state(lease.id).await), (SLOTS - 1, JobState::Ready), "{at:?}");
        }
        other => panic!("{at:?}: {other:?}"),
    }
    clear(&kit).await;
    true
}

/// `false` if an open has no such point.
async fn open_beside_open(h: &dyn StoreHarness, org: &OrgId, at: usize) -> bool {
    let kit = Kit::of(h);
    let (apps, running) = full(&kit, org, 2).await;
    let closing = kit.moving(&apps[0], apps[0].first, RevisionState::Built).await.with_attempt(close(running[0].1));
    kit.commit(closing).await;
    let (one, two) = (kit.claim_one(Lane::Build).await, kit.claim_one(Lane::Build).await);
    let (first, second) = (applying(opening(&one, attempt_id())), applying(opening(&two, attempt_id())));
    let Some(both) = meanwhile(h, at, Act::Go, first, second).await else { return false };
    assert_eq!(open_attempts(h, org).await, SLOTS, "{:?}", both.at);
    let loser = match (&both.first, &both.second) {
        (Applied::Committed(_), Applied::AtCapacity) => two,
        (Applied::AtCapacity, Applied::Committed(_)) => one,
        other => panic!("{:?}: {other:?}", both.at),
    };
    let job = kit.job(loser.id).await;
    assert_eq!((job.state, job.blocked_on), (JobState::Blocked, Some(BlockedOn::Slot)), "{:?}", both.at);
    true
}

/// The slots of one org are its own.
pub async fn slot_of_org_a_never_counts_for_b(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    full(&kit, &org("a"), 0).await;
    let app = kit.app(&org("b"), "shop").await;
    let (lease, _, applied) = begin(&kit).await;
    committed(applied);
    assert_eq!(lease.revision, Some::<RevisionId>(app.first));
    assert_eq!((open_attempts(h, &org("a")).await, open_attempts(h, &org("b")).await), (SLOTS, 1));
}
