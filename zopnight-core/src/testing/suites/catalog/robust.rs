//! What breaks under a store: connections, commits, the disk, the caller's patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::world::{Operation, World};
use crate::domain::{Applied, EventKind, JobState, JobStep, Lane, NewEvent, Outcome};
use crate::error::{ErrorKind, Retry};
use crate::testing::hook::{Act, Point};
use crate::testing::suites::fixtures::{org, plain_job};
use crate::testing::suites::harness::{Lock, StoreHarness, instead};
use crate::testing::suites::stepper::Stepper;
use crate::testing::suites::store::{Kit, check_invariants};

/// What became of an operation that met an act at a point.
struct Struck {
    at: Point,
    answer: crate::Result<String>,
}

/// Runs `operation` in `world` with `acts`; `None` if it ended well before the first of them.
async fn strike(h: &dyn StoreHarness, world: &World, operation: Operation, acts: &[(usize, Act)]) -> Option<Struck> {
    let stepper = Stepper::acting(acts.to_vec());
    let store = h.hooked(Arc::<Stepper>::clone(&stepper));
    let answer = world.run(&*store, operation).await;
    let at = stepper.seen().get(acts.first()?.0).copied();
    if at.is_none() {
        answer.as_ref().unwrap_or_else(|e| panic!("{operation:?} undisturbed: {e:?}"));
    }
    Some(Struck { at: at?, answer })
}

/// Worlds, one after another. One in which nothing has happened may be used again.
struct Worlds<'h> {
    kit: Kit<'h>,
    made: usize,
}

impl<'h> Worlds<'h> {
    fn of(h: &'h dyn StoreHarness) -> Self {
        Self { kit: Kit::of(h), made: 0 }
    }

    async fn next(&mut self) -> World {
        self.made += 1;
        World::new(&self.kit, self.made).await
    }

    /// What an undisturbed run leaves.
    async fn once(&mut self, operation: Operation) -> Vec<String> {
        let world = self.next().await;
        world.run(&*self.kit.store, operation).await.unwrap_or_else(|e| panic!("{operation:?} undisturbed: {e:?}"));
        world.shape(self.kit.h.peek().await)
    }

    /// The operation is called again after a failure, as every caller does.
    async fn again(&self, world: &World, operation: Operation, at: Point) {
        let revived = operation == Operation::Revive && at.is_committed();
        match world.run(&*self.kit.store, operation).await {
            Ok(_) => {}
            Err(error) if revived => assert_eq!(error.kind(), ErrorKind::NotFound, "it was revived"),
            Err(error) => panic!("{operation:?} again after {at:?}: {error:?}"),
        }
    }
}

/// A failure at any point of any operation leaves all of it or nothing, the caller hears which it may be, and the call can be
/// repeated.
pub async fn crash_hook_each_statement(h: &dyn StoreHarness) {
    let (mut worlds, mut struck_at) = (Worlds::of(h), 0);
    for operation in Operation::ALL {
        let whole = worlds.once(operation).await;
        let mut world = worlds.next().await;
        for at in 0.. {
            let before = world.of(h.peek().await);
            let Some(Struck { at: point, answer }) = strike(h, &world, operation, &[(at, Act::Fail)]).await else { break };
            let error = answer.expect_err("it fails there");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation:?} {point:?}: {error:?}");
            let unknown = error.context("commit") == Some("unknown");
            assert_eq!(unknown, point.is_committed(), "{operation:?} {point:?}: {error:?}");
            let after = h.peek().await;
            check_invariants(&after);
            struck_at += 1;
            if operation.is_one() && !point.is_committed() {
                assert_eq!(world.of(after), before, "{operation:?} left something at {point:?}");
                continue;
            }
            assert!(!operation.is_one() || world.shape(after) == whole, "{operation:?} {point:?}");
            worlds.again(&world, operation, point).await;
            let after = h.peek().await;
            check_invariants(&after);
            assert!(!operation.is_one() || world.shape(after) == whole, "{operation:?} again after {point:?}");
            world = worlds.next().await;
        }
        assert!(!operation.is_one() || world.shape(h.peek().await) == whole, "{operation:?} after its failures");
    }
    assert!(struck_at >= 2 * Operation::ALL.len(), "only {struck_at} points");
}

/// A caller that goes away at any await of any operation leaves nothing of it but what was committed.
pub async fn dropped_future_rolls_back(h: &dyn StoreHarness) {
    let mut worlds = Worlds::of(h);
    for operation in Operation::ALL {
        let whole = worlds.once(operation).await;
        let mut world = worlds.next().await;
        for at in 0.. {
            let before = world.of(h.peek().await);
            let stepper = Stepper::acting(vec![(at, Act::Hang)]);
            let store = h.hooked(Arc::<Stepper>::clone(&stepper));
            let ended = tokio::select! {
                biased;
                () = stepper.reached() => None,
                answer = world.run(&*store, operation) => Some(answer),
            };
            if let Some(answer) = ended {
                answer.unwrap_or_else(|e| panic!("{operation:?} undisturbed: {e:?}"));
                break;
            }
            let point = stepper.seen()[at];
            let after = h.peek().await;
            check_invariants(&after);
            if operation.is_one() && !point.is_committed() {
                assert_eq!(world.of(after), before, "{operation:?} left something at {point:?}");
                continue;
            }
            worlds.again(&world, operation, point).await;
            world = worlds.next().await;
        }
        assert!(!operation.is_one() || world.shape(h.peek().await) == whole, "{operation:?} after it was dropped");
    }
}

/// A connection lost before the commit is not the caller's concern: the transaction is run once more. Lost again, it is.
pub async fn connection_killed_is_retried_once(h: &dyn StoreHarness) {
    let mut worlds = Worlds::of(h);
    for operation in Operation::ALL.into_iter().filter(|operation| operation.is_one()) {
        let whole = worlds.once(operation).await;
        for at in 0.. {
            let world = worlds.next().await;
            let before = world.of(h.peek().await);
            let twice = [(at, Act::DropConnection), (at + 1, Act::DropConnection)];
            let Some(Struck { at: point, answer }) = strike(h, &world, operation, &twice).await else { break };
            if point.is_committed() {
                continue;
            }
            let error = answer.expect_err("the second connection is lost, too");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation:?} {point:?}: {error:?}");
            assert_eq!(world.of(h.peek().await), before, "{operation:?} left something at {point:?}");
            let struck = strike(h, &world, operation, &twice[..1]).await.expect("the same points");
            struck.answer.unwrap_or_else(|e| panic!("{operation:?} {point:?}: {e:?}"));
            assert_eq!(world.shape(h.peek().await), whole, "{operation:?} {point:?}");
        }
    }
    if !h.cut().await {
        instead("server that could cut a connection", "a hook drops it at each point");
    }
    for operation in Operation::ALL {
        h.cut().await;
        worlds.once(operation).await;
    }
}

/// When the answer to a commit is lost the caller hears that it is unknown, the store repeats nothing by itself, and the
/// caller's repetition has no second effect.
pub async fn commit_unknown_is_repeatable(h: &dyn StoreHarness) {
    let mut worlds = Worlds::of(h);
    for operation in Operation::ALL.into_iter().filter(|operation| operation.is_one()) {
        let whole = worlds.once(operation).await;
        let undisturbed = worlds.next().await;
        let stepper = Stepper::watching();
        let store = h.hooked(Arc::<Stepper>::clone(&stepper));
        undisturbed.run(&*store, operation).await.unwrap_or_else(|e| panic!("{operation:?} undisturbed: {e:?}"));
        let points = stepper.seen();
        let commits = points.iter().enumerate().filter(|(_, point)| point.is_committed()).map(|(at, _)| at);
        assert!(commits.clone().count() > 0, "{operation:?} commits");
        for at in commits {
            let world = worlds.next().await;
            let struck = strike(h, &world, operation, &[(at, Act::LoseAnswer)]).await.expect("the same points");
            let error = struck.answer.expect_err("the answer is lost");
            assert_eq!(error.context("commit"), Some("unknown"), "{operation:?}: {error:?}");
            assert_eq!(error.retry(), Retry::After(Duration::from_secs(1)), "{operation:?}: {error:?}");
            assert_eq!(world.shape(h.peek().await), whole, "{operation:?} happened once");
            worlds.again(&world, operation, struck.at).await;
            assert_eq!(world.shape(h.peek().await), whole, "{operation:?} repeated");
        }
    }
}

/// A call that finds all connections in use fails after the time it may wait, and not before.
pub async fn pool_exhausted_is_unavailable_in_5s(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    if h.connections().is_none() {
        instead("pool of connections", "a call is answered while twenty others hang");
    }
    let mut hanging = Vec::new();
    for _ in 0..h.connections().unwrap_or(20) {
        let stepper = Stepper::acting(vec![(0, Act::Hang)]);
        let store = h.hooked(Arc::<Stepper>::clone(&stepper));
        hanging.push(tokio::spawn(async move { store.enqueue(vec![plain_job(&org("a"))]).await }));
        stepper.reached().await;
    }
    let begun = Instant::now();
    let answer = h.store().enqueue(vec![plain_job(&org("a"))]).await;
    if h.connections().is_some() {
        let error = answer.expect_err("no connection is free");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::After(Duration::from_secs(1))));
        assert!((4..9).contains(&begun.elapsed().as_secs()), "after {:?}", begun.elapsed());
    } else {
        answer.expect("the job is stored");
    }
    for call in hanging {
        call.abort();
        assert!(call.await.is_err_and(|e| e.is_cancelled()));
    }
    kit.enqueue(plain_job(&org("a"))).await;
}

/// A database that cannot be written says so, and is read all the same.
pub async fn read_only_database_is_unavailable(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let Some(store) = h.read_only().await else {
        instead("way to be read-only", "a write that fails stores nothing, and reads go on");
        let store = h.hooked(Stepper::acting(vec![(0, Act::Fail)]));
        let error = store.enqueue(vec![plain_job(&org("a"))]).await.expect_err("it fails");
        assert_eq!((error.kind(), h.peek().await.jobs.len()), (ErrorKind::Unavailable, 1));
        store.deployment(&app.org, app.id).await.expect("it is there");
        return;
    };
    store.deployment(&app.org, app.id).await.expect("it is there");
    store.stats().await.expect("the counts are given");
    let before = h.peek().await;
    let enqueued = store.enqueue(vec![plain_job(&org("a"))]).await.map(drop);
    let applied = store.apply(app.change().with_event(NewEvent::new(EventKind::ImageResolved, "x"))).await.map(drop);
    for answer in [enqueued, applied] {
        let error = answer.expect_err("it cannot be written");
        let told = (error.kind(), error.retry());
        assert_eq!(told, (ErrorKind::Unavailable, Retry::After(Duration::from_secs(30))), "{error:?}");
    }
    assert_eq!(h.peek().await, before);
}

/// A server that is killed and comes back finds its handles again, with all that was committed.
pub async fn server_restart_recovers(h: &dyn StoreHarness) {
    let Some(server) = h.server().await else {
        instead("server", "what one handle committed the other sees");
        let kit = Kit::of(h);
        let app = kit.app(&org("a"), "shop").await;
        h.other().deployment(&app.org, app.id).await.expect("it is there");
        return;
    };
    let kit = Kit { h, store: server.store() };
    let app = kit.app(&org("a"), "shop").await;
    let lease = kit.claim_one(Lane::Build).await;
    server.kill_and_start().await;
    let begun = Instant::now();
    let change = app.change().with_job(JobStep::Finish(lease.job, Outcome::Done));
    let applied = loop {
        match kit.store.apply(change.clone()).await {
            Ok(applied) => break applied,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the server is back, the store is not");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(matches!(applied, Applied::Committed(_) | Applied::AlreadyFinished), "{applied:?}");
    kit.store.deployment(&app.org, app.id).await.expect("it is there");
    kit.enqueue(plain_job(&app.org)).await;
    assert_eq!(kit.claim(Lane::Build, 10).await.len(), 1);
}

/// A transaction that waited for a lock longer than a statement may is rolled back and run again as a whole.
pub async fn lock_wait_is_run_again_whole(h: &dyn StoreHarness) {
    const LONGER: Duration = Duration::from_millis(6_500);
    let kit = Kit::of(h);
    let world = World::new(&kit, 1).await;
    let app = world.app();
    let lease = kit.claim_one(Lane::Watch).await;
    let change = app
        .change()
        .with_job(JobStep::Finish(lease.job, Outcome::Done))
        .with_event(NewEvent::new(EventKind::ImageResolved, "once"))
        .with_follow_up(plain_job(&app.org));
    let before = world.of(h.peek().await);
    let held = match h.lock(lease.id).await {
        Lock::Row(held) | Lock::Whole(held) => Some(held),
        Lock::None => {
            instead("lock to wait for", "the change is carried out once");
            None
        }
    };
    let store = h.store();
    let waiting = tokio::spawn(async move { store.apply(change).await });
    if let Some(held) = held {
        tokio::time::sleep(LONGER).await;
        assert!(!waiting.is_finished(), "it waits for the lock");
        held.end().await;
    }
    let applied = waiting.await.expect("the change ends").expect("a change is answered");
    assert!(matches!(applied, Applied::Committed(_)), "{applied:?}");
    let after = world.of(h.peek().await);
    assert_eq!(after.job(lease.id).map(|job| job.state), Some(JobState::Done));
    assert_eq!((after.jobs.len(), after.events.len()), (before.jobs.len() + 1, before.events.len() + 1));
}
