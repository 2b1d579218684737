//! How leases end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::job_state::Counters;
use crate::domain::{
    Budget, CancelJobs, Extended, Fence, Finish, Finished, JobError, JobPayload, JobState, Lane, Lease, LeaseRef, Outcome,
    RevisionJob, SweepJob,
};
use crate::error::ErrorKind;
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{build_job, deployment_id, org, plain_job, revision_id, start, sweep_job};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{Kit, LEASE, committed, park, retry, scope, snooze};

const HOUR: Duration = Duration::from_secs(3_600);

async fn claimed(kit: &Kit<'_>) -> Lease {
    kit.enqueue(plain_job(&org("a"))).await;
    kit.claim_one(Lane::Build).await
}

async fn ends(h: &dyn StoreHarness, outcome: Outcome, state: JobState) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    let before = h.now().as_micros();
    assert_eq!(kit.finish(lease.job, outcome).await, Finished::Accepted);
    let job = kit.job(lease.id).await;
    assert_eq!((job.state, job.counters), (state, Counters { fence: 1, ..Counters::default() }));
    assert!((before..=h.now().as_micros()).contains(&job.place), "the end time is kept: {job:?}");
    assert_eq!(kit.extend(lease.job).await, Extended::Lost);
    assert!(kit.claim(Lane::Build, 1).await.is_empty());
}

/// A done job has ended.
pub async fn finish_done(h: &dyn StoreHarness) {
    ends(h, Outcome::Done, JobState::Done).await;
}

/// A job whose holder obeyed a cancel has ended.
pub async fn finish_cancelled(h: &dyn StoreHarness) {
    ends(h, Outcome::Cancelled, JobState::Cancelled).await;
}

/// A job that was given up has ended, with its error.
pub async fn finish_park(h: &dyn StoreHarness) {
    ends(h, park(), JobState::Parked).await;
    let parked = h.store().parked(&scope(&org("a"))).await.expect("parked jobs are listed");
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].error, JobError::new("suite", "given up"));
}

/// A retry waits, and is charged.
pub async fn finish_retry_charges_failure(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    let before = h.now().plus(HOUR).as_micros();
    kit.finish(lease.job, retry(HOUR, false)).await;
    let job = kit.job(lease.id).await;
    assert_eq!(job.state, JobState::Delayed);
    assert_eq!(job.counters, Counters { fence: 1, failures: 1, ..Counters::default() });
    assert_eq!(job.last_error, Some(JobError::new("suite", "failed")));
    assert!((before..=h.now().plus(HOUR).as_micros()).contains(&job.place), "due after the pause: {job:?}");
    kit.maintain().await;
    assert!(kit.claim(Lane::Build, 1).await.is_empty());
    kit.later(HOUR).await;
    assert_eq!(kit.claim_one(Lane::Build).await.failures, 1);
}

/// A panic is charged twice.
pub async fn finish_retry_panic_charges_both(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    kit.finish(lease.job, retry(Duration::ZERO, true)).await;
    kit.maintain().await;
    let lease = kit.claim_one(Lane::Build).await;
    assert_eq!((lease.failures, lease.panics, lease.losses), (1, 1, 0));
}

/// A snooze is not charged and forgives earlier failures; without a pause the job is ready at once.
pub async fn finish_snooze_is_free_and_resets_failures(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    kit.finish(lease.job, retry(Duration::ZERO, true)).await;
    kit.maintain().await;
    kit.run_one(Lane::Build, snooze(Duration::ZERO)).await;
    let job = kit.job(lease.id).await;
    assert_eq!(job.state, JobState::Ready);
    assert_eq!(job.counters, Counters { fence: 2, failures: 0, losses: 0, panics: 1, snoozes: 1 });
    kit.run_one(Lane::Build, snooze(HOUR)).await;
    assert_eq!(kit.state(lease.id).await, JobState::Delayed);
    kit.later(HOUR).await;
    assert_eq!(kit.claim_one(Lane::Build).await.id, lease.id);
}

/// A snooze may bring a new payload of the same kind.
pub async fn finish_snooze_replaces_payload(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    kit.enqueue(sweep_job()).await;
    let payload = JobPayload::Sweep(SweepJob::Periodic { since: Some(start()), after: None });
    let outcome = |payload| Outcome::Snooze { after: Duration::ZERO, payload: Some(payload) };
    kit.run_one(Lane::Sweep, outcome(payload.clone())).await;
    let lease = kit.claim_one(Lane::Sweep).await;
    assert_eq!(lease.payload, payload);
    let foreign = outcome(JobPayload::Build(RevisionJob { revision: revision_id() }));
    let items = vec![Finish { lease: lease.job, outcome: foreign }];
    let error = kit.store.finish(items).await.expect_err("the payload is of another kind");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(kit.state(lease.id).await, JobState::Leased);
}

/// A release is not charged; the job is ready at once under the next fence.
pub async fn finish_release_is_free_and_bumps_fence(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    kit.finish(lease.job, Outcome::Release).await;
    let job = kit.job(lease.id).await;
    assert_eq!((job.state, job.counters), (JobState::Ready, Counters { fence: 2, ..Counters::default() }));
    assert_eq!(kit.claim_one(Lane::Build).await.job.fence, Fence::of(lease.job.seq, 3));
}

/// The first holder, back from the dead while the second works, changes nothing.
pub async fn finish_stale_fence_is_lost(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let zombie = claimed(&kit).await;
    kit.later(2 * LEASE).await;
    let holder = kit.claim_one(Lane::Build).await;
    let before = kit.job(zombie.id).await;
    for outcome in [Outcome::Done, Outcome::Release, retry(HOUR, true), park(), snooze(HOUR), Outcome::Cancelled] {
        assert_eq!(kit.finish(zombie.job, outcome).await, Finished::Lost);
    }
    assert_eq!(kit.job(zombie.id).await, before);
    assert_eq!(kit.finish(holder.job, Outcome::Done).await, Finished::Accepted);
}

/// A lease that was taken back is lost although nobody has the job yet.
pub async fn finish_stale_after_take_back_before_reclaim_is_lost(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    kit.later(2 * LEASE).await;
    assert_eq!(kit.finish(lease.job, Outcome::Done).await, Finished::Lost);
    assert_eq!(kit.state(lease.id).await, JobState::Ready);
}

/// Repeating a finish whose answer was lost is accepted and changes nothing.
pub async fn finish_twice_is_accepted_twice(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    kit.finish(lease.job, retry(HOUR, false)).await;
    let before = kit.job(lease.id).await;
    assert_eq!(kit.finish(lease.job, retry(HOUR, false)).await, Finished::Accepted);
    assert_eq!(kit.finish(lease.job, Outcome::Done).await, Finished::Accepted);
    assert_eq!(kit.job(lease.id).await, before);
}

/// A lease that ran out and that nobody has taken back still ends the job.
pub async fn finish_after_expiry_before_take_back_is_accepted(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    h.advance(2 * LEASE);
    assert_eq!(kit.finish(lease.job, Outcome::Done).await, Finished::Accepted);
    assert_eq!(kit.maintain().await.taken_back, 0);
    assert_eq!(kit.state(lease.id).await, JobState::Done);
}

/// A cancel before the end is a request, after the end it is nothing.
pub async fn finish_vs_cancel(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for (name, cancel_first) in [("one", true), ("two", false)] {
        let app = kit.app(&org("a"), name).await;
        let lease = kit.claim_one(Lane::Build).await;
        let cancel = app.change().with_cancel(CancelJobs::OfRevision(app.first));
        if cancel_first {
            kit.commit(cancel.clone()).await;
            assert!(kit.job(lease.id).await.cancel_asked);
        }
        assert_eq!(kit.finish(lease.job, Outcome::Done).await, Finished::Accepted);
        if !cancel_first {
            kit.commit(cancel).await;
        }
        assert_eq!(kit.state(lease.id).await, JobState::Done);
    }
    for at in 0.. {
        let app = kit.app(&org("a"), &format!("app-{at}")).await;
        let lease = kit.claim_one(Lane::Build).await;
        let change = app.change().with_cancel(CancelJobs::OfRevision(app.first));
        let cancel = |store: Arc<dyn Store>| async move { committed(store.apply(change).await.expect("it is answered")) };
        let Some(both) = meanwhile(h, at, Act::Go, ending(lease.job), cancel).await else { break };
        assert_eq!((both.first, kit.state(lease.id).await), (Finished::Accepted, JobState::Done), "{:?}", both.at);
    }
}

/// Of an end and a taking back, whichever comes first wins, wherever the end stands.
pub async fn finish_vs_take_back(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for at in 0.. {
        let lease = claimed(&kit).await;
        h.advance(2 * LEASE);
        let take_back = |store: Arc<dyn Store>| async move {
            let budget = Budget { time: Duration::from_secs(60), purge: false };
            store.maintain(&budget).await.expect("housekeeping is done").taken_back
        };
        let Some(both) = meanwhile(h, at, Act::Go, ending(lease.job), take_back).await else { break };
        let taken = both.second == 1;
        let expected = if taken { (Finished::Lost, JobState::Ready) } else { (Finished::Accepted, JobState::Done) };
        assert_eq!((both.first, kit.state(lease.id).await), expected, "{:?}", both.at);
        for lease in kit.claim(Lane::Build, 1).await {
            kit.finish(lease.job, Outcome::Done).await;
        }
    }
}

fn ending(lease: LeaseRef) -> impl FnOnce(Arc<dyn Store>) -> BoxFuture<'static, Finished> {
    let items = vec![Finish { lease, outcome: Outcome::Done }];
    move |store| async move { store.finish(items).await.expect("a finish is answered")[0] }.boxed()
}

/// Accepted and lost in one call, answered in order; more than 100 items are refused.
pub async fn finish_many_mixed(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let first = claimed(&kit).await;
    kit.finish(first.job, Outcome::Release).await;
    let second = kit.claim_one(Lane::Build).await;
    let third = claimed(&kit).await;
    let item = |lease: LeaseRef| Finish { lease, outcome: Outcome::Done };
    let unknown = LeaseRef { seq: i64::MAX >> 21, fence: Fence::of(i64::MAX >> 21, 1) };
    let items = [first.job, third.job, unknown, second.job].map(item).to_vec();
    let answers = kit.store.finish(items).await.expect("a finish is answered");
    assert_eq!(answers, [Finished::Lost, Finished::Accepted, Finished::Lost, Finished::Accepted]);
    let error = kit.store.finish(vec![item(second.job); 101]).await.expect_err("101 items are too many");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// A long error is cut, and what looks like a credential never reaches the row.
pub async fn finish_error_is_cut_and_redacted(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let lease = claimed(&kit).await;
    let canary = ["ghp_", &"Q".repeat(36)].concat();
    let message = [canary.as_str(), " ", &"é".repeat(2_000)].concat();
    let error = JobError::new(&"c".repeat(60), &message);
    kit.finish(lease.job, Outcome::Park { error: error.clone() }).await;
    let kept = kit.job(lease.id).await.last_error.expect("the error is kept");
    assert_eq!(kept, error);
    assert!(kept.code().len() <= 40 && kept.message().len() <= 1_024);
    assert!(!kept.message().contains(&canary), "{kept:?}");
    assert!(!h.raw().await.contains(&canary), "in no table");
}

/// Nothing moves a job that has ended but the revival of a parked one.
pub async fn terminal_is_terminal(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let org = org("a");
    for (outcome, revives) in [(Outcome::Done, false), (Outcome::Cancelled, false), (park(), true)] {
        let job = build_job(&org, deployment_id(), revision_id());
        kit.enqueue(job.clone()).await;
        let lease = kit.run_one(Lane::Build, outcome).await;
        let before = kit.job(job.id).await;
        assert!(kit.enqueue(job.clone()).await.folded);
        kit.finish(lease.job, Outcome::Release).await;
        assert_eq!(kit.extend(lease.job).await, Extended::Lost);
        kit.later(2 * LEASE).await;
        assert_eq!(kit.job(job.id).await, before);
        assert_eq!(kit.store.revive(&scope(&org), job.id).await.is_ok(), revives);
        if revives {
            kit.run_one(Lane::Build, Outcome::Done).await;
        }
    }
}
