//! The job a change comes from, and the jobs it leaves.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Applied, AttemptOp, Budget, CancelJobs, EventKind, Fence, JobKind, JobState, JobStep, Lane, LeaseRef, NewEvent, NewJob,
    Outcome, RevisionChange, RevisionPatch, RevisionState, RunOutcome, Scope, Settled,
};
use crate::error::ErrorKind;
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{
    attempt_id, build_job, deploy_job, image, job_id, open, org, plain_job, step, told, watch_job,
};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{App, Kit, LEASE, retry};

fn noted(change: RevisionChange) -> RevisionChange {
    change.with_event(NewEvent::new(EventKind::BuildAttempt, "noted"))
}

/// A change under a held lease is carried out and the job goes on; under any other lease nothing is.
pub async fn job_hold_checks_fence(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let lease = kit.claim_one(Lane::Build).await;
    kit.commit(noted(app.change().with_job(JobStep::Hold(lease.job)))).await;
    assert_eq!(kit.state(lease.id).await, JobState::Leased);
    let before = h.peek().await;
    let other = LeaseRef { seq: lease.job.seq, fence: Fence::of(lease.job.seq, 2) };
    let unknown = LeaseRef { seq: i64::MAX >> 21, fence: Fence::of(i64::MAX >> 21, 1) };
    for wrong in [other, unknown] {
        let applied = kit.apply(noted(app.change().with_job(JobStep::Hold(wrong)))).await;
        assert!(matches!(applied, Applied::LeaseLost), "{applied:?}");
    }
    assert_eq!(h.peek().await, before);
    kit.finish(lease.job, Outcome::Done).await;
    let applied = kit.apply(noted(app.change().with_job(JobStep::Hold(lease.job)))).await;
    assert!(matches!(applied, Applied::LeaseLost), "{applied:?}");
}

/// The end of the job, the move, the event and the next job are one commit.
pub async fn job_finish_in_same_commit(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let lease = kit.claim_one(Lane::Build).await;
    let (jti, next) = (attempt_id(), watch_job(&app.org, app.id, app.first, attempt_id()));
    let change = kit.moving(&app, app.first, RevisionState::Building).await;
    let change = change.with_job(JobStep::Finish(lease.job, Outcome::Done)).with_attempt(open(jti, app.first, 1));
    let done = kit.commit(change.with_follow_up(next.clone())).await;
    assert_eq!(done.events, Some((3, 3)));
    let peek = h.peek().await;
    assert_eq!(peek.job(lease.id).map(|job| job.state), Some(JobState::Done));
    assert_eq!(peek.job(next.id).map(|job| job.state), Some(JobState::Ready));
    assert_eq!((peek.revisions[0].state, peek.attempts.len(), peek.events.len()), (RevisionState::Building, 1, 3));
}

/// A worker that lost its lease is refused as a whole.
pub async fn job_lost_rolls_back_all(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let zombie = kit.claim_one(Lane::Build).await;
    kit.later(2 * LEASE).await;
    let holder = kit.claim_one(Lane::Build).await;
    let before = h.peek().await;
    for job in [JobStep::Finish(zombie.job, Outcome::Done), JobStep::Hold(zombie.job)] {
        let change = kit.moving(&app, app.first, RevisionState::Failed).await.with_job(job);
        let change = change.with_attempt(open(attempt_id(), app.first, 1)).with_follow_up(plain_job(&app.org));
        let applied = kit.apply(change.with_cancel(CancelJobs::OfRevision(app.first))).await;
        assert!(matches!(applied, Applied::LeaseLost), "{applied:?}");
        assert_eq!(h.peek().await, before);
    }
    let change = kit.moving(&app, app.first, RevisionState::Building).await;
    kit.commit(change.with_job(JobStep::Finish(holder.job, Outcome::Done))).await;
}

/// Repeating a finishing change whose answer was lost is told so, and changes nothing.
pub async fn job_finish_repeat_is_already_finished(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let lease = kit.claim_one(Lane::Build).await;
    for outcome in [Outcome::Done, retry(Duration::ZERO, false)] {
        let lease = if outcome == Outcome::Done {
            lease.clone()
        } else {
            kit.enqueue(build_job(&app.org, app.id, app.first)).await;
            kit.claim_one(Lane::Build).await
        };
        let change = || noted(app.change().with_job(JobStep::Finish(lease.job, outcome.clone())));
        kit.commit(change()).await;
        let before = h.peek().await;
        let applied = kit.apply(change().with_follow_up(plain_job(&app.org))).await;
        assert!(matches!(applied, Applied::AlreadyFinished), "{applied:?}");
        assert_eq!(h.peek().await, before);
    }
}

/// A change under a lease beside the taking back of that lease, wherever the change stands: a worker that has lost its lease
/// writes nothing, and one that wrote had not lost it.
pub async fn job_lost_beside_its_change(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for hold in [true, false] {
        for at in 0.. {
            let app = kit.app(&org("a"), &format!("app-{hold}-{at}")).await;
            let lease = kit.claim_one(Lane::Build).await;
            h.advance(2 * LEASE);
            let job = if hold { JobStep::Hold(lease.job) } else { JobStep::Finish(lease.job, Outcome::Done) };
            let change = noted(app.change().with_job(job));
            let write = |store: Arc<dyn Store>| async move { store.apply(change).await.expect("a change is answered") };
            let take_back = |store: Arc<dyn Store>| async move {
                let budget = Budget { time: Duration::from_secs(60), purge: false };
                store.maintain(&budget).await.expect("housekeeping is done").taken_back
            };
            let Some(both) = meanwhile(h, at, Act::Go, write, take_back).await else {
                end_all(&kit).await;
                break;
            };
            let row = kit.job(lease.id).await;
            let written = kit.events(&app).await.len() == 3;
            match both.first {
                Applied::Committed(_) => {
                    assert!(written, "{:?}", both.at);
                    let lost = both.overtook && both.second > 0 && !both.at.is_committed();
                    assert!(!lost, "it wrote after its lease was taken back: {:?}", both.at);
                    assert!(hold || row.state == JobState::Done, "{row:?} {:?}", both.at);
                }
                Applied::LeaseLost => {
                    assert!(!written, "{:?}", both.at);
                    assert_eq!((row.state, row.counters.losses, both.second), (JobState::Ready, 1, 1), "{:?}", both.at);
                }
                other => panic!("{:?}: {other:?}", both.at),
            }
            end_all(&kit).await;
        }
    }
}

/// Runs what is left in the lane, so that the next round has it for itself.
async fn end_all(kit: &Kit<'_>) {
    kit.maintain().await;
    for lease in kit.claim(Lane::Build, 10).await {
        kit.finish(lease.job, Outcome::Done).await;
    }
}

/// A job may end and leave its successor under the same key: the end frees the key first.
pub async fn self_reenqueue_same_key(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    kit.run_one(Lane::Build, Outcome::Done).await;
    for make in [build_job, deploy_job] {
        let first = make(&app.org, app.id, app.first);
        kit.enqueue(first.clone()).await;
        let lane = first.kind.lane();
        for _ in 0..3 {
            let lease = kit.claim_one(lane).await;
            let next = make(&app.org, app.id, app.first);
            let change = app.change().with_job(JobStep::Finish(lease.job, Outcome::Done)).with_follow_up(next.clone());
            let done = kit.commit(change).await;
            assert!(!done.enqueued[0].folded && done.enqueued[0].id == next.id);
            assert_eq!(kit.state(next.id).await, JobState::Ready);
        }
        kit.run_one(lane, Outcome::Done).await;
    }
}

fn callback(app: &App, view: &crate::domain::RevisionView, deploy: NewJob) -> RevisionChange {
    let jti = view.attempt.as_ref().map(|a| a.jti).expect("an attempt");
    let patch = RevisionPatch { image: Some(image(1)), ..RevisionPatch::default() };
    let (settled, outcome) = (Settled::Callback, Some(RunOutcome::Succeeded));
    app.change()
        .with_revision(step(view, RevisionState::Built, patch))
        .with_attempt(AttemptOp::Close { jti, settled, outcome, body_digest: Some([3; 32]) })
        .with_event(told(app.first, RevisionState::Built))
        .with_follow_up(deploy)
}

/// A hundred identical callbacks at once: one move, one deploy job.
pub async fn callback_100_identical(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let change = kit.moving(&app, app.first, RevisionState::Building).await;
    kit.commit(change.with_attempt(open(attempt_id(), app.first, 1))).await;
    let view = kit.view(&app, app.first).await;
    let callbacks: Vec<_> = (0..100)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            let change = callback(&app, &view, deploy_job(&app.org, app.id, app.first));
            tokio::spawn(async move { store.apply(change).await.expect("a change is answered") })
        })
        .collect();
    let (mut moved, mut stale) = (0, 0);
    for callback in callbacks {
        match callback.await.expect("a callback ends") {
            Applied::Committed(_) => moved += 1,
            Applied::Stale(_) => stale += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((moved, stale), (1, 99));
    let peek = h.peek().await;
    assert_eq!(peek.jobs.iter().filter(|job| job.kind == JobKind::Deploy).count(), 1);
    assert_eq!(peek.events.iter().filter(|e| e.kind == EventKind::RevisionBuilt).count(), 1);
    let attempt = kit.view(&app, app.first).await.attempt.expect("an attempt");
    assert_eq!((attempt.settled, attempt.body_digest), (Some(Settled::Callback), Some([3; 32])));
}

/// Cancelling a revision's jobs ends its build, watch and deploy jobs and nothing else.
pub async fn cancel_of_revision_is_exact(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let second = kit.push(&app, 2).await;
    let jti = attempt_id();
    let jobs = vec![
        watch_job(&app.org, app.id, app.first, jti).after(Duration::from_secs(60)),
        deploy_job(&app.org, app.id, app.first),
        crate::testing::suites::fixtures::status_job(&app.org, app.id, app.first),
        crate::testing::suites::fixtures::cancel_job(&app.org, app.id, app.first, jti),
        NewJob { id: job_id(), scope: Scope::Org(org("b")), ..build_job(&app.org, app.id, app.first) },
    ];
    kit.enqueue_all(jobs.clone()).await;
    kit.commit(app.change().with_cancel(CancelJobs::OfRevision(app.first))).await;
    let peek = h.peek().await;
    let state = |n: usize| peek.job(jobs[n].id).map(|job| (job.state, job.counters.fence));
    assert_eq!([state(0), state(1)], [Some((JobState::Cancelled, 1)); 2]);
    assert_eq!([state(2), state(3), state(4)], [Some((JobState::Ready, 0)); 3]);
    let builds = |id| peek.jobs.iter().find(|job| job.kind == JobKind::Build && job.revision == Some(id)).map(|j| j.state);
    assert_eq!((builds(app.first), builds(second)), (Some(JobState::Cancelled), Some(JobState::Ready)));
}

/// Jobs of a change fold like enqueued ones, and their scope is the change's org or the system.
pub async fn change_jobs_fold_and_stay_in_their_org(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let there = h.peek().await.jobs[0].id;
    let again = build_job(&app.org, app.id, app.first);
    let sweep = crate::testing::suites::fixtures::sweep_job();
    let done = kit.commit(app.change().with_follow_up(again).with_follow_up(sweep.clone())).await;
    let answers: Vec<_> = done.enqueued.iter().map(|e| (e.id, e.folded)).collect();
    assert_eq!(answers, [(there, true), (sweep.id, false)]);
    let error = kit.store.apply(app.change().with_follow_up(plain_job(&org("b")))).await.expect_err("another org's job");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(h.peek().await.jobs.len(), 2);
}
