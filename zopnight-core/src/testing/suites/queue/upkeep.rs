//! Housekeeping, counts, the operator's handle and the bell.

use std::time::{Duration, Instant};

use crate::domain::{
    Budget, CancelJobs, DeploymentOp, Finish, JobError, JobKind, JobState, Lane, NewJob, Outcome, RevisionState, Scope,
};
use crate::error::ErrorKind;
use crate::testing::suites::fixtures::{
    build_job, deploy_job, deployment_id, org, plain_job, revision_id, status_job, sweep_job,
};
use crate::testing::suites::store::{Kit, LEASE, StoreHarness, park, retry, scope};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn jobs(n: usize) -> Vec<NewJob> {
    (0..n).map(|_| plain_job(&org("a"))).collect()
}

/// Only what is due becomes ready.
pub async fn promote_due_only(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (soon, late) = (plain_job(&org("a")).after(HOUR), plain_job(&org("a")).after(3 * HOUR));
    kit.enqueue_all(vec![late.clone(), soon.clone()]).await;
    let done = kit.later(2 * HOUR).await;
    assert_eq!((done.promoted, done.taken_back, done.mended, done.purged), (1, 0, 0, 0));
    assert_eq!((kit.state(soon.id).await, kit.state(late.id).await), (JobState::Ready, JobState::Delayed));
}

/// More than a batch of due jobs becomes ready in one call, by due time.
pub async fn promote_batches(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for _ in 0..3 {
        kit.enqueue_all(jobs(400).into_iter().map(|job| job.after(HOUR)).collect()).await;
    }
    let first = plain_job(&org("a")).after(HOUR / 2);
    kit.enqueue(first.clone()).await;
    assert_eq!(kit.later(HOUR).await.promoted, 1_201);
    assert_eq!(kit.claim_one(Lane::Build).await.id, first.id);
}

/// Two processes that promote at once promote each job once.
pub async fn promote_from_two_processes(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(300).into_iter().map(|job| job.after(HOUR)).collect()).await;
    h.advance(HOUR);
    let other = h.other();
    let budget = Budget { time: Duration::from_secs(60), purge: false };
    let there = tokio::spawn(async move { other.maintain(&budget).await });
    let here = kit.maintain().await.promoted;
    let there = there.await.expect("housekeeping ends").expect("housekeeping is done").promoted;
    assert_eq!(here + there, 300);
    assert_eq!(h.peek().await.count(JobState::Ready), 300);
}

/// Only leases that ran out are taken back.
pub async fn take_back_expired_only(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(2)).await;
    let old = kit.claim_one(Lane::Build).await;
    h.advance(LEASE / 3 * 2);
    let young = kit.claim_one(Lane::Build).await;
    assert_eq!(kit.later(LEASE / 3 * 2).await.taken_back, 1);
    assert_eq!((kit.state(old.id).await, kit.state(young.id).await), (JobState::Ready, JobState::Leased));
}

/// A lost lease is counted as lost, not as a failure.
pub async fn take_back_charges_loss_not_failure(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(1)).await;
    for losses in 0..3 {
        let lease = kit.claim_one(Lane::Build).await;
        assert_eq!((lease.losses, lease.failures, lease.panics), (losses, 0, 0));
        assert_eq!(lease.job.fence.hand_out(), 2 * losses + 1);
        kit.later(2 * LEASE).await;
    }
}

/// A job that was asked to stop and whose holder died is cancelled.
pub async fn take_back_cancel_asked_becomes_cancelled(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let lease = kit.claim_one(Lane::Build).await;
    kit.commit(app.change().with_cancel(CancelJobs::OfRevision(app.first))).await;
    assert_eq!(kit.later(2 * LEASE).await.taken_back, 1);
    let job = kit.job(lease.id).await;
    assert_eq!((job.state, job.counters.fence, job.counters.losses), (JobState::Cancelled, 2, 1));
    let next = build_job(&app.org, app.id, app.first);
    assert!(!kit.enqueue(next).await.folded, "its key is free");
}

/// A job that kills its workers is handed out for giving up, with its losses in sight; it is never parked silently.
pub async fn losses_limit_hands_out_for_giving_up(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(1)).await;
    for _ in 0..6 {
        kit.claim_one(Lane::Build).await;
        kit.later(2 * LEASE).await;
    }
    let lease = kit.claim_one(Lane::Build).await;
    assert_eq!(lease.losses, 6);
    kit.finish(lease.job, park()).await;
    assert_eq!(kit.state(lease.id).await, JobState::Parked);
}

/// Ended jobs go after their retention, live and young ones stay.
pub async fn purge_keeps_live_and_young(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(6)).await;
    for outcome in [Outcome::Done, Outcome::Cancelled, park()] {
        kit.run_one(Lane::Build, outcome).await;
    }
    assert_eq!(kit.later(DAY).await.purged, 0);
    kit.run_one(Lane::Build, Outcome::Done).await;
    h.advance(DAY + HOUR);
    let keep = Budget { time: Duration::from_secs(60), purge: false };
    assert_eq!(kit.store.maintain(&keep).await.expect("housekeeping is done").purged, 0, "only if asked");
    assert_eq!(kit.maintain().await.purged, 2);
    let peek = h.peek().await;
    let counts = [JobState::Done, JobState::Cancelled, JobState::Parked, JobState::Ready].map(|state| peek.count(state));
    assert_eq!(counts, [1, 0, 1, 2]);
    assert_eq!(kit.later(30 * DAY).await.purged, 2);
    assert_eq!(h.peek().await.count(JobState::Ready), 2);
}

/// A deployment that is gone is purged with all that hangs on it, and nothing of another.
pub async fn purge_deleted_deployment_whole(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (gone, kept) = (kit.app(&org("a"), "gone").await, kit.app(&org("a"), "kept").await);
    kit.go(&gone, gone.first, &[RevisionState::Cancelled]).await;
    kit.commit(gone.change().with_deployment(DeploymentOp::Deleting)).await;
    kit.commit(gone.change().with_deployment(DeploymentOp::Gone)).await;
    kit.later(29 * DAY).await;
    assert_eq!(h.peek().await.revisions.len(), 2);
    assert!(kit.later(2 * DAY).await.purged >= 5, "three events, a revision, the row");
    let peek = h.peek().await;
    assert!(peek.revisions.iter().all(|r| r.deployment == kept.id) && peek.revisions.len() == 1);
    assert!(peek.events.iter().all(|e| e.deployment == kept.id) && peek.events.len() == 2);
}

/// Claims go on while others purge and promote: each job is claimed once, and nothing is lost.
async fn claims_beside(h: &dyn StoreHarness, prepare: impl AsyncFnOnce(&Kit<'_>), ready: usize) {
    let kit = Kit::of(h);
    prepare(&kit).await;
    let other = h.other();
    let upkeep = tokio::spawn(async move {
        let budget = Budget { time: Duration::from_millis(1), purge: true };
        for _ in 0..20 {
            other.maintain(&budget).await.expect("housekeeping is done");
        }
    });
    let mut claimed = Vec::new();
    while !upkeep.is_finished() {
        claimed.extend(kit.claim(Lane::Build, 7).await);
    }
    upkeep.await.expect("housekeeping ends");
    kit.maintain().await;
    loop {
        let leases = kit.claim(Lane::Build, 100).await;
        if leases.is_empty() {
            break;
        }
        claimed.extend(leases);
    }
    let mut ids: Vec<_> = claimed.iter().map(|lease| lease.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((claimed.len(), ids.len()), (ready, ready));
}

/// A purge of old jobs does not disturb the claims of young ones.
pub async fn claim_while_purge_runs(h: &dyn StoreHarness) {
    let old = async |kit: &Kit<'_>| {
        kit.enqueue_all(jobs(400)).await;
        for _ in 0..4 {
            let items = kit.claim(Lane::Build, 100).await;
            let items = items.into_iter().map(|l| Finish { lease: l.job, outcome: Outcome::Done }).collect();
            kit.store.finish(items).await.expect("a finish is answered");
        }
        kit.h.advance(3 * DAY);
        kit.enqueue_all(jobs(200)).await;
    };
    claims_beside(h, old, 200).await;
    assert_eq!(h.peek().await.count(JobState::Done), 0);
}

/// Jobs that become due are claimed once, whoever promotes them.
pub async fn claim_while_promote_runs(h: &dyn StoreHarness) {
    let due = async |kit: &Kit<'_>| {
        kit.enqueue_all(jobs(300).into_iter().map(|job| job.after(HOUR)).collect()).await;
        kit.enqueue_all(jobs(100)).await;
        kit.h.advance(HOUR);
    };
    claims_beside(h, due, 400).await;
}

/// A call without time does a bounded part; calls go on where the last one stopped.
pub async fn maintain_budget_is_kept(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for _ in 0..4 {
        kit.enqueue_all(jobs(500).into_iter().map(|job| job.after(HOUR)).collect()).await;
    }
    h.advance(HOUR);
    let none = Budget { time: Duration::ZERO, purge: false };
    let mut promoted = 0;
    for round in 0..20 {
        let done = kit.store.maintain(&none).await.expect("housekeeping is done");
        assert!(done.promoted <= 1_000, "{done:?}");
        promoted += done.promoted;
        if round == 0 {
            assert!(promoted < 2_000 && done.next_due == Some(Duration::ZERO), "the rest is still due: {done:?}");
        }
    }
    assert_eq!((promoted + kit.maintain().await.promoted, h.peek().await.count(JobState::Ready)), (2_000, 2_000));
}

/// Housekeeping says how long until the next job is due.
pub async fn maintain_reports_next_due(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    assert_eq!(kit.maintain().await.next_due, None);
    kit.enqueue_all(vec![plain_job(&org("a")).after(3 * HOUR), plain_job(&org("b")).after(HOUR)]).await;
    let due = kit.maintain().await.next_due.expect("a job is delayed");
    assert!(due <= HOUR && due > HOUR - Duration::from_secs(60), "{due:?}");
    let due = kit.later(2 * HOUR).await.next_due.expect("a job is delayed");
    assert!(due <= HOUR && due > HOUR - Duration::from_secs(60), "{due:?}");
}

/// Four processes at once: no error, and each job is promoted, taken back and purged once.
pub async fn maintain_concurrent_four(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(60)).await;
    for outcome in [Outcome::Done, retry(3 * DAY, false)] {
        for _ in 0..20 {
            kit.run_one(Lane::Build, outcome.clone()).await;
        }
    }
    assert_eq!(kit.claim(Lane::Build, 20).await.len(), 20);
    h.advance(3 * DAY + HOUR);
    let budget = Budget { time: Duration::from_secs(60), purge: true };
    let processes: Vec<_> = (0..4)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            tokio::spawn(async move { store.maintain(&budget).await.expect("housekeeping is done") })
        })
        .collect();
    let mut sums = [0; 4];
    for process in processes {
        let done = process.await.expect("housekeeping ends");
        for (sum, n) in sums.iter_mut().zip([done.promoted, done.taken_back, done.purged, done.mended]) {
            *sum += n;
        }
    }
    assert_eq!(sums, [20, 20, 20, 0]);
    assert_eq!(h.peek().await.count(JobState::Ready), 40);
}

/// Counts by kind and state of what lives or is parked, and the longest wait of each lane.
pub async fn stats_counts_by_kind_and_state(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (a, deployment) = (org("a"), deployment_id());
    kit.enqueue_all(jobs(4)).await;
    for outcome in [Outcome::Done, park(), retry(HOUR, false)] {
        kit.run_one(Lane::Build, outcome).await;
    }
    kit.enqueue_all(vec![deploy_job(&a, deployment, revision_id()), deploy_job(&a, deployment, revision_id())]).await;
    kit.enqueue(status_job(&a, deployment, revision_id())).await;
    kit.claim_one(Lane::Deploy).await;
    h.advance(Duration::from_secs(30));
    let mut stats = kit.store.stats().await.expect("the counts are given");
    stats.jobs.retain(|(_, _, n)| *n > 0);
    stats.jobs.sort_unstable();
    let expected = [
        (JobKind::Deploy, JobState::Blocked, 1),
        (JobKind::Deploy, JobState::Leased, 1),
        (JobKind::Build, JobState::Delayed, 1),
        (JobKind::Build, JobState::Ready, 1),
        (JobKind::Build, JobState::Parked, 1),
        (JobKind::ReportStatus, JobState::Ready, 1),
    ];
    assert_eq!(stats.jobs, expected);
    let mut lanes: Vec<Lane> = stats.oldest_ready.iter().map(|(lane, _)| *lane).collect();
    lanes.sort_unstable();
    assert_eq!(lanes, [Lane::Build, Lane::Status]);
    let waited = |wait: &Duration| (30..60).contains(&wait.as_secs());
    assert!(stats.oldest_ready.iter().all(|(_, wait)| waited(wait)), "{stats:?}");
}

/// Parked jobs are listed for their own org, newest first; the system's for the system.
pub async fn parked_list_is_per_org(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (a, b) = (org("a"), org("b"));
    let mut parked = Vec::new();
    for scope in [&a, &a, &b] {
        kit.enqueue(plain_job(scope)).await;
        parked.push(kit.run_one(Lane::Build, park()).await.id);
        h.advance(Duration::from_secs(1));
    }
    kit.enqueue(sweep_job()).await;
    let sweep = kit.run_one(Lane::Sweep, park()).await.id;
    let list = async |scope: Scope| {
        let jobs = kit.store.parked(&scope).await.expect("parked jobs are listed");
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(list(scope(&a)).await, [parked[1], parked[0]]);
    assert_eq!(list(scope(&b)).await, [parked[2]]);
    assert_eq!(list(Scope::System).await, [sweep]);
    assert!(list(scope(&org("c"))).await.is_empty());
    let row = kit.store.parked(&scope(&b)).await.expect("parked jobs are listed").remove(0);
    assert_eq!((row.kind, row.error, row.failures), (JobKind::Build, JobError::new("suite", "given up"), 0));
}

/// An operator cannot revive another org's job, an unknown one, or one that is not parked.
pub async fn revive_foreign_is_not_found(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(2)).await;
    let parked = kit.run_one(Lane::Build, park()).await.id;
    let ready = h.peek().await.jobs.iter().find(|job| job.state == JobState::Ready).map(|job| job.id);
    let cases = [
        (scope(&org("b")), parked),
        (Scope::System, parked),
        (scope(&org("a")), plain_job(&org("a")).id),
        (scope(&org("a")), ready.expect("a job is ready")),
    ];
    for (scope, id) in cases {
        let error = kit.store.revive(&scope, id).await.expect_err("not parked there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(kit.state(parked).await, JobState::Parked);
}

/// A revived job is ready with zeroed counters and the next fence.
pub async fn revive_zeroes_and_bumps(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(1)).await;
    kit.run_one(Lane::Build, retry(Duration::ZERO, true)).await;
    kit.maintain().await;
    let old = kit.run_one(Lane::Build, park()).await;
    kit.store.revive(&scope(&org("a")), old.id).await.expect("a parked job is revived");
    let lease = kit.claim_one(Lane::Build).await;
    assert_eq!((lease.id, lease.failures, lease.losses, lease.panics), (old.id, 0, 0, 0));
    assert!(lease.job.fence > old.job.fence);
    assert_eq!(lease.job.fence.hand_out(), 4);
    let error = kit.store.revive(&scope(&org("a")), old.id).await.expect_err("it is not parked any more");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// A parked job whose key a live one has stays parked.
pub async fn revive_with_taken_key_is_a_conflict(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (a, deployment, revision) = (org("a"), deployment_id(), revision_id());
    kit.enqueue_all(vec![build_job(&a, deployment, revision), deploy_job(&a, deployment, revision)]).await;
    let folded = kit.run_one(Lane::Build, park()).await.id;
    let serial = kit.run_one(Lane::Deploy, park()).await.id;
    kit.enqueue_all(vec![build_job(&a, deployment, revision), deploy_job(&a, deployment, revision_id())]).await;
    for id in [folded, serial] {
        let error = kit.store.revive(&scope(&a), id).await.expect_err("the key is taken");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(kit.state(id).await, JobState::Parked);
    }
}

/// A waiting worker of the same process wakes when a job comes.
pub async fn wait_wakes_on_enqueue_in_process(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let store = h.store();
    let begun = Instant::now();
    let waiting = tokio::spawn(async move { store.wait(Duration::from_secs(30)).await });
    kit.enqueue_all(jobs(1)).await;
    waiting.await.expect("the wait ends");
    assert!(begun.elapsed() < Duration::from_secs(20), "woken, not timed out");
}

/// Without work a wait ends after its time.
pub async fn wait_times_out(h: &dyn StoreHarness) {
    let begun = Instant::now();
    h.store().wait(Duration::from_millis(20)).await;
    assert!(begun.elapsed() < Duration::from_secs(20));
}
