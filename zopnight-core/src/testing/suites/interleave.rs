//! Operations beside each other on one job: while one stands at a boundary of its statements the others run, and the answers
//! and the rows are those of some order of the operations one after another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::fixtures::{deploy_job, org, teardown_job};
use super::harness::StoreHarness;
use super::stepper::{SETTLE, Stepper, meanwhile};
use super::store::{App, Kit, LEASE, check_invariants, request};
use crate::domain::{
    Budget, CancelJobs, EventKind, Fence, Finish, JobId, JobKey, JobStep, Lane, LeaseRef, NewEvent, NewJob, Outcome,
    RevisionChange,
};
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::peek::Peek;

/// An operation that writes jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Hands the job out.
    Claim,
    /// Prolongs its lease.
    Extend,
    /// Ends its lease: done.
    Finish,
    /// Housekeeping that finds its lease run out.
    TakeBack,
    /// Cancels it by its key.
    Cancel,
    /// Housekeeping that finds it due.
    Promote,
    /// Housekeeping that finds it old.
    Purge,
    /// Stores a job of the same dedupe and serial key.
    Enqueue,
    /// Ends its lease in a change that stores another job of the serial key.
    Apply,
}

impl Operation {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Claim,
        Self::Extend,
        Self::Finish,
        Self::TakeBack,
        Self::Cancel,
        Self::Promote,
        Self::Purge,
        Self::Enqueue,
        Self::Apply,
    ];
}

/// A job with a dedupe and a serial key, another that waits for that key, and the ids that new ones get.
#[derive(Clone, Debug)]
struct Scene {
    app: App,
    job: NewJob,
    next: NewJob,
    again: NewJob,
    follow: NewJob,
    lease: LeaseRef,
}

/// What each operation answered, and what the rows became.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    answers: Vec<String>,
    rows: Vec<String>,
}

impl Scene {
    /// The job stands where `first` finds something to do.
    async fn set(kit: &Kit<'_>, first: Operation) -> Self {
        static SCENES: AtomicUsize = AtomicUsize::new(0);
        let org = org(&format!("scene-{}", SCENES.fetch_add(1, Ordering::Relaxed)));
        let app = kit.app(&org, "shop").await;
        let deploy = || deploy_job(&org, app.id, app.first);
        let teardown = || teardown_job(&org, app.id);
        let delay = match first {
            Operation::Promote => Duration::from_secs(5),
            Operation::Enqueue => Duration::from_secs(3_600),
            _ => Duration::ZERO,
        };
        let (job, next, again, follow) = (deploy().after(delay), teardown(), deploy(), teardown());
        kit.enqueue_all(vec![job.clone(), next.clone()]).await;
        let is_leased = matches!(
            first,
            Operation::Extend | Operation::Finish | Operation::Apply | Operation::TakeBack | Operation::Purge
        );
        let lease = if is_leased {
            kit.claim_one(Lane::Deploy).await.job
        } else {
            let seq = kit.job(job.id).await.seq;
            LeaseRef { seq, fence: Fence::of(seq, 1) }
        };
        match first {
            Operation::Promote => kit.h.advance(Duration::from_secs(6)),
            Operation::TakeBack => kit.h.advance(LEASE + Duration::from_secs(1)),
            Operation::Purge => {
                kit.finish(lease, Outcome::Done).await;
                kit.h.advance(Duration::from_secs(3 * 86_400));
            }
            _ => {}
        }
        Self { app, job, next, again, follow, lease }
    }

    fn name(&self, id: JobId) -> &'static str {
        let names = [(&self.job, "job"), (&self.next, "next"), (&self.again, "again"), (&self.follow, "follow")];
        names.into_iter().find(|(job, _)| job.id == id).map_or("another", |(_, name)| name)
    }

    async fn run(&self, store: &dyn Store, operation: Operation) -> String {
        let budget = Budget { time: Duration::from_secs(60), purge: operation == Operation::Purge };
        match operation {
            Operation::Claim => {
                let leases = store.claim(&request(Lane::Deploy, 10)).await.expect("a claim is answered");
                format!("{:?}", leases.iter().map(|l| (self.name(l.id), l.job.fence.hand_out())).collect::<Vec<_>>())
            }
            Operation::Extend => format!("{:?}", store.extend(&[self.lease], LEASE).await.expect("an extend is answered")),
            Operation::Finish => {
                let items = vec![Finish { lease: self.lease, outcome: Outcome::Done }];
                format!("{:?}", store.finish(items).await.expect("a finish is answered"))
            }
            Operation::TakeBack | Operation::Promote | Operation::Purge => {
                let did = store.maintain(&budget).await.expect("housekeeping is done");
                format!("{:?}", (did.promoted, did.taken_back, did.mended))
            }
            Operation::Enqueue => {
                let answers = store.enqueue(vec![self.again.clone()]).await.expect("the job is stored");
                format!("{:?}", answers.iter().map(|e| (self.name(e.id), e.folded)).collect::<Vec<_>>())
            }
            Operation::Cancel => verdict(store, self.app.change().with_cancel(CancelJobs::Key(key(&self.job)))).await,
            Operation::Apply => {
                let change = self.app.change().with_job(JobStep::Finish(self.lease, Outcome::Done));
                let change = change.with_event(NewEvent::new(EventKind::ImageResolved, "x"));
                verdict(store, change.with_follow_up(self.follow.clone())).await
            }
        }
    }

    fn rows(&self, peek: &Peek) -> Vec<String> {
        let org = &self.app.org;
        let jobs = peek.jobs.iter().filter(|j| j.scope.org() == Some(org) && j.kind.lane() == Lane::Deploy);
        let jobs = jobs.map(|j| format!("{:?}", (self.name(j.id), j.state, j.counters, j.cancel_asked, j.blocked_on)));
        let deployments = peek.deployments.iter().filter(|d| d.org == *org).map(|d| format!("version {}", d.version));
        let events = peek.events.iter().filter(|e| e.org == *org).map(|e| format!("event {} {:?}", e.seq, e.kind));
        let mut rows: Vec<String> = jobs.chain(deployments).chain(events).collect();
        rows.sort_unstable();
        rows
    }

    /// What happened, after which the lane is empty for the next scene.
    async fn end(&self, kit: &Kit<'_>, answers: Vec<String>) -> Seen {
        let peek = kit.h.peek().await;
        check_invariants(&peek);
        let rows = self.rows(&peek);
        let change = [&self.job, &self.next].into_iter().map(key).map(CancelJobs::Key);
        kit.commit(change.fold(self.app.change(), RevisionChange::with_cancel)).await;
        kit.later(LEASE * 2).await;
        Seen { answers, rows }
    }
}

fn key(job: &NewJob) -> JobKey {
    job.dedupe.as_ref().map(|d| d.key.clone()).expect("it has a key")
}

/// The name of the answer.
async fn verdict(store: &dyn Store, change: RevisionChange) -> String {
    let applied = format!("{:?}", store.apply(change).await.expect("a change is answered"));
    applied.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned).expect("a name")
}

/// All orders of so many.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let longer = |order: &Vec<usize>| {
        let order = order.clone();
        (0..n).map(move |at| {
            let mut order = order.clone();
            order.insert(at, n - 1);
            order
        })
    };
    shorter.iter().flat_map(longer).collect()
}

/// What the operations do one after another, in every order; the job stands where the first finds something to do. A claim may
/// also find nothing: it passes by what others hold.
async fn serial(kit: &Kit<'_>, operations: &[Operation]) -> BTreeSet<Seen> {
    let mut all = BTreeSet::new();
    let claims = operations.contains(&Operation::Claim);
    for passes_by in [false, true].into_iter().take(1 + usize::from(claims)) {
        for order in orders(operations.len()) {
            let scene = Scene::set(kit, operations[0]).await;
            let mut answers = vec![String::new(); operations.len()];
            for at in order {
                let nothing = passes_by && operations[at] == Operation::Claim;
                answers[at] = if nothing { "[]".to_owned() } else { scene.run(&*kit.store, operations[at]).await };
            }
            all.insert(scene.end(kit, answers).await);
        }
    }
    all
}

/// Stops `first` at each boundary of its statements in turn and runs `second` there, to its end or to a lock of the first;
/// answers at how many.
///
/// # Panics
/// If what was answered and written is that of no order of the two.
pub async fn pair(h: &dyn StoreHarness, first: Operation, second: Operation) -> usize {
    let kit = Kit::of(h);
    let expected = serial(&kit, &[first, second]).await;
    let mut at = 0;
    loop {
        let scene = Scene::set(&kit, first).await;
        let (one, two) = (scene.clone(), scene.clone());
        let ran = meanwhile(
            h,
            at,
            Act::Go,
            async move |store: Arc<dyn Store>| one.run(&*store, first).await,
            async move |store: Arc<dyn Store>| two.run(&*store, second).await,
        );
        let Some(both) = ran.await else {
            scene.end(&kit, Vec::new()).await;
            return at;
        };
        let seen = scene.end(&kit, vec![both.first, both.second]).await;
        assert!(expected.contains(&seen), "{first:?} at {:?}, {second:?} meanwhile:\n{seen:#?}\n{expected:#?}", both.at);
        at += 1;
    }
}

/// Three operations, of which the first and then the second stand at a boundary while the third runs.
///
/// # Panics
/// If what was answered and written is that of no order of the three.
pub async fn triple(h: &dyn StoreHarness, operations: [Operation; 3], stops: [usize; 2]) {
    let kit = Kit::of(h);
    let expected = serial(&kit, &operations).await;
    let scene = Scene::set(&kit, operations[0]).await;
    let mut running = Vec::new();
    let mut gates = Vec::new();
    for (at, operation) in operations.into_iter().enumerate() {
        let scene = scene.clone();
        let (store, stepper) = match stops.get(at) {
            None => (h.other(), None),
            Some(stop) => {
                let (stepper, go_on) = Stepper::stalling(*stop, Act::Go);
                gates.push(go_on);
                (h.hooked(Arc::<Stepper>::clone(&stepper)), Some(stepper))
            }
        };
        let mut task = tokio::spawn(async move { scene.run(&*store, operation).await });
        let reached = async {
            match &stepper {
                Some(stepper) => stepper.reached().await,
                None => std::future::pending().await,
            }
        };
        // It stands there, or has ended, or waits for a lock of one before it.
        let answer = tokio::select! {
            () = reached => None,
            answer = &mut task => Some(answer.expect("it ends")),
            () = tokio::time::sleep(SETTLE) => None,
        };
        running.push((task, answer));
    }
    while let Some(gate) = gates.pop() {
        drop(gate);
    }
    let mut answers = Vec::new();
    for (task, answer) in running {
        answers.push(match answer {
            Some(answer) => answer,
            None => task.await.expect("it ends"),
        });
    }
    let seen = scene.end(&kit, answers).await;
    assert!(expected.contains(&seen), "{operations:?} stopped at {stops:?}:\n{seen:#?}\n{expected:#?}");
}
