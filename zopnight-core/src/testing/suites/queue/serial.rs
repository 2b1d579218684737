//! Serial keys: one at a time, in the order of enqueueing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::domain::{CancelJobs, DeploymentId, Finish, Finished, JobId, JobState, Lane, NewJob, OrgId, Outcome};
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::peek::BlockedOn;
use crate::testing::suites::fixtures::{deploy_job, deployment_id, org, revision_id, teardown_job};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{Kit, LEASE, park, request, retry};

const HOUR: Duration = Duration::from_secs(3_600);

async fn line(kit: &Kit<'_>, org: &OrgId, deployment: DeploymentId, n: usize) -> Vec<JobId> {
    let jobs: Vec<NewJob> = (0..n).map(|_| deploy_job(org, deployment, revision_id())).collect();
    let ids = jobs.iter().map(|job| job.id).collect();
    for batch in jobs.chunks(500) {
        kit.enqueue_all(batch.to_vec()).await;
    }
    ids
}

/// 1,000 jobs of one key, 16 claimers on two handles: never two at once, all of them, in order.
pub async fn serial_one_at_a_time(h: &dyn StoreHarness) {
    const JOBS: usize = 1_000;
    let kit = Kit::of(h);
    let ids = line(&kit, &org("a"), deployment_id(), JOBS).await;
    let (running, ran) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Mutex::new(Vec::new())));
    let claimers: Vec<_> = (0..16)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            let (running, ran) = (Arc::clone(&running), Arc::clone(&ran));
            tokio::spawn(async move {
                while ran.lock().await.len() < JOBS {
                    let leases = store.claim(&request(Lane::Deploy, 5)).await.expect("a claim is answered");
                    for lease in &leases {
                        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two of a key are leased");
                        ran.lock().await.push(lease.id);
                        running.fetch_sub(1, Ordering::SeqCst);
                        let items = vec![Finish { lease: lease.job, outcome: Outcome::Done }];
                        store.finish(items).await.expect("a finish is answered");
                    }
                    if leases.is_empty() {
                        store.wait(Duration::from_millis(5)).await;
                    }
                }
            })
        })
        .collect();
    for claimer in claimers {
        claimer.await.expect("a claimer ends");
    }
    assert_eq!(*ran.lock().await, ids);
}

/// The order of enqueueing, whatever the batches.
pub async fn serial_in_enqueue_order(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (org, deployment) = (org("a"), deployment_id());
    let mut ids = line(&kit, &org, deployment, 3).await;
    ids.extend(line(&kit, &org, deployment, 2).await);
    for id in ids {
        assert_eq!(kit.claim(Lane::Deploy, 10).await.len(), 1);
        let lease = h.peek().await.job(id).cloned().expect("the job is stored");
        assert_eq!(lease.state, JobState::Leased);
        let held =
            crate::domain::LeaseRef { seq: lease.seq, fence: crate::domain::Fence::of(lease.seq, lease.counters.fence) };
        kit.finish(held, Outcome::Done).await;
    }
}

/// A job that is tried again keeps its key meanwhile.
pub async fn serial_order_survives_retry(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let ids = line(&kit, &org("a"), deployment_id(), 2).await;
    kit.run_one(Lane::Deploy, retry(HOUR, false)).await;
    kit.maintain().await;
    assert!(kit.claim(Lane::Deploy, 10).await.is_empty());
    kit.later(HOUR).await;
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, ids[0]);
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, ids[1]);
}

async fn unblocks_on(h: &dyn StoreHarness, outcome: Outcome) {
    let kit = Kit::of(h);
    let ids = line(&kit, &org("a"), deployment_id(), 3).await;
    let blocked = kit.job(ids[1]).await;
    assert_eq!((blocked.state, blocked.blocked_on, blocked.place), (JobState::Blocked, Some(BlockedOn::Serial), 0));
    kit.run_one(Lane::Deploy, outcome).await;
    assert_eq!(kit.state(ids[1]).await, JobState::Ready);
    assert_eq!(kit.state(ids[2]).await, JobState::Blocked);
    assert_eq!(kit.maintain().await.mended, 0);
}

/// The next job is ready in the commit that ends the holder.
pub async fn serial_unblocks_on_done(h: &dyn StoreHarness) {
    unblocks_on(h, Outcome::Done).await;
}

/// A holder that is given up lets the next one go on.
pub async fn serial_unblocks_on_park(h: &dyn StoreHarness) {
    unblocks_on(h, park()).await;
}

/// A holder that is cancelled lets the next one go on, waiting or running.
pub async fn serial_unblocks_on_cancel(h: &dyn StoreHarness) {
    unblocks_on(h, Outcome::Cancelled).await;
    let kit = Kit::of(h);
    let app = kit.app(&org("b"), "shop").await;
    let waiting = deploy_job(&app.org, app.id, app.first);
    kit.enqueue(waiting.clone()).await;
    let next = line(&kit, &app.org, app.id, 1).await;
    kit.commit(app.change().with_cancel(CancelJobs::OfRevision(app.first))).await;
    assert_eq!(kit.state(waiting.id).await, JobState::Cancelled);
    assert_eq!(kit.state(next[0]).await, JobState::Ready);
}

/// A dead holder is run again before the next, within its lease and one round of housekeeping.
pub async fn serial_holder_dies_next_starts(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let ids = line(&kit, &org("a"), deployment_id(), 2).await;
    kit.claim_one(Lane::Deploy).await;
    assert_eq!(kit.later(2 * LEASE).await.taken_back, 1);
    assert_eq!(kit.state(ids[1]).await, JobState::Blocked);
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, ids[0]);
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, ids[1]);
}

/// An enqueue beside the holder's end never leaves a job that waits for nobody, wherever either of them stands.
pub async fn serial_enqueue_vs_finish(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for enqueue_first in [true, false] {
        for at in 0.. {
            let (org, deployment) = (org("a"), deployment_id());
            line(&kit, &org, deployment, 1).await;
            let holder = kit.claim_one(Lane::Deploy).await.job;
            let next = deploy_job(&org, deployment, revision_id());
            let job = next.clone();
            let enqueue =
                async move |store: Arc<dyn Store>| drop(store.enqueue(vec![job]).await.expect("the job is stored"));
            let finish = async move |store: Arc<dyn Store>| {
                let items = vec![Finish { lease: holder, outcome: Outcome::Done }];
                assert_eq!(store.finish(items).await.expect("a finish is answered"), [Finished::Accepted]);
            };
            let both = if enqueue_first {
                meanwhile(h, at, Act::Go, enqueue, finish).await
            } else {
                meanwhile(h, at, Act::Go, finish, enqueue).await
            };
            let Some(both) = both else {
                kit.maintain().await;
                while !kit.claim(Lane::Deploy, 100).await.is_empty() {}
                break;
            };
            assert_eq!(kit.state(next.id).await, JobState::Ready, "{:?}", both.at);
            assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, next.id);
        }
    }
}

/// A delayed job holds its key: its place in line is taken at enqueue.
pub async fn serial_delayed_holder_blocks(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (org, deployment) = (org("a"), deployment_id());
    let first = deploy_job(&org, deployment, revision_id()).after(HOUR);
    kit.enqueue(first.clone()).await;
    let ids = line(&kit, &org, deployment, 1).await;
    assert_eq!(kit.state(ids[0]).await, JobState::Blocked);
    assert!(kit.claim(Lane::Deploy, 10).await.is_empty());
    kit.later(HOUR).await;
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, first.id);
    assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, ids[0]);
}

/// Deploys and the teardown of a deployment stand in one line; other deployments and orgs do not.
pub async fn serial_deploy_and_teardown_share_key(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (a, b, deployment) = (org("a"), org("b"), deployment_id());
    let deploy = deploy_job(&a, deployment, revision_id());
    let teardown = teardown_job(&a, deployment);
    let others = [deploy_job(&a, deployment_id(), revision_id()), deploy_job(&b, deployment, revision_id())];
    kit.enqueue_all([vec![deploy.clone(), teardown.clone()], others.to_vec()].concat()).await;
    assert_eq!(kit.state(teardown.id).await, JobState::Blocked);
    for other in &others {
        assert_eq!(kit.state(other.id).await, JobState::Ready);
    }
}

/// Cancelling the middle of a line keeps the order of the rest.
pub async fn serial_blocked_can_be_cancelled(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let first = line(&kit, &app.org, app.id, 1).await;
    let middle = deploy_job(&app.org, app.id, app.first);
    kit.enqueue(middle.clone()).await;
    let rest = line(&kit, &app.org, app.id, 2).await;
    kit.commit(app.change().with_cancel(CancelJobs::OfRevision(app.first))).await;
    assert_eq!(kit.state(middle.id).await, JobState::Cancelled);
    assert_eq!(kit.state(rest[0]).await, JobState::Blocked, "the holder is still there");
    for id in [first[0], rest[0], rest[1]] {
        assert_eq!(kit.run_one(Lane::Deploy, Outcome::Done).await.id, id);
    }
}
