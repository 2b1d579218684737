//! What both suites of a store share: the harness, a kit of short calls, the invariants, the macro that stamps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::fixtures;
pub use super::harness::{Given, StoreHarness};
use crate::domain::{
    Applied, Budget, ClaimRequest, Committed, DedupeUntil, DeploymentId, Enqueued, Event, EventQuery, Extended, Finish,
    Finished, JobError, JobId, JobState, Lane, Lease, LeaseRef, Maintained, NewJob, OrgId, Outcome, PageRequest,
    RevisionChange, RevisionId, RevisionPatch, RevisionState, RevisionView, Scope, Want, WorkerId,
};
use crate::ports::Store;
use crate::testing::peek::{JobPeek, Peek};

/// How long a case may take, with the making of its store: a store that loses a wake-up fails instead of hanging.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a case to its end.
///
/// # Panics
/// If it takes longer than [`DEADLINE`].
pub async fn within_deadline(case: impl Future<Output = ()>) {
    assert!(tokio::time::timeout(DEADLINE, case).await.is_ok(), "the case does not end within {DEADLINE:?}");
}

/// How long the suite's leases last. Cases that let one run out move the clock by more, the others by less.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// Short calls that must succeed.
#[derive(Clone)]
pub(super) struct Kit<'h> {
    pub(super) h: &'h dyn StoreHarness,
    pub(super) store: Arc<dyn Store>,
}

/// A deployment with its first revision.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) org: OrgId,
    pub(super) id: DeploymentId,
    pub(super) first: RevisionId,
}

impl App {
    pub(super) fn change(&self) -> RevisionChange {
        RevisionChange::new(self.org.clone(), self.id)
    }
}

pub(super) fn request(lane: Lane, max: u32) -> ClaimRequest {
    let worker = WorkerId::parse("suite").expect("a worker id");
    ClaimRequest { worker, want: vec![Want { lane, max }], lease: LEASE }
}

pub(super) fn retry(after: Duration, panic: bool) -> Outcome {
    Outcome::Retry { after, error: JobError::new("suite", "failed"), panic }
}

pub(super) fn park() -> Outcome {
    Outcome::Park { error: JobError::new("suite", "given up") }
}

pub(super) fn snooze(after: Duration) -> Outcome {
    Outcome::Snooze { after, payload: None }
}

#[track_caller]
pub(super) fn committed(applied: Applied) -> Committed {
    match applied {
        Applied::Committed(committed) => committed,
        other => panic!("not committed: {other:?}"),
    }
}

impl<'h> Kit<'h> {
    pub(super) fn of(h: &'h dyn StoreHarness) -> Self {
        Self { h, store: h.store() }
    }

    pub(super) async fn enqueue(&self, job: NewJob) -> Enqueued {
        let answers = self.enqueue_all(vec![job]).await;
        *answers.first().expect("one answer a job")
    }

    pub(super) async fn enqueue_all(&self, jobs: Vec<NewJob>) -> Vec<Enqueued> {
        self.store.enqueue(jobs).await.expect("the jobs are stored")
    }

    pub(super) async fn claim(&self, lane: Lane, max: u32) -> Vec<Lease> {
        self.store.claim(&request(lane, max)).await.expect("a claim is answered")
    }

    /// The head of the lane.
    pub(super) async fn claim_one(&self, lane: Lane) -> Lease {
        self.claim(lane, 1).await.pop().expect("a job is ready")
    }

    pub(super) async fn finish(&self, lease: LeaseRef, outcome: Outcome) -> Finished {
        let items = vec![Finish { lease, outcome }];
        let answers = self.store.finish(items).await.expect("a finish is answered");
        *answers.first().expect("one answer an item")
    }

    /// Claims the head of the lane and ends it.
    pub(super) async fn run_one(&self, lane: Lane, outcome: Outcome) -> Lease {
        let lease = self.claim_one(lane).await;
        assert_eq!(self.finish(lease.job, outcome).await, Finished::Accepted);
        lease
    }

    pub(super) async fn extend(&self, lease: LeaseRef) -> Extended {
        let answers = self.store.extend(&[lease], LEASE).await.expect("an extend is answered");
        *answers.first().expect("one answer a lease")
    }

    pub(super) async fn maintain(&self) -> Maintained {
        let budget = Budget { time: Duration::from_secs(60), purge: true };
        self.store.maintain(&budget).await.expect("housekeeping is done")
    }

    /// Moves the clock and does the housekeeping.
    pub(super) async fn later(&self, by: Duration) -> Maintained {
        self.h.advance(by);
        self.maintain().await
    }

    pub(super) async fn apply(&self, change: RevisionChange) -> Applied {
        self.store.apply(change).await.expect("a change is answered")
    }

    pub(super) async fn commit(&self, change: RevisionChange) -> Committed {
        committed(self.apply(change).await)
    }

    pub(super) async fn job(&self, id: JobId) -> JobPeek {
        self.h.peek().await.job(id).cloned().expect("the job is stored")
    }

    pub(super) async fn state(&self, id: JobId) -> JobState {
        self.job(id).await.state
    }

    /// Creates a deployment; its build job is ready.
    pub(super) async fn app(&self, org: &OrgId, name: &str) -> App {
        let id = fixtures::deployment_id();
        let committed = self.commit(fixtures::create(org, id, name)).await;
        let (first, _) = *committed.numbers.first().expect("the first revision");
        App { org: org.clone(), id, first }
    }

    /// The next revision with its event and build job.
    pub(super) async fn push(&self, app: &App, n: u32) -> RevisionId {
        let id = fixtures::revision_id();
        self.commit(fixtures::with_revision(app.change(), id, n)).await;
        id
    }

    pub(super) async fn view(&self, app: &App, id: RevisionId) -> RevisionView {
        self.store.revision(&app.org, app.id, id).await.expect("the revision is there")
    }

    /// The change that moves a revision from where it is, with its event.
    pub(super) async fn moving(&self, app: &App, id: RevisionId, to: RevisionState) -> RevisionChange {
        let view = self.view(app, id).await;
        app.change().with_revision(fixtures::step(&view, to, RevisionPatch::default())).with_event(fixtures::told(id, to))
    }

    pub(super) async fn go(&self, app: &App, id: RevisionId, states: &[RevisionState]) {
        for to in states {
            let change = self.moving(app, id, *to).await;
            self.commit(change).await;
        }
    }

    pub(super) async fn events(&self, app: &App) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = Some(events.last().map_or(0, |e| e.seq));
            let query = EventQuery { page: PageRequest { page: 1, limit: 100 }, newest_first: false, after };
            let page = self.store.events(&app.org, app.id, &query).await.expect("the events are there");
            if page.items.is_empty() {
                return events;
            }
            events.extend(page.items);
        }
    }
}

/// What holds of every store at every commit.
///
/// # Panics
/// If it does not.
pub fn check_invariants(peek: &Peek) {
    check_jobs(peek);
    check_catalog(peek);
    check_events(peek);
}

fn check_jobs(peek: &Peek) {
    let (mut holders, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for job in &peek.jobs {
        let holds = matches!(job.state, JobState::Delayed | JobState::Ready | JobState::Leased);
        if let Some(key) = job.serial.clone().filter(|_| holds) {
            assert!(holders.insert((job.scope.clone(), key)), "two holders of a serial key: {job:?}");
        }
        if let Some(dedupe) = &job.dedupe {
            let leased = job.state == JobState::Leased && dedupe.until == DedupeUntil::Finished;
            let waits = matches!(job.state, JobState::Delayed | JobState::Blocked | JobState::Ready);
            let live = leased || waits;
            assert!(!live || keys.insert((job.scope.clone(), dedupe.key.clone())), "two live jobs of a key: {job:?}");
        }
        assert_eq!(job.state == JobState::Blocked, job.blocked_on.is_some(), "blocked on nothing: {job:?}");
        assert!(job.state != JobState::Leased || job.counters.fence > 0, "leased without a hand-out: {job:?}");
    }
    for job in peek.jobs.iter().filter(|job| job.blocked_on == Some(crate::testing::peek::BlockedOn::Serial)) {
        let key = job.serial.clone().expect("only a keyed job waits for a key");
        assert!(holders.contains(&(job.scope.clone(), key)), "waits for nobody: {job:?}");
    }
}

fn check_catalog(peek: &Peek) {
    let mut numbers: HashMap<(OrgId, DeploymentId), BTreeSet<u32>> = HashMap::new();
    let mut states = HashMap::new();
    for r in &peek.revisions {
        let fresh = numbers.entry((r.org.clone(), r.deployment)).or_default().insert(r.number);
        assert!(fresh, "a number twice: {r:?}");
        assert_eq!(r.finished, r.state.is_terminal(), "finished_at and the state differ: {r:?}");
        states.insert((r.org.clone(), r.id), r.state);
    }
    for (deployment, numbers) in &numbers {
        assert!(numbers.iter().copied().eq((1..).take(numbers.len())), "numbers of {deployment:?}: {numbers:?}");
    }
    for d in &peek.deployments {
        let numbers = numbers.get(&(d.org.clone(), d.id)).expect("a deployment has revisions");
        assert_eq!(numbers.last(), Some(&d.newest_number), "{d:?}");
        let served = |r: &&crate::testing::peek::RevisionPeek| {
            (&r.org, r.deployment) == (&d.org, d.id) && r.state == RevisionState::Succeeded
        };
        let newest = peek.revisions.iter().filter(served).map(|r| r.number).max();
        assert_eq!(newest.unwrap_or(0), d.current_number, "the newest that succeeded serves: {d:?}");
    }
    let mut attempts = BTreeSet::new();
    for a in &peek.attempts {
        assert!(attempts.insert((a.org.clone(), a.revision, a.number)), "an attempt's number twice: {a:?}");
        let state = states.get(&(a.org.clone(), a.revision)).expect("an attempt's revision is stored");
        assert!(!a.open || state.is_before_built(), "open although its revision is {state:?}: {a:?}");
    }
}

fn check_events(peek: &Peek) {
    let mut last: BTreeMap<(OrgId, DeploymentId), u64> = BTreeMap::new();
    let mut told = HashMap::new();
    for event in &peek.events {
        let seq = last.entry((event.org.clone(), event.deployment)).or_default();
        assert_eq!(event.seq, seq.saturating_add(1), "events are dense: {event:?}");
        *seq = event.seq;
        let state = event.kind.as_str().strip_prefix("revision.").and_then(RevisionState::from_name);
        if let Some((revision, state)) = event.revision.zip(state) {
            told.insert((event.org.clone(), revision), state);
        }
    }
    for r in &peek.revisions {
        let told = told.get(&(r.org.clone(), r.id)).copied().unwrap_or(r.state);
        assert_eq!(told, r.state, "the timeline tells another state: {r:?}");
    }
}

/// The scope of an org.
pub(super) fn scope(org: &OrgId) -> Scope {
    Scope::Org(org.clone())
}

/// Stamps the suites of `JobQueue` and `RevisionStore` into one `#[tokio::test]` a case, in a module `$name`. `$factory` is
/// called without arguments for each case and gives a future of a [`StoreHarness`], or of `None` where the machine lacks a part
/// of it: the case is skipped. The invariants are checked after each.
///
/// The calling crate needs tokio's features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_suite {
    ($name:ident, $factory:expr) => {
        mod $name {
            use super::*;

            $crate::queue_cases!($factory);
            $crate::catalog_cases!($factory);
        }
    };
    (@stamp $factory:expr, $suite:ident::$group:ident, [$($case:ident),* $(,)?]) => {
        mod $group {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    use $crate::testing::suites::store::{Given as _, StoreHarness as _, check_invariants, within_deadline};
                    within_deadline(async {
                        let Some(harness) = ($factory)().await.given() else { return };
                        $crate::testing::suites::$suite::$group::$case(&harness).await;
                        check_invariants(&harness.peek().await);
                    })
                    .await;
                }
            )*
        }
    };
}
