//! Claim and lease.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::{
    CancelJobs, ClaimRequest, Extended, Fence, Finish, Finished, JobId, JobState, Lane, LeaseRef, NewJob, Outcome, Want,
};
use crate::error::ErrorKind;
use crate::ports::{Random as _, Store};
use crate::testing::fakes::SeededRandom;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{build_job, deploy_job, deployment_id, org, plain_job, revision_id, status_job};
use crate::testing::suites::harness::{Cell, Lock, StoreHarness, instead};
use crate::testing::suites::stepper::{Stepper, meanwhile};
use crate::testing::suites::store::{Kit, LEASE, park, request, retry, scope};

/// No job, no error.
pub async fn claim_empty_is_ok(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for lane in Lane::ALL {
        assert!(kit.claim(lane, 100).await.is_empty());
    }
}

/// At most so many, of the wanted lanes only.
pub async fn claim_respects_max_and_lanes(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let org = org("a");
    let builds: Vec<NewJob> = (0..5).map(|_| plain_job(&org)).collect();
    let deploys: Vec<NewJob> = (0..5).map(|_| deploy_job(&org, deployment_id(), revision_id())).collect();
    kit.enqueue_all([builds, deploys].concat()).await;
    kit.enqueue(status_job(&org, deployment_id(), revision_id())).await;
    let want = vec![Want { lane: Lane::Build, max: 2 }, Want { lane: Lane::Deploy, max: 3 }];
    let both = ClaimRequest { want, ..request(Lane::Build, 1) };
    let leases = kit.store.claim(&both).await.expect("a claim is answered");
    let of = |lane| leases.iter().filter(|lease| lease.kind.lane() == lane).count();
    assert_eq!((of(Lane::Build), of(Lane::Deploy), leases.len()), (2, 3, 5));
    assert_eq!(kit.claim(Lane::Build, 100).await.len(), 3);
    assert_eq!(h.peek().await.count(JobState::Ready), 3);
}

/// Bounds of a claim and of an extend.
pub async fn claim_bounds(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let bad = [
        request(Lane::Build, 0),
        request(Lane::Build, 101),
        ClaimRequest { lease: Duration::from_millis(4_999), ..request(Lane::Build, 1) },
        ClaimRequest { lease: Duration::from_millis(3_600_001), ..request(Lane::Build, 1) },
    ];
    for request in bad {
        assert_eq!(kit.store.claim(&request).await.expect_err("out of bounds").kind(), ErrorKind::Invalid);
    }
    let error = kit.store.extend(&[], Duration::from_secs(4)).await.expect_err("out of bounds");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// By turn, then by the order of enqueueing.
pub async fn claim_order_is_turn_then_seq(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let jobs = |id: &str, n: usize| (0..n).map(|_| plain_job(&org(id))).collect::<Vec<_>>();
    let (a, b) = (jobs("a", 3), jobs("b", 2));
    kit.enqueue_all(a.clone()).await;
    kit.enqueue_all(b.clone()).await;
    let claimed: Vec<JobId> = kit.claim(Lane::Build, 10).await.into_iter().map(|lease| lease.id).collect();
    assert_eq!(claimed, [a[0].id, b[0].id, a[1].id, b[1].id, a[2].id]);
}

/// 1,000 jobs, eight claimers on two handles: no job twice, none left.
pub async fn claim_two_claimers_disjoint(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for _ in 0..2 {
        kit.enqueue_all((0..500).map(|_| plain_job(&org("a"))).collect()).await;
    }
    let claimers: Vec<_> = (0..8)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let leases = store.claim(&request(Lane::Build, 20)).await.expect("a claim is answered");
                    if leases.is_empty() {
                        return mine;
                    }
                    mine.extend(leases.into_iter().map(|lease| lease.id));
                }
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for claimer in claimers {
        claimed.extend(claimer.await.expect("a claimer ends"));
    }
    assert_eq!(claimed.len(), 1_000);
    assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), 1_000);
}

/// A head that another transaction holds keeps nobody waiting. A store without a lock of one row hands two claims at once
/// different jobs.
pub async fn claim_skips_locked(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let jobs: Vec<NewJob> = (0..4).map(|_| plain_job(&org("a"))).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    kit.enqueue_all(jobs).await;
    let held = match h.lock(ids[0]).await {
        Lock::Row(held) => held,
        Lock::Whole(held) => {
            held.end().await;
            return claims_side_by_side(h, &ids).await;
        }
        Lock::None => return claims_side_by_side(h, &ids).await,
    };
    let begun = Instant::now();
    let claimed: Vec<JobId> = kit.claim(Lane::Build, 2).await.into_iter().map(|lease| lease.id).collect();
    assert_eq!(claimed, ids[1..3], "past the locked head");
    assert!(begun.elapsed() < Duration::from_secs(2), "without waiting for the lock");
    let store = h.other();
    let rest = store.claim(&request(Lane::Build, 2)).await.expect("a claim is answered");
    assert_eq!(rest.iter().map(|lease| lease.id).collect::<Vec<_>>(), ids[3..], "nor does another process");
    held.end().await;
    assert_eq!(kit.claim_one(Lane::Build).await.id, ids[0]);
}

/// Two claims of two jobs each, one of which stands at each of its points in turn.
async fn claims_side_by_side(h: &dyn StoreHarness, ids: &[JobId]) {
    instead("lock of a single row", "two claims at once hand out different jobs");
    let kit = Kit::of(h);
    let claim = |store: Arc<dyn Store>| async move {
        let leases = store.claim(&request(Lane::Build, 2)).await.expect("a claim is answered");
        leases.into_iter().map(|lease| (lease.id, lease.job)).collect::<Vec<_>>()
    };
    for at in 0.. {
        let Some(both) = meanwhile(h, at, Act::Go, claim, claim).await else { break };
        let mut claimed = [both.first, both.second].concat();
        claimed.sort_unstable_by_key(|(_, lease)| lease.seq);
        assert_eq!(claimed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids, "{:?}", both.at);
        for (_, lease) in claimed {
            kit.finish(lease, Outcome::Release).await;
        }
    }
}

/// A job of a kind or a payload of a later release is left to it: a minute later, uncharged. The others are answered.
pub async fn claim_unknown_kind_is_delayed(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let jobs: Vec<NewJob> = (0..3).map(|_| plain_job(&org("a"))).collect();
    let (kind, payload) = (jobs[0].id, jobs[1].id);
    kit.enqueue_all(jobs.clone()).await;
    h.set(&[kind], Cell::Kind("paint")).await;
    h.set(&[payload], Cell::Payload(r#"{"v":99}"#.to_owned())).await;
    let leases = kit.claim(Lane::Build, 10).await;
    assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [jobs[2].id]);
    kit.finish(leases[0].job, Outcome::Done).await;
    assert_eq!(kit.later(Duration::from_secs(30)).await.promoted, 0);
    assert!(kit.claim(Lane::Build, 10).await.is_empty());
    assert_eq!(kit.later(Duration::from_secs(31)).await.promoted, 2);
    let json = jobs[1].payload.to_json().expect("a payload is written");
    h.set(&[kind], Cell::Kind("build")).await;
    h.set(&[payload], Cell::Payload(json)).await;
    let leases = kit.claim(Lane::Build, 10).await;
    assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [kind, payload], "the later release takes them");
    assert!(leases.iter().all(|lease| (lease.failures, lease.losses, lease.panics) == (0, 0, 0)), "{leases:?}");
}

/// A row that cannot be read is parked with the name of its column, and does not hold up the rest.
pub async fn claim_bad_row_is_parked(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let jobs: Vec<NewJob> = (0..3).map(|_| plain_job(&org("a"))).collect();
    let bad = jobs[1].id;
    kit.enqueue_all(jobs.clone()).await;
    h.set(&[bad], Cell::Serial(Some("not a key"))).await;
    let leases = kit.claim(Lane::Build, 10).await;
    assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [jobs[0].id, jobs[2].id]);
    let parked = kit.store.parked(&scope(&org("a"))).await.expect("parked jobs are listed");
    assert_eq!(parked.iter().map(|job| (job.id, job.error.code())).collect::<Vec<_>>(), [(bad, "store_corrupt")]);
    let message = parked[0].error.message();
    assert!(message.contains("serial_key") && !message.contains("not a key"), "the column, not the value: {message}");
    h.set(&[bad], Cell::Serial(None)).await;
    kit.store.revive(&scope(&org("a")), bad).await.expect("an operator mended the row");
    assert_eq!(kit.claim_one(Lane::Build).await.id, bad);
}

/// Each claim is the next hand-out.
pub async fn claim_sets_fence_plus_one(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = plain_job(&org("a"));
    kit.enqueue(job.clone()).await;
    assert_eq!(kit.job(job.id).await.counters.fence, 0);
    let lease = kit.claim_one(Lane::Build).await;
    assert_eq!(lease.job.fence, Fence::of(lease.job.seq, 1));
    assert_eq!(kit.job(job.id).await.counters.fence, 1);
    kit.finish(lease.job, retry(Duration::ZERO, false)).await;
    kit.maintain().await;
    let again = kit.claim_one(Lane::Build).await;
    assert_eq!(again.job, LeaseRef { seq: lease.job.seq, fence: Fence::of(lease.job.seq, 2) });
}

/// 500 sequences of random fates, one a job: every hand-out has a greater fence than the one before, and so has a cancel.
pub async fn fence_strictly_increases(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let org = app.org.clone();
    kit.run_one(Lane::Build, Outcome::Done).await;
    let jobs: Vec<NewJob> = (0..500).map(|_| build_job(&org, app.id, revision_id())).collect();
    let keys: HashMap<JobId, CancelJobs> =
        jobs.iter().filter_map(|job| Some((job.id, CancelJobs::Key(job.dedupe.as_ref()?.key.clone())))).collect();
    kit.enqueue_all(jobs).await;
    let random = SeededRandom::new(7);
    let mut last: HashMap<JobId, Fence> = HashMap::new();
    let mut cancelled: HashMap<JobId, Fence> = HashMap::new();
    for _ in 0..6 {
        let mut leases = Vec::new();
        for _ in 0..5 {
            leases.extend(kit.claim(Lane::Build, 100).await);
        }
        assert_eq!(leases.len() + cancelled.len(), 500, "every job comes back");
        let (mut finishes, mut parked, mut cancels) = (Vec::new(), Vec::new(), app.change());
        for lease in leases {
            let before = last.insert(lease.id, lease.job.fence);
            assert!(before.is_none_or(|before| before < lease.job.fence), "{before:?} {lease:?}");
            let mut fate = [0_u8];
            random.fill(&mut fate);
            let outcome = match fate[0] % 16 {
                0..=3 => Outcome::Release,
                4..=7 => retry(Duration::ZERO, true),
                8..=10 => {
                    parked.push(lease.id);
                    park()
                }
                11 => {
                    cancelled.insert(lease.id, lease.job.fence);
                    cancels = cancels.with_cancel(keys[&lease.id].clone());
                    Outcome::Release
                }
                _ => continue,
            };
            finishes.push(Finish { lease: lease.job, outcome });
        }
        for items in finishes.chunks(100) {
            let answers = kit.store.finish(items.to_vec()).await.expect("a finish is answered");
            assert!(answers.iter().all(|a| *a == Finished::Accepted));
        }
        kit.commit(cancels).await;
        for id in parked {
            kit.store.revive(&scope(&org), id).await.expect("a parked job is revived");
        }
        kit.later(2 * LEASE).await;
    }
    let peek = h.peek().await;
    assert!(cancelled.len() > 50, "{}", cancelled.len());
    for (id, leased) in cancelled {
        let job = peek.job(id).expect("the job is stored");
        assert_eq!((job.state, job.counters.fence), (JobState::Cancelled, leased.hand_out() + 2), "released, cancelled");
    }
}

/// Of two jobs of a serial key, the later one has the greater fence, however often the earlier was handed out.
pub async fn fence_grows_across_jobs_of_serial_key(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (org, deployment) = (org("a"), deployment_id());
    kit.enqueue(deploy_job(&org, deployment, revision_id())).await;
    kit.enqueue(deploy_job(&org, deployment, revision_id())).await;
    for _ in 0..3 {
        kit.run_one(Lane::Deploy, Outcome::Release).await;
    }
    let first = kit.run_one(Lane::Deploy, Outcome::Done).await;
    let second = kit.run_one(Lane::Deploy, Outcome::Done).await;
    assert!(first.job.fence < second.job.fence && first.job.seq < second.job.seq);
}

/// A lease lasts until its time by the store's clock, and not longer.
pub async fn lease_expires_by_db_clock(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(plain_job(&org("a"))).await;
    kit.claim_one(Lane::Build).await;
    assert_eq!(kit.later(LEASE / 2).await.taken_back, 0);
    assert_eq!(kit.later(LEASE / 2 + Duration::from_secs(1)).await.taken_back, 1);
    assert_eq!(kit.maintain().await.taken_back, 0);
    assert_eq!(kit.claim_one(Lane::Build).await.losses, 1);
}

/// An extended lease lasts from the extend.
pub async fn extend_prolongs(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(plain_job(&org("a"))).await;
    let lease = kit.claim_one(Lane::Build).await;
    for _ in 0..3 {
        assert_eq!(kit.later(LEASE / 3 * 2).await.taken_back, 0);
        assert_eq!(kit.extend(lease.job).await, Extended::Until(LEASE));
    }
    assert_eq!(kit.later(LEASE + Duration::from_secs(1)).await.taken_back, 1);
}

/// Held, asked to stop and lost in one call, answered in order.
pub async fn extend_many_mixed(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let asked = kit.claim_one(Lane::Build).await;
    kit.commit(app.change().with_cancel(CancelJobs::OfRevision(app.first))).await;
    kit.enqueue_all(vec![plain_job(&app.org), plain_job(&app.org)]).await;
    let (held, ended) = (kit.claim_one(Lane::Build).await, kit.run_one(Lane::Build, Outcome::Done).await);
    let unknown = LeaseRef { seq: i64::MAX >> 21, fence: Fence::of(i64::MAX >> 21, 1) };
    let leases = [ended.job, asked.job, unknown, held.job];
    let answers = h.other().extend(&leases, LEASE).await.expect("an extend is answered");
    assert_eq!(answers, [Extended::Lost, Extended::CancelAsked(LEASE), Extended::Lost, Extended::Until(LEASE)]);
}

/// A lease that was taken back is lost for good.
pub async fn extend_after_take_back_is_lost(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(plain_job(&org("a"))).await;
    let lease = kit.claim_one(Lane::Build).await;
    kit.later(2 * LEASE).await;
    assert_eq!(kit.extend(lease.job).await, Extended::Lost);
    assert_eq!(h.peek().await.count(JobState::Ready), 1);
}

/// A lease that ran out and that nobody has taken back is still good.
pub async fn extend_expired_but_not_taken_back_is_ok(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(plain_job(&org("a"))).await;
    let lease = kit.claim_one(Lane::Build).await;
    h.advance(2 * LEASE);
    assert_eq!(kit.extend(lease.job).await, Extended::Until(LEASE));
    assert_eq!(kit.maintain().await.taken_back, 0);
}

/// An older fence of the same job prolongs nothing.
pub async fn extend_does_not_touch_other_fence(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(plain_job(&org("a"))).await;
    let old = kit.run_one(Lane::Build, Outcome::Release).await;
    let new = kit.claim_one(Lane::Build).await;
    assert_eq!(new.job.seq, old.job.seq);
    h.advance(LEASE / 3 * 2);
    assert_eq!(kit.extend(old.job).await, Extended::Lost);
    assert_eq!(kit.later(LEASE / 3 * 2).await.taken_back, 1, "the lease of the new holder ran out in its own time");
}

/// A hundred leases are prolonged by the statements that prolong one, in one transaction.
pub async fn extend_100_in_one_statement(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue_all((0..100).map(|_| plain_job(&org("a"))).collect()).await;
    let leases: Vec<LeaseRef> = kit.claim(Lane::Build, 100).await.iter().map(|lease| lease.job).collect();
    assert_eq!(leases.len(), 100);
    h.advance(LEASE / 3 * 2);
    let mut counts = Vec::new();
    for n in [1, 100] {
        let stepper = Stepper::watching();
        let store = h.hooked(Arc::<Stepper>::clone(&stepper));
        let answers = store.extend(&leases[..n], LEASE).await.expect("an extend is answered");
        assert_eq!(answers, vec![Extended::Until(LEASE); n]);
        counts.push((stepper.count("begin"), stepper.count("statement"), stepper.count("after_commit")));
    }
    assert_eq!(counts[0], counts[1], "transactions, statements, commits");
    assert!(counts[1].0 == 1 && counts[1].1 <= 2, "{counts:?}");
    assert_eq!(kit.later(LEASE / 3 * 2).await.taken_back, 0);
    assert_eq!(kit.later(LEASE / 3 * 2).await.taken_back, 100);
}

/// Ten minutes of work under a lease of one, with heartbeats, start once.
pub async fn long_job_starts_once(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(plain_job(&org("a"))).await;
    let lease = kit.claim_one(Lane::Build).await;
    for _ in 0..30 {
        assert_eq!(kit.later(LEASE / 3).await.taken_back, 0);
        assert!(h.other().claim(&request(Lane::Build, 1)).await.expect("a claim is answered").is_empty());
        assert_eq!(kit.extend(lease.job).await, Extended::Until(LEASE));
    }
    assert_eq!(kit.finish(lease.job, Outcome::Done).await, Finished::Accepted);
    assert_eq!(kit.job(lease.id).await.counters.fence, 1);
}
