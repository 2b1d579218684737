//! Keys and enqueue.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    CancelJobs, CommitSha, Dedupe, DedupeUntil, DeliveryId, Enqueued, EventKind, JobError, JobKey, JobPayload, JobState,
    Lane, LogSource, LogTail, NewEvent, NewJob, Outcome, RevisionLog, Scope, SweepJob,
};
use crate::error::ErrorKind;
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{
    self, build_job, deploy_job, deployment_id, org, plain_job, revision_id, status_job, sweep_job, teardown_job,
};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{Kit, LEASE, park, request, retry};

const HOUR: Duration = Duration::from_secs(3_600);

fn stored(job: &NewJob) -> Enqueued {
    Enqueued { id: job.id, folded: false }
}

fn folded_into(job: &NewJob) -> Enqueued {
    Enqueued { id: job.id, folded: true }
}

/// Another job of the same keys.
fn twin(job: &NewJob) -> NewJob {
    NewJob { id: fixtures::job_id(), ..job.clone() }
}

/// Every field of a job comes back in its lease.
pub async fn enqueue_then_claim_round_trip(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (org, deployment, revision, jti) = (org("a"), deployment_id(), revision_id(), fixtures::attempt_id());
    let jobs = vec![
        build_job(&org, deployment, revision),
        deploy_job(&org, deployment, revision),
        teardown_job(&org, deployment_id()),
        status_job(&org, deployment, revision),
        fixtures::watch_job(&org, deployment, revision, jti),
        fixtures::cancel_job(&org, deployment, revision, jti),
        sweep_job(),
    ];
    kit.enqueue_all(jobs.clone()).await;
    let mut leases = Vec::new();
    for lane in Lane::ALL {
        leases.extend(kit.claim(lane, 10).await);
    }
    assert_eq!(leases.len(), jobs.len());
    for job in &jobs {
        let lease = leases.iter().find(|lease| lease.id == job.id).expect("every job is claimed");
        assert_eq!((&lease.scope, lease.kind, &lease.payload), (&job.scope, job.kind, &job.payload));
        assert_eq!((&lease.serial, lease.deployment, lease.revision), (&job.serial, job.deployment, job.revision));
        assert_eq!((lease.failures, lease.losses, lease.panics), (0, 0, 0));
        assert_eq!((lease.lease, lease.cancel_asked), (LEASE, false));
        assert_eq!(lease.job.fence.hand_out(), 1);
    }
}

/// 50 mixed jobs are answered index by index.
pub async fn enqueue_answers_in_order(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (a, b) = (org("a"), org("b"));
    let survivor = build_job(&a, deployment_id(), revision_id());
    kit.enqueue(survivor.clone()).await;
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for n in 0..50 {
        let job = match n % 4 {
            0 => plain_job(&a),
            1 => twin(&survivor),
            2 => deploy_job(&b, deployment_id(), revision_id()).after(HOUR),
            _ => plain_job(&b),
        };
        expected.push(if n % 4 == 1 { folded_into(&survivor) } else { stored(&job) });
        jobs.push(job);
    }
    assert_eq!(kit.enqueue_all(jobs).await, expected);
}

/// One invalid job in 50: none is stored.
pub async fn enqueue_is_all_or_none(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let mut jobs: Vec<NewJob> = (0..49).map(|_| plain_job(&org("a"))).collect();
    jobs.push(plain_job(&org("a")).after(NewJob::MAX_DELAY + Duration::from_micros(1)));
    let error = kit.store.enqueue(jobs).await.expect_err("the last one is invalid");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(h.peek().await.jobs.is_empty());
}

/// The bounds of a call and of a job, each at and past its limit.
pub async fn enqueue_limits(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let many = |n: usize| (0..n).map(|_| plain_job(&org("a"))).collect::<Vec<_>>();
    assert_eq!(kit.enqueue_all(many(500)).await.len(), 500);
    let error = kit.store.enqueue(many(501)).await.expect_err("501 jobs are too many");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!kit.enqueue(plain_job(&org("a")).after(NewJob::MAX_DELAY)).await.folded);
    let key = |n: usize| JobKey::parse(&["build:", &"x".repeat(n)].concat());
    let longest = Dedupe { key: key(154).expect("160 bytes are a key"), until: DedupeUntil::Finished };
    assert!(!kit.enqueue(NewJob { dedupe: Some(longest), ..plain_job(&org("a")) }).await.folded);
    assert!(key(155).is_err());
    assert_eq!(h.peek().await.jobs.len(), 502);
}

/// Repeating a call whose answer was lost stores nothing.
pub async fn enqueue_same_id_folds(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = plain_job(&org("a"));
    assert_eq!(kit.enqueue(job.clone()).await, stored(&job));
    assert_eq!(kit.enqueue(job.clone()).await, folded_into(&job));
    kit.run_one(Lane::Build, Outcome::Done).await;
    assert_eq!(kit.enqueue(job.clone()).await, folded_into(&job), "also once it has ended");
    assert_eq!(h.peek().await.jobs.len(), 1);
}

/// A delayed job folds its twin.
pub async fn dedupe_folds_delayed(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = build_job(&org("a"), deployment_id(), revision_id()).after(HOUR);
    kit.enqueue(job.clone()).await;
    assert_eq!(kit.enqueue(twin(&job)).await, folded_into(&job));
    assert_eq!(h.peek().await.count(JobState::Delayed), 1);
}

/// A blocked job folds its twin.
pub async fn dedupe_folds_blocked(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (org, deployment) = (org("a"), deployment_id());
    kit.enqueue(deploy_job(&org, deployment, revision_id())).await;
    let blocked = deploy_job(&org, deployment, revision_id());
    kit.enqueue(blocked.clone()).await;
    assert_eq!(kit.state(blocked.id).await, JobState::Blocked);
    assert_eq!(kit.enqueue(twin(&blocked)).await, folded_into(&blocked));
    assert_eq!(h.peek().await.jobs.len(), 2);
}

/// A ready job folds its twin.
pub async fn dedupe_folds_ready(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = build_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(job.clone()).await;
    assert_eq!(kit.enqueue(twin(&job)).await, folded_into(&job));
    let both = kit.enqueue_all(vec![twin(&job), twin(&job)]).await;
    assert_eq!(both, [folded_into(&job), folded_into(&job)]);
    assert_eq!(h.peek().await.jobs.len(), 1);
}

/// A key that lasts until the end folds while the job runs.
pub async fn dedupe_finished_folds_while_leased(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = build_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(job.clone()).await;
    kit.claim_one(Lane::Build).await;
    assert_eq!(kit.enqueue(twin(&job)).await, folded_into(&job));
    assert_eq!(h.peek().await.jobs.len(), 1);
}

/// A key that lasts until the start does not fold while the job runs: a second row waits.
pub async fn dedupe_started_does_not_fold_while_leased(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = status_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(job.clone()).await;
    let lease = kit.claim_one(Lane::Status).await;
    let second = twin(&job);
    assert_eq!(kit.enqueue(second.clone()).await, stored(&second));
    assert_eq!(kit.enqueue(twin(&job)).await, folded_into(&second));
    assert_eq!(kit.state(second.id).await, JobState::Blocked, "behind the running one of its serial key");
    kit.finish(lease.job, Outcome::Done).await;
    assert_eq!(kit.claim_one(Lane::Status).await.id, second.id);
}

/// A started job that is tried again keeps its place before its successor, and later signals fold into one row.
pub async fn dedupe_started_retry_beside_successor(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let first = status_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(first.clone()).await;
    let lease = kit.claim_one(Lane::Status).await;
    let second = twin(&first);
    kit.enqueue(second.clone()).await;
    kit.finish(lease.job, retry(HOUR, false)).await;
    assert_eq!(kit.state(first.id).await, JobState::Delayed);
    assert_eq!(kit.state(second.id).await, JobState::Blocked);
    assert_eq!(kit.enqueue(twin(&first)).await, folded_into(&second));
    kit.later(HOUR).await;
    assert_eq!(kit.run_one(Lane::Status, Outcome::Done).await.id, first.id);
    assert_eq!(kit.run_one(Lane::Status, Outcome::Done).await.id, second.id);
}

async fn free_after(h: &dyn StoreHarness, outcome: Outcome) {
    let kit = Kit::of(h);
    let job = build_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(job.clone()).await;
    kit.run_one(Lane::Build, outcome).await;
    let next = twin(&job);
    assert_eq!(kit.enqueue(next.clone()).await, stored(&next));
}

/// A done job's key is free.
pub async fn dedupe_free_after_done(h: &dyn StoreHarness) {
    free_after(h, Outcome::Done).await;
}

/// A parked job's key is free.
pub async fn dedupe_free_after_parked(h: &dyn StoreHarness) {
    free_after(h, park()).await;
}

/// A cancelled job's key is free.
pub async fn dedupe_free_after_cancel(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let key = build_job(&app.org, app.id, app.first).dedupe.expect("builds have a key").key;
    kit.commit(app.change().with_cancel(CancelJobs::Key(key))).await;
    assert_eq!(h.peek().await.count(JobState::Cancelled), 1);
    let next = build_job(&app.org, app.id, app.first);
    assert_eq!(kit.enqueue(next.clone()).await, stored(&next));
}

/// A job that waits for its next try still folds.
pub async fn dedupe_held_through_retry(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = build_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(job.clone()).await;
    kit.run_one(Lane::Build, retry(HOUR, false)).await;
    assert_eq!(kit.enqueue(twin(&job).after(2 * HOUR)).await, folded_into(&job));
    assert_eq!(kit.state(job.id).await, JobState::Delayed);
}

/// The survivor's due time becomes the earlier of the two, never the later.
pub async fn dedupe_takes_earlier_due_time(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let job = build_job(&org("a"), deployment_id(), revision_id()).after(HOUR);
    kit.enqueue(job.clone()).await;
    let due = kit.job(job.id).await.place;
    assert_eq!(kit.enqueue(twin(&job).after(3 * HOUR)).await, folded_into(&job));
    assert_eq!(kit.job(job.id).await.place, due, "a later due time changes nothing");
    kit.maintain().await;
    assert!(kit.claim(Lane::Build, 1).await.is_empty());
    assert_eq!(kit.enqueue(twin(&job).after(Duration::ZERO)).await, folded_into(&job));
    kit.maintain().await;
    assert_eq!(kit.claim_one(Lane::Build).await.id, job.id, "due now");
}

/// The same key in two orgs is two jobs.
pub async fn dedupe_key_is_per_org(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let ours = build_job(&org("a"), deployment_id(), revision_id());
    let theirs = NewJob { scope: Scope::Org(org("b")), ..twin(&ours) };
    assert_eq!(kit.enqueue_all(vec![ours.clone(), theirs.clone()]).await, [stored(&ours), stored(&theirs)]);
}

/// Ten producers with one key leave one live row, and every answer names it.
pub async fn dedupe_10_producers_1000_times(h: &dyn StoreHarness) {
    let job = build_job(&org("a"), deployment_id(), revision_id());
    let producers: Vec<_> = (0..10)
        .map(|n| {
            let (store, job) = (if n % 2 == 0 { h.store() } else { h.other() }, job.clone());
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for _ in 0..100 {
                    answers.extend(store.enqueue(vec![twin(&job)]).await.expect("the job is stored"));
                }
                answers
            })
        })
        .collect();
    let mut answers = Vec::new();
    for producer in producers {
        answers.extend(producer.await.expect("a producer ends"));
    }
    assert_eq!(answers.len(), 1_000);
    assert_eq!(answers.iter().filter(|a| !a.folded).count(), 1);
    let jobs = h.peek().await.jobs;
    assert_eq!(jobs.len(), 1);
    assert!(answers.iter().all(|a| jobs.first().is_some_and(|job| job.id == a.id)));
}

/// A producer whose twin is rolled back stores its own job, wherever the twin stood.
pub async fn dedupe_loser_survives_winner_rollback(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    for at in 0.. {
        let winner = build_job(&org("a"), deployment_id(), revision_id());
        let loser = twin(&winner);
        let enqueue = |job: NewJob| move |store: Arc<dyn Store>| async move { store.enqueue(vec![job]).await };
        let Some(both) = meanwhile(h, at, Act::Fail, enqueue(winner.clone()), enqueue(loser.clone())).await else { break };
        let error = both.first.expect_err("the winner fails");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{:?}", both.at);
        let answer = both.second.expect("the job is stored");
        let (expected, lives) =
            if both.at.is_committed() { (folded_into(&winner), winner.id) } else { (stored(&loser), loser.id) };
        assert_eq!(answer, [expected], "{:?}", both.at);
        let peek = h.peek().await;
        let live = |id| peek.job(id).is_some_and(|job| job.state == JobState::Ready);
        assert_eq!((live(winner.id), live(loser.id)), (lives == winner.id, lives == loser.id), "{:?}", both.at);
        assert_eq!(kit.run_one(Lane::Build, Outcome::Done).await.id, lives);
    }
}

/// Runs what the lane holds, so that the next round has it for itself.
async fn run_all(kit: &Kit<'_>) {
    while let Some(lease) = kit.claim(Lane::Status, 1).await.pop() {
        kit.finish(lease.job, Outcome::Done).await;
    }
}

/// A fold beside a claim, both ways: a signal that was folded is seen by a run that starts after it.
async fn fold_beside_claim(h: &dyn StoreHarness, fold_first: bool) {
    let kit = Kit::of(h);
    for at in 0.. {
        let job = status_job(&org("a"), deployment_id(), revision_id());
        let signal = twin(&job);
        kit.enqueue(job.clone()).await;
        let (new, claim) = (signal.clone(), |store: Arc<dyn Store>| async move {
            store.claim(&request(Lane::Status, 1)).await.expect("a claim is answered")
        });
        let fold = |store: Arc<dyn Store>| async move { store.enqueue(vec![new]).await.expect("the job is stored") };
        let (answer, leases, begun_before, point) = if fold_first {
            let Some(both) = meanwhile(h, at, Act::Go, fold, claim).await else { return run_all(&kit).await };
            let before = both.overtook && !both.at.is_committed();
            (both.first, both.second, before, both.at)
        } else {
            let Some(both) = meanwhile(h, at, Act::Go, claim, fold).await else { return run_all(&kit).await };
            let before = both.at.is_committed();
            (both.second, both.first, before, both.at)
        };
        if begun_before && !leases.is_empty() {
            assert_eq!(answer, [stored(&signal)], "the run that began before cannot have seen it: {point:?}");
        }
        let mut ran = Vec::new();
        for lease in leases {
            ran.push(lease.id);
            kit.finish(lease.job, Outcome::Done).await;
        }
        while let Some(lease) = kit.claim(Lane::Status, 1).await.pop() {
            ran.push(lease.id);
            kit.finish(lease.job, Outcome::Done).await;
        }
        let expected = if answer[0].folded { vec![job.id] } else { vec![job.id, signal.id] };
        assert_eq!(ran, expected, "{point:?}");
    }
}

/// A signal that comes before the claim is seen by the claimed run, one that comes after gets a run of its own, and one that
/// comes at any point between is not lost.
pub async fn dedupe_fold_vs_claim(h: &dyn StoreHarness) {
    fold_beside_claim(h, true).await;
    fold_beside_claim(h, false).await;
    let kit = Kit::of(h);
    let job = status_job(&org("a"), deployment_id(), revision_id());
    kit.enqueue(job.clone()).await;
    assert!(kit.enqueue(twin(&job)).await.folded);
    let lease = kit.claim_one(Lane::Status).await;
    let signal = twin(&job);
    assert!(!kit.enqueue(signal.clone()).await.folded);
    kit.finish(lease.job, Outcome::Done).await;
    assert_eq!(kit.run_one(Lane::Status, Outcome::Done).await.id, signal.id);
    assert!(kit.claim(Lane::Status, 1).await.is_empty());
}

/// Texts come back byte for byte: the longest payload, characters of four bytes, each text at its bound. NUL is in none.
pub async fn huge_unicode_payload_round_trip(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let delivery = DeliveryId::parse(&r#"\"'"#.repeat(85)).expect("a delivery id");
    let head = CommitSha::parse(&"f".repeat(64)).ok();
    let payload = JobPayload::Sweep(SweepJob::One { deployment: app.id, delivery: Some(delivery), head });
    kit.enqueue(NewJob::new(fixtures::job_id(), Scope::Org(app.org.clone()), Some(app.id), payload.clone())).await;
    let lease = kit.claim_one(Lane::Sweep).await;
    assert_eq!(lease.payload, payload);
    let error = JobError::new("suite", &"\u{1F600}".repeat(256));
    assert_eq!(error.message().len(), 1_024);
    kit.finish(lease.job, Outcome::Park { error: error.clone() }).await;
    let parked = kit.store.parked(&Scope::Org(app.org.clone())).await.expect("parked jobs are listed");
    assert_eq!(parked[0].error, error);
    let text = "\u{10FFFF}".repeat(256);
    let event = NewEvent::new(EventKind::ImageResolved, &text).with("text", "\u{1F600}".repeat(2_000));
    let tail = LogTail { lines: vec!["\u{1F600}".repeat(1_000), text], truncated: false, complete: true };
    let log = RevisionLog { revision: app.first, source: LogSource::Build, tail: tail.clone() };
    kit.commit(app.change().with_event(event.clone()).with_log(log)).await;
    let kept = kit.events(&app).await.pop().expect("the event is there");
    assert_eq!((kept.message, kept.data), (event.message, event.data));
    let read = kit.store.log(&app.org, app.first, LogSource::Build).await.expect("the log is read");
    assert_eq!(read, Some(tail));
    assert!(DeliveryId::parse("a\0b").is_err() && JobKey::parse("build:\0").is_err() && CommitSha::parse("\0").is_err());
    assert_eq!(JobError::new("suite", "a\0b").message(), "ab");
    assert_eq!(NewEvent::new(EventKind::ImageResolved, "a\0b").message, "ab");
}

/// A key lives in one lane, by its prefix.
pub async fn key_prefix_of_other_lane_refused(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let key = |text| JobKey::parse(text).expect("a key");
    let dedupe = Dedupe { key: key("deploy:x"), until: DedupeUntil::Finished };
    for job in [
        NewJob { dedupe: Some(dedupe), ..plain_job(&org("a")) },
        NewJob { serial: Some(key("status:x")), ..plain_job(&org("a")) },
    ] {
        let error = kit.store.enqueue(vec![job]).await.expect_err("the key is another lane's");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert!(h.peek().await.jobs.is_empty());
}

/// A delayed job is not claimable before its time by the store's clock.
pub async fn delay_is_honoured_by_db_clock(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let delivery = DeliveryId::parse("d-1").ok();
    let payload = JobPayload::Sweep(SweepJob::One { deployment: deployment_id(), delivery, head: None });
    let job = NewJob::new(fixtures::job_id(), Scope::Org(org("a")), None, payload).after(HOUR);
    kit.enqueue(job.clone()).await;
    let kept = kit.later(HOUR / 2).await;
    assert_eq!(kept.promoted, 0);
    assert!(kept.next_due.is_some_and(|due| due <= HOUR / 2 && due > HOUR / 4), "{kept:?}");
    assert!(kit.claim(Lane::Sweep, 1).await.is_empty());
    assert_eq!(kit.later(HOUR / 2).await.promoted, 1);
    assert_eq!(kit.claim_one(Lane::Sweep).await.id, job.id);
}
