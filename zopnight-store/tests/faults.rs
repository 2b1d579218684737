//! Crashes at every point of every transaction: all or none, and the call may be repeated.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use zopnight_core::domain::{
    Applied, Budget, ClaimRequest, DeploymentId, Finish, JobId, JobStep, Lane, Lease, NewAttempt, OrgId, Outcome,
    RevisionChange, RevisionId, RevisionPatch, RevisionState, Scope, Want, WorkerId,
};
use zopnight_core::ports::{JobQueue as _, RevisionStore as _};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::peek::Peek;
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::store::check_invariants;
use zopnight_core::{ErrorKind, Result};
use zopnight_store::testing::{Act, Hook, Point, peek, with_clock};
use zopnight_store::{SqliteStore, StoreOptions};

/// Records the points it is asked at and acts at one of them, once.
#[derive(Debug, Default)]
struct Script {
    seen: Mutex<Vec<Point>>,
    plan: Mutex<Option<(Point, Act)>>,
    reached: Notify,
}

impl Hook for Script {
    fn at(&self, point: &Point) -> Act {
        self.seen.lock().expect("the script").push(*point);
        let mut plan = self.plan.lock().expect("the script");
        match plan.take_if(|(at, _)| at == point) {
            Some((_, act)) => {
                self.reached.notify_one();
                act
            }
            None => Act::Go,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Enqueue,
    Claim,
    Extend,
    FinishDone,
    FinishRetry,
    Create,
    Push,
    Open,
    Maintain,
    Revive,
}

const OPERATIONS: [Operation; 10] = [
    Operation::Enqueue,
    Operation::Claim,
    Operation::Extend,
    Operation::FinishDone,
    Operation::FinishRetry,
    Operation::Create,
    Operation::Push,
    Operation::Open,
    Operation::Maintain,
    Operation::Revive,
];

/// A store with something for every operation to do, and the ids that a repeated call names again.
struct World {
    script: Arc<Script>,
    store: SqliteStore,
    org: OrgId,
    app: DeploymentId,
    first: RevisionId,
    lease: Lease,
    serial: Lease,
    parked: JobId,
    new_app: RevisionChange,
    push: RevisionChange,
    open: RevisionChange,
    jobs: Vec<zopnight_core::domain::NewJob>,
}

fn request(lane: Lane) -> ClaimRequest {
    let worker = WorkerId::parse("w").expect("a worker id");
    ClaimRequest { worker, want: vec![Want { lane, max: 10 }], lease: Duration::from_secs(60) }
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::new(fixtures::start());
        let script = Arc::new(Script::default());
        let store = SqliteStore::connect("sqlite::memory:", StoreOptions::default()).await.expect("a store");
        let store = with_clock(store, Arc::<ManualClock>::clone(&clock)).with_hook(Arc::<Script>::clone(&script));
        let org = fixtures::org("acme");
        let app = fixtures::deployment_id();
        let created = store.apply(fixtures::create(&org, app, "shop")).await.expect("created");
        let Applied::Committed(created) = created else { panic!("{created:?}") };
        let first = created.numbers.first().expect("a revision").0;
        let build = store.claim(&request(Lane::Build)).await.expect("claimed").pop().expect("the build job");
        let parked = fixtures::cancel_job(&org, app, first, fixtures::attempt_id());
        let deploys = vec![fixtures::deploy_job(&org, app, first), fixtures::teardown_job(&org, app)];
        store.enqueue(deploys).await.expect("stored");
        store.enqueue(vec![parked.clone()]).await.expect("stored");
        let serial = store.claim(&request(Lane::Deploy)).await.expect("claimed").pop().expect("the deploy job");
        let lease = store.claim(&request(Lane::Control)).await.expect("claimed").pop().expect("the cancel job");
        let park = Outcome::Park { error: zopnight_core::domain::JobError::new("x", "y") };
        store.finish(vec![Finish { lease: lease.job, outcome: park }]).await.expect("parked");
        let status = fixtures::status_job(&org, app, first).after(Duration::from_secs(60));
        store.enqueue(vec![status, fixtures::sweep_job()]).await.expect("stored");
        clock.advance(Duration::from_secs(61));
        let attempt = NewAttempt {
            jti: fixtures::attempt_id(),
            revision: first,
            number: 1,
            image_repository: fixtures::image_repository(),
            commit: fixtures::commit(1),
            deadline: fixtures::start(),
        };
        let open = RevisionChange::new(org.clone(), app)
            .with_job(JobStep::Hold(build.job))
            .with_attempt(zopnight_core::domain::AttemptOp::Open(Box::new(attempt)));
        let push = fixtures::with_revision(RevisionChange::new(org.clone(), app), fixtures::revision_id(), 2);
        let view = store.revision(&org, app, first).await.expect("the first revision");
        let push = push
            .with_revision(fixtures::step(&view, RevisionState::Superseded, RevisionPatch::default()))
            .with_event(fixtures::told(first, RevisionState::Superseded))
            .with_cancel(zopnight_core::domain::CancelJobs::OfRevision(first));
        let new_app = fixtures::create(&org, fixtures::deployment_id(), "other");
        let jobs = vec![fixtures::plain_job(&org), fixtures::deploy_job(&org, app, fixtures::revision_id())];
        let parked = parked.id;
        Self { script, store, org, app, first, lease: build, serial, parked, new_app, push, open, jobs }
    }

    async fn run(&self, operation: Operation) -> Result<String> {
        let s = &self.store;
        let retry = Outcome::Retry {
            after: Duration::from_secs(1),
            error: zopnight_core::domain::JobError::new("x", "y"),
            panic: false,
        };
        Ok(match operation {
            Operation::Enqueue => format!("{:?}", s.enqueue(self.jobs.clone()).await?),
            Operation::Claim => format!("{:?}", s.claim(&request(Lane::Sweep)).await?),
            Operation::Extend => format!("{:?}", s.extend(&[self.lease.job], Duration::from_secs(99)).await?),
            Operation::FinishDone => {
                let items = vec![Finish { lease: self.serial.job, outcome: Outcome::Done }];
                format!("{:?}", s.finish(items).await?)
            }
            Operation::FinishRetry => {
                let items = vec![Finish { lease: self.lease.job, outcome: retry }];
                format!("{:?}", s.finish(items).await?)
            }
            Operation::Create => format!("{:?}", s.apply(self.new_app.clone()).await?),
            Operation::Push => format!("{:?}", s.apply(self.push.clone()).await?),
            Operation::Open => format!("{:?}", s.apply(self.open.clone()).await?),
            Operation::Maintain => {
                let budget = Budget { time: Duration::from_secs(60), purge: true };
                format!("{:?}", s.maintain(&budget).await?)
            }
            Operation::Revive => format!("{:?}", s.revive(&Scope::Org(self.org.clone()), self.parked).await?),
        })
    }

    async fn peek(&self) -> Peek {
        peek(&self.store).await.expect("the rows decode")
    }

    fn arm(&self, point: Point, act: Act) {
        *self.script.plan.lock().expect("the script") = Some((point, act));
    }
}

/// The points of one transaction each, of one run of the operation.
async fn points(operation: Operation) -> Vec<Point> {
    let world = World::new().await;
    world.script.seen.lock().expect("the script").clear();
    let answer = world.run(operation).await.expect("it runs");
    let changes = matches!(operation, Operation::Create | Operation::Push | Operation::Open);
    assert!(!changes || answer.starts_with("Committed"), "{operation:?}: {answer}");
    let mut points = world.script.seen.lock().expect("the script").clone();
    let mut seen = std::collections::HashSet::new();
    points.retain(|p| seen.insert(*p));
    points
}

/// The same rows but for what the clock wrote.
fn same(a: &Peek, b: &Peek) -> bool {
    let strip = |p: &Peek| {
        let mut p = p.clone();
        p.jobs.iter_mut().for_each(|j| j.place = 0);
        p
    };
    strip(a) == strip(b)
}

#[tokio::test]
async fn a_failure_at_any_point_leaves_all_or_none() {
    let mut tried = 0;
    for operation in OPERATIONS {
        for point in points(operation).await {
            let world = World::new().await;
            let before = world.peek().await;
            world.arm(point, Act::Fail);
            let error = world.run(operation).await.expect_err("the hook fails it");
            let after = world.peek().await;
            check_invariants(&after);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation:?} {point:?} {error:?}");
            if point.step == "after_commit" {
                assert_eq!(error.context("commit"), Some("unknown"), "{operation:?} {point:?}");
            } else if !matches!(operation, Operation::Maintain) {
                assert_eq!(before, after, "{operation:?} left something at {point:?}");
            }
            world.run(operation).await.unwrap_or_else(|e| {
                let lost_answer = point.step == "after_commit" && matches!(operation, Operation::Revive);
                assert!(lost_answer, "{operation:?} after {point:?}: {e:?}");
                String::new()
            });
            check_invariants(&world.peek().await);
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} points");
}

#[tokio::test]
async fn a_lost_answer_repeated_has_one_effect() {
    use Operation as O;
    for operation in [O::Enqueue, O::Extend, O::FinishDone, O::FinishRetry, O::Create, O::Push, O::Open] {
        let once = World::new().await;
        once.run(operation).await.unwrap();
        let want = once.peek().await;
        let world = World::new().await;
        for point in points(operation).await.into_iter().filter(|p| p.step == "after_commit") {
            world.arm(point, Act::LoseAnswer);
        }
        world.run(operation).await.expect_err("the answer is lost");
        let answer = world.run(operation).await.unwrap();
        let got = world.peek().await;
        assert_eq!(got.jobs.len(), want.jobs.len(), "{operation:?}: {answer}");
        assert_eq!((got.revisions.len(), got.events.len()), (want.revisions.len(), want.events.len()), "{operation:?}");
        assert_eq!(got.attempts.len(), want.attempts.len(), "{operation:?}");
        let states = |p: &Peek| p.jobs.iter().map(|j| (j.seq, j.state, j.counters)).collect::<Vec<_>>();
        assert_eq!(states(&got), states(&want), "{operation:?}: {answer}");
    }
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_is_tried_once_more() {
    for operation in OPERATIONS {
        for point in points(operation).await.into_iter().filter(|p| p.step != "after_commit") {
            let once = World::new().await;
            once.run(operation).await.unwrap();
            let world = World::new().await;
            world.arm(point, Act::DropConnection);
            let answer = world.run(operation).await;
            // Housekeeping reads outside a transaction that is repeated; it is called again anyway.
            if matches!(operation, Operation::Maintain) {
                continue;
            }
            answer.unwrap_or_else(|e| panic!("{operation:?} {point:?}: {e:?}"));
            let (got, want) = (world.peek().await, once.peek().await);
            assert_eq!(got.jobs.len(), want.jobs.len(), "{operation:?} {point:?}");
            assert_eq!(
                got.count(zopnight_core::domain::JobState::Leased),
                want.count(zopnight_core::domain::JobState::Leased)
            );
        }
    }
}

#[tokio::test]
async fn a_dropped_future_rolls_back_wherever_it_stands() {
    for operation in OPERATIONS {
        for point in points(operation).await.into_iter().filter(|p| p.step != "after_commit") {
            let world = World::new().await;
            let before = world.peek().await;
            world.arm(point, Act::Stall);
            tokio::select! {
                answer = world.run(operation) => panic!("{operation:?} went on past {point:?}: {answer:?}"),
                () = world.script.reached.notified() => {}
            }
            let after = world.peek().await;
            if !matches!(operation, Operation::Maintain) {
                assert!(same(&before, &after), "{operation:?} left something at {point:?}");
            }
            check_invariants(&after);
            world.run(operation).await.unwrap_or_else(|e| panic!("{operation:?} after {point:?}: {e:?}"));
        }
    }
}

#[tokio::test]
async fn a_foreign_org_is_an_unknown_one_after_as_many_statements() {
    let world = World::new().await;
    let other = fixtures::org("other");
    let unknown = fixtures::deployment_id();
    let mut counts = Vec::new();
    for id in [world.app, unknown] {
        world.script.seen.lock().unwrap().clear();
        let error = world.store.deployment(&other, id).await.unwrap_err();
        let revision = world.store.revision(&other, id, world.first).await.unwrap_err();
        let applied = world.store.apply(RevisionChange::new(other.clone(), id)).await.unwrap_err();
        let texts = [error, revision, applied].map(|e| format!("{e:?}"));
        counts.push((world.script.seen.lock().unwrap().len(), texts));
    }
    assert_eq!(counts[0], counts[1]);
}
