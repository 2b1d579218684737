//! Housekeeping, counts, the operator's handle and the bell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::{
    Budget, CancelJobs, DeploymentOp, Extended, Fence, Finish, Finished, JobError, JobId, JobKind, JobState, Lane, Lease,
    LeaseRef, Maintained, NewJob, Outcome, RevisionState, Scope,
};
use crate::error::ErrorKind;
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{
    build_job, deploy_job, deployment_id, org, plain_job, revision_id, status_job, sweep_job, teardown_job,
};
use crate::testing::suites::harness::{Cell, Metered, StoreHarness, instead};
use crate::testing::suites::stepper::{Stepper, meanwhile};
use crate::testing::suites::store::{Kit, LEASE, committed, park, request, retry, scope};

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

/// Housekeeping for `meanwhile`.
fn keep_house(purge: bool) -> impl FnOnce(Arc<dyn Store>) -> BoxFuture<'static, Maintained> {
    let budget = Budget { time: Duration::from_secs(60), purge };
    move |store| async move { store.maintain(&budget).await.expect("housekeeping is done") }.boxed()
}

/// What a holder whose lease ran out, or another, may do between a take-back's reading and its writing.
#[derive(Clone, Copy, Debug)]
enum Late {
    Done,
    Extend,
    Cancel,
    Reclaim,
}

/// A take-back acts on the row as it is when it writes: whatever came between stands.
pub async fn take_back_stale_snapshot(h: &dyn StoreHarness) {
    for late in [Late::Done, Late::Extend, Late::Cancel, Late::Reclaim] {
        for at in 0.. {
            if !late_act(h, late, at).await {
                break;
            }
        }
    }
}

/// `false` if a take-back has no such point.
async fn late_act(h: &dyn StoreHarness, late: Late, at: usize) -> bool {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), &format!("app-{}-{at}", format!("{late:?}").to_lowercase())).await;
    let old = kit.claim_one(Lane::Build).await;
    h.advance(2 * LEASE);
    let (job, cancel) = (old.job, app.change().with_cancel(CancelJobs::OfRevision(app.first)));
    let act = |store: Arc<dyn Store>| async move {
        match late {
            Late::Done => {
                let items = vec![Finish { lease: job, outcome: Outcome::Done }];
                let answers = store.finish(items).await.expect("a finish is answered");
                (answers[0] == Finished::Accepted).then_some(job)
            }
            Late::Extend => {
                let answers = store.extend(&[job], LEASE).await.expect("an extend is answered");
                (answers[0] != Extended::Lost).then_some(job)
            }
            Late::Cancel => {
                committed(store.apply(cancel).await.expect("a change is answered"));
                None
            }
            Late::Reclaim => {
                keep_house(false)(Arc::clone(&store)).await;
                let leases = store.claim(&request(Lane::Build, 1)).await.expect("a claim is answered");
                leases.first().map(|lease| lease.job)
            }
        }
    };
    let Some(both) = meanwhile(h, at, Act::Go, keep_house(false), act).await else {
        clear(&kit, old.id).await;
        return false;
    };
    let row = kit.job(old.id).await;
    let seen = (row.state, row.counters.fence, row.counters.losses);
    let expected = match (late, both.second) {
        (Late::Done, Some(_)) => (JobState::Done, 1, 0),
        (Late::Extend, Some(_)) => (JobState::Leased, 1, 0),
        (Late::Reclaim, Some(_)) => (JobState::Leased, 3, 1),
        (Late::Cancel, _) if row.state == JobState::Cancelled => seen,
        (Late::Cancel, _) => {
            assert!(row.cancel_asked, "a cancel is never lost: {row:?} {:?}", both.at);
            (JobState::Ready, 2, 1)
        }
        (_, None) => (JobState::Ready, 2, 1),
    };
    assert_eq!(seen, expected, "{late:?} {:?}", both.at);
    if matches!(late, Late::Extend | Late::Reclaim)
        && let Some(lease) = both.second
    {
        assert_eq!(kit.extend(lease).await, Extended::Until(LEASE), "{late:?} {:?}", both.at);
    }
    clear(&kit, old.id).await;
    true
}

/// Ends a job, whoever holds it.
async fn clear(kit: &Kit<'_>, id: JobId) {
    let row = kit.job(id).await;
    let lease = match row.state {
        JobState::Leased => LeaseRef { seq: row.seq, fence: Fence::of(row.seq, row.counters.fence) },
        JobState::Ready => kit.claim_one(Lane::Build).await.job,
        _ => return,
    };
    assert_eq!(kit.finish(lease, Outcome::Done).await, Finished::Accepted);
}

/// A thousand leases that ran out and whose rows are broken hide nothing behind them.
pub async fn take_back_pages_past_stuck_rows(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (mut stuck, good) = (Vec::new(), plain_job(&org("b")));
    for _ in 0..2 {
        let jobs = jobs(500);
        stuck.extend(jobs.iter().map(|job| job.id));
        kit.enqueue_all(jobs).await;
    }
    kit.enqueue(good.clone()).await;
    let mut leased = 0;
    while leased < 1_001 {
        leased += kit.claim(Lane::Build, 100).await.len();
    }
    h.set(&stuck, Cell::Losses(-1)).await;
    assert_eq!(kit.later(2 * LEASE).await.taken_back, 1);
    assert_eq!(kit.claim_one(Lane::Build).await.id, good.id);
    h.set(&stuck, Cell::Losses(0)).await;
    assert!(kit.maintain().await.taken_back <= 1_000);
}

/// A due job whose row is broken is parked, and the rest of its batch goes on.
pub async fn promote_isolates_bad_row(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let jobs: Vec<NewJob> = jobs(5).into_iter().map(|job| job.after(HOUR)).collect();
    let bad = jobs[2].id;
    kit.enqueue_all(jobs.clone()).await;
    h.set(&[bad], Cell::Losses(-1)).await;
    assert_eq!(kit.later(HOUR).await.promoted, 4);
    h.set(&[bad], Cell::Losses(0)).await;
    assert_eq!((kit.state(bad).await, h.peek().await.count(JobState::Ready)), (JobState::Parked, 4));
    let parked = kit.store.parked(&scope(&org("a"))).await.expect("parked jobs are listed");
    assert_eq!(parked.iter().map(|job| (job.id, job.error.code())).collect::<Vec<_>>(), [(bad, "store_corrupt")]);
    assert_eq!(kit.maintain().await.promoted, 0);
}

/// A job that is blocked for no reason is found and counted.
pub async fn mend_finds_orphan(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = teardown_job(&org("a"), deployment_id());
    kit.enqueue(job.clone()).await;
    h.set(&[job.id], Cell::BlockedOnSerial).await;
    assert!(kit.claim(Lane::Deploy, 1).await.is_empty());
    assert_eq!(kit.maintain().await.mended, 1);
    assert_eq!(kit.maintain().await.mended, 0);
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, job.id);
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

/// A purge that fails midway has kept what it committed: each batch of 500 is a transaction of its own.
pub async fn purge_batches_commit_each(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for n in [500, 500, 200] {
        kit.enqueue_all(jobs(n)).await;
    }
    for _ in 0..12 {
        let leases = kit.claim(Lane::Build, 100).await;
        let items = leases.into_iter().map(|lease| Finish { lease: lease.job, outcome: Outcome::Done }).collect();
        kit.store.finish(items).await.expect("a finish is answered");
    }
    h.advance(3 * DAY);
    let budget = Budget { time: Duration::from_secs(60), purge: true };
    let mut left = vec![h.peek().await.count(JobState::Done)];
    for at in 0.. {
        let store = h.hooked(Stepper::acting(vec![(at, Act::Fail)]));
        let answer = store.maintain(&budget).await;
        left.push(h.peek().await.count(JobState::Done));
        if answer.is_ok() {
            break;
        }
    }
    left.dedup();
    assert_eq!(left, [1_200, 700, 200, 0]);
}

/// A parked job that an operator revives while a purge is about to delete it lives, or was not there to be revived.
pub async fn purge_spares_what_is_revived_meanwhile(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let scope = scope(&org("a"));
    for at in 0.. {
        kit.enqueue_all(jobs(1)).await;
        let id = kit.run_one(Lane::Build, park()).await.id;
        h.advance(31 * DAY);
        let of = scope.clone();
        let revive = |store: Arc<dyn Store>| async move { store.revive(&of, id).await };
        let Some(both) = meanwhile(h, at, Act::Go, keep_house(true), revive).await else { break };
        let state = h.peek().await.job(id).map(|job| job.state);
        match both.second {
            Ok(()) => assert_eq!(state, Some(JobState::Ready), "{:?}", both.at),
            Err(error) => assert_eq!((error.kind(), state), (ErrorKind::NotFound, None), "{:?}", both.at),
        }
        for lease in kit.claim(Lane::Build, 1).await {
            kit.finish(lease.job, Outcome::Done).await;
        }
    }
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

/// The counts cost what lives and what is parked, however much has ended.
pub async fn stats_cost_ignores_finished(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all(jobs(200)).await;
    kit.enqueue_all(jobs(50).into_iter().map(|job| job.after(HOUR)).collect()).await;
    let metered = h.metered().await;
    if metered.is_none() {
        instead("rows to read", "the counts are the same beside 2,000 ended jobs");
    }
    let mut counts = Vec::new();
    for round in 0..2 {
        let store = metered.as_ref().map_or_else(|| h.store(), |metered| metered.store());
        store.stats().await.expect("the counts are given");
        let before = reads(metered.as_deref()).await;
        let stats = store.stats().await.expect("the counts are given").jobs;
        counts.push((stats, reads(metered.as_deref()).await - before));
        for _ in 0..4 * (1 - round) {
            kit.enqueue_all(jobs(500).into_iter().map(|job| NewJob { scope: Scope::System, ..job }).collect()).await;
        }
        while round == 0 && h.peek().await.count(JobState::Done) < 2_000 {
            let leases = kit.claim(Lane::Build, 100).await;
            let (ends, goes_on): (Vec<Lease>, Vec<Lease>) = leases.into_iter().partition(|l| l.scope == Scope::System);
            let end = |lease: Lease| Finish { lease: lease.job, outcome: Outcome::Done };
            let release = |lease: Lease| Finish { lease: lease.job, outcome: Outcome::Release };
            let items = ends.into_iter().map(end).chain(goes_on.into_iter().map(release)).collect();
            kit.store.finish(items).await.expect("a finish is answered");
        }
    }
    assert_eq!(counts[0].0, counts[1].0);
    assert!(counts[1].1 <= counts[0].1.saturating_mul(2), "it read {} of 250 jobs, then {}", counts[0].1, counts[1].1);
    assert!(metered.is_none() || counts[0].1 > 0, "the meter runs");
}

async fn reads(metered: Option<&dyn Metered>) -> u64 {
    match metered {
        Some(metered) => metered.reads().await,
        None => 0,
    }
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

/// A job that one process stores ends the wait of another where the database can tell; elsewhere the other finds it when it
/// looks again.
pub async fn wait_wakes_across_connections(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let other = h.other();
    assert!(other.claim(&request(Lane::Build, 1)).await.expect("a claim is answered").is_empty());
    let across = h.rings_across();
    if !across {
        instead("bell between processes", "a wait ends after its time, and the next claim finds the job");
    }
    let at_most = if across { Duration::from_secs(30) } else { Duration::from_millis(50) };
    let begun = Instant::now();
    let waiting = tokio::spawn(async move {
        other.wait(at_most).await;
        (begun.elapsed(), other)
    });
    kit.enqueue_all(jobs(1)).await;
    let (waited, other) = waiting.await.expect("the wait ends");
    assert!(waited < Duration::from_secs(20), "woken, not timed out: {waited:?}");
    assert_eq!(other.claim(&request(Lane::Build, 1)).await.expect("a claim is answered").len(), 1);
}

/// Without work a wait ends after its time.
pub async fn wait_times_out(h: &dyn StoreHarness) {
    let begun = Instant::now();
    h.store().wait(Duration::from_millis(20)).await;
    assert!(begun.elapsed() < Duration::from_secs(20));
}
