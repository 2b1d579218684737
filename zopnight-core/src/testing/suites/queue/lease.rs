//! Claim and lease.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::domain::{
    CancelJobs, ClaimRequest, Extended, Fence, Finish, Finished, JobId, JobState, Lane, LeaseRef, NewJob, Outcome, Want,
};
use crate::error::ErrorKind;
use crate::ports::Random as _;
use crate::testing::fakes::SeededRandom;
use crate::testing::suites::fixtures::{deploy_job, deployment_id, org, plain_job, revision_id, status_job};
use crate::testing::suites::store::{Kit, LEASE, StoreHarness, park, request, retry, scope};

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

/// 500 jobs, each with its own random fates: every hand-out has a greater fence than the one before.
pub async fn fence_strictly_increases(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let org = org("a");
    kit.enqueue_all((0..500).map(|_| plain_job(&org)).collect()).await;
    let random = SeededRandom::new(7);
    let mut last: HashMap<JobId, Fence> = HashMap::new();
    for _ in 0..5 {
        let mut leases = Vec::new();
        for _ in 0..5 {
            leases.extend(kit.claim(Lane::Build, 100).await);
        }
        assert_eq!(leases.len(), 500, "every job comes back");
        let (mut finishes, mut parked) = (Vec::new(), Vec::new());
        for lease in leases {
            let before = last.insert(lease.id, lease.job.fence);
            assert!(before.is_none_or(|before| before < lease.job.fence), "{before:?} {lease:?}");
            let mut fate = [0_u8];
            random.fill(&mut fate);
            let outcome = match fate[0] % 4 {
                0 => Outcome::Release,
                1 => retry(Duration::ZERO, true),
                2 => {
                    parked.push(lease.id);
                    park()
                }
                _ => continue,
            };
            finishes.push(Finish { lease: lease.job, outcome });
        }
        for items in finishes.chunks(100) {
            let answers = kit.store.finish(items.to_vec()).await.expect("a finish is answered");
            assert!(answers.iter().all(|a| *a == Finished::Accepted));
        }
        for id in parked {
            kit.store.revive(&scope(&org), id).await.expect("a parked job is revived");
        }
        kit.later(2 * LEASE).await;
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
