//! Seeded scripts on the memory store and on the SQL stores: every answer and every row must be equal. The suite's own script
//! compares what every database must answer alike; the one here, under a clock that only the script moves, also times and
//! places.

#[path = "support/mysql.rs"]
mod mysql;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/sqlite.rs"]
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::revision::{Next, RevisionEvent, next};
use zopnight_core::domain::{
    AttemptOp, Budget, CancelJobs, ClaimRequest, DeploymentId, DeploymentOp, DeploymentQuery, EventQuery, Finish, JobError,
    JobId, JobStep, Lane, LeaseRef, NewAttempt, NewJob, OrgId, Outcome, PageRequest, RevisionChange, RevisionId,
    RevisionPatch, Scope, Settled, Want, WorkerId,
};
use zopnight_core::ports::{Random as _, Store};
use zopnight_core::testing::fakes::SeededRandom;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::suites::catalog::script::{STEPS as WHOLE, same_script, seeds};
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::store::check_invariants;
use zopnight_store::testing::{peek, with_clock};
use zopnight_store::{SqliteStore, StoreOptions};

const STEPS: usize = 300;

/// What the script has met so far: ids and leases to come back to.
#[derive(Default)]
struct Known {
    apps: Vec<(OrgId, DeploymentId)>,
    revisions: Vec<(OrgId, DeploymentId, RevisionId)>,
    leases: Vec<(LeaseRef, Option<RevisionId>)>,
    jobs: Vec<(Scope, JobId)>,
    attempts: Vec<(OrgId, DeploymentId, zopnight_core::domain::AttemptId)>,
}

struct Dice(Arc<SeededRandom>);

impl Dice {
    fn below(&self, n: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % u64::try_from(n.max(1)).expect("it fits")).expect("it fits")
    }

    fn pick<T: Clone>(&self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).cloned()
    }
}

/// One operation, ready to be carried out on either store.
#[derive(Clone, Debug)]
enum Act {
    Enqueue(Vec<NewJob>),
    Claim(ClaimRequest),
    Extend(Vec<LeaseRef>),
    Finish(Vec<Finish>),
    Maintain,
    Revive(Scope, JobId),
    Apply(Box<RevisionChange>),
    Advance(Duration),
    Read(OrgId, DeploymentId),
}

async fn carry_out(store: &dyn Store, act: &Act) -> String {
    let short = |e: zopnight_core::Error| format!("{:?} {:?}", e.kind(), e.code());
    match act {
        Act::Enqueue(jobs) => format!("{:?}", store.enqueue(jobs.clone()).await.map_err(short)),
        Act::Claim(request) => format!("{:?}", store.claim(request).await.map_err(short)),
        Act::Extend(leases) => format!("{:?}", store.extend(leases, Duration::from_secs(60)).await.map_err(short)),
        Act::Finish(items) => format!("{:?}", store.finish(items.clone()).await.map_err(short)),
        Act::Maintain => {
            let budget = Budget { time: Duration::from_secs(60), purge: true };
            format!("{:?}", store.maintain(&budget).await.map_err(short))
        }
        Act::Revive(scope, job) => format!("{:?}", store.revive(scope, *job).await.map_err(short)),
        Act::Apply(change) => format!("{:?}", store.apply((**change).clone()).await.map_err(short)),
        Act::Advance(_) => String::new(),
        Act::Read(org, id) => {
            let events = EventQuery { page: PageRequest { page: 1, limit: 100 }, newest_first: true, after: None };
            let revisions = store.revisions(org, *id, &zopnight_core::domain::RevisionQuery::default()).await;
            format!(
                "{:?} {:?} {:?} {:?} {:?}",
                store.deployment(org, *id).await.map_err(short),
                store.deployments(org, &DeploymentQuery::default()).await.map_err(short),
                revisions.map_err(short),
                store.unfinished(org, *id).await.map_err(short),
                store.events(org, *id, &events).await.map_err(short),
            )
        }
    }
}

fn outcome(dice: &Dice) -> Outcome {
    let error = JobError::new("script", "failed");
    let after = Duration::from_secs(u64::try_from(dice.below(90)).expect("it fits"));
    match dice.below(8) {
        0..=2 => Outcome::Done,
        3 => Outcome::Cancelled,
        4 => Outcome::Release,
        5 => Outcome::Snooze { after, payload: None },
        6 => Outcome::Retry { after, error, panic: dice.below(2) == 0 },
        _ => Outcome::Park { error },
    }
}

fn new_job(dice: &Dice, known: &Known) -> NewJob {
    let org = fixtures::org(["a", "b", "c"][dice.below(3)]);
    let (_, app, revision) =
        dice.pick(&known.revisions).unwrap_or_else(|| (org.clone(), fixtures::deployment_id(), fixtures::revision_id()));
    let job = match dice.below(6) {
        0 => fixtures::deploy_job(&org, app, revision),
        1 => fixtures::teardown_job(&org, app),
        2 => fixtures::status_job(&org, app, revision),
        3 => fixtures::build_job(&org, app, revision),
        4 => fixtures::sweep_job(),
        _ => fixtures::plain_job(&org),
    };
    job.after(Duration::from_secs(u64::try_from([0, 0, 30, 90][dice.below(4)]).expect("it fits")))
}

fn lane(dice: &Dice) -> Lane {
    Lane::ALL[dice.below(Lane::ALL.len())]
}

async fn change(dice: &Dice, known: &Known, store: &dyn Store) -> Option<RevisionChange> {
    if known.apps.is_empty() || dice.below(12) == 0 {
        let org = fixtures::org(["a", "b"][dice.below(2)]);
        let name = ["one", "two", "three", "four"][dice.below(4)];
        return Some(fixtures::create(&org, fixtures::deployment_id(), name));
    }
    let (org, app) = dice.pick(&known.apps)?;
    let base = RevisionChange::new(org.clone(), app);
    let held = dice.pick(&known.leases).filter(|_| dice.below(2) == 0);
    let base = match held {
        Some((lease, _)) if dice.below(2) == 0 => base.with_job(JobStep::Hold(lease)),
        Some((lease, _)) => base.with_job(JobStep::Finish(lease, outcome(dice))),
        None => base,
    };
    match dice.below(12) {
        0..=2 => Some(fixtures::with_revision(base, fixtures::revision_id(), u32::try_from(dice.below(50)).ok()?)),
        3..=6 => {
            let (org, app, id) = dice.pick(&known.revisions)?;
            let view = store.revision(&org, app, id).await.ok()?;
            let event = RevisionEvent::ALL[dice.below(RevisionEvent::ALL.len())];
            let Next::To(to) = next(view.revision.state, event) else { return None };
            let change = RevisionChange::new(org.clone(), app).with_job(base.job);
            let change = change.with_revision(fixtures::step(&view, to, RevisionPatch::default()));
            let change = change.with_event(fixtures::told(id, to)).with_cancel(CancelJobs::OfRevision(id));
            Some(change.with_follow_up(fixtures::deploy_job(&org, app, id)))
        }
        7..=9 => {
            let (org, app, revision) = dice.pick(&known.revisions)?;
            let attempt = NewAttempt {
                jti: fixtures::attempt_id(),
                revision,
                number: u32::try_from(dice.below(6)).ok()? + 1,
                image_repository: fixtures::image_repository(),
                commit: fixtures::commit(1),
                deadline: fixtures::start(),
            };
            let change = RevisionChange::new(org, app).with_job(base.job);
            Some(change.with_attempt(AttemptOp::Open(Box::new(attempt))))
        }
        10 => {
            let (org, app, jti) = dice.pick(&known.attempts)?;
            let close = AttemptOp::Close { jti, settled: Settled::Watch, outcome: None, body_digest: None };
            Some(RevisionChange::new(org, app).with_attempt(close))
        }
        _ => Some(base.with_deployment(if dice.below(4) == 0 { DeploymentOp::Gone } else { DeploymentOp::Deleting })),
    }
}

async fn choose(dice: &Dice, known: &Known, store: &dyn Store) -> Option<Act> {
    Some(match dice.below(20) {
        0..=2 => Act::Enqueue((0..=dice.below(4)).map(|_| new_job(dice, known)).collect()),
        3..=6 => {
            let want = Want { lane: lane(dice), max: u32::try_from(dice.below(3)).ok()? + 1 };
            let worker = WorkerId::parse("script").ok()?;
            Act::Claim(ClaimRequest { worker, want: vec![want], lease: Duration::from_secs(60) })
        }
        7 => Act::Extend(vec![dice.pick(&known.leases)?.0, dice.pick(&known.leases)?.0]),
        8..=9 => Act::Finish(vec![Finish { lease: dice.pick(&known.leases)?.0, outcome: outcome(dice) }]),
        10 => Act::Maintain,
        11 => {
            let (scope, job) = dice.pick(&known.jobs)?;
            Act::Revive(scope, job)
        }
        12 => Act::Advance(Duration::from_secs(u64::try_from(dice.below(60)).ok()?)),
        13 => {
            let (org, app) = dice.pick(&known.apps)?;
            Act::Read(org, app)
        }
        _ => Act::Apply(Box::new(change(dice, known, store).await?)),
    })
}

impl Known {
    /// What an act makes known, whatever became of it: a stale name is worth trying, too.
    fn note(&mut self, act: &Act) {
        match act {
            Act::Enqueue(jobs) => self.jobs.extend(jobs.iter().map(|j| (j.scope.clone(), j.id))),
            Act::Apply(change) => {
                if matches!(change.deployment_op, DeploymentOp::Create(_)) {
                    self.apps.push((change.org.clone(), change.deployment));
                }
                for op in &change.revisions {
                    if let zopnight_core::domain::RevisionOp::Create(new) = op {
                        self.revisions.push((change.org.clone(), change.deployment, new.id));
                    }
                }
                for op in &change.attempts {
                    if let AttemptOp::Open(new) = op {
                        self.attempts.push((change.org.clone(), change.deployment, new.jti));
                    }
                }
            }
            _ => {}
        }
    }
}

async fn run(seed: u64) -> usize {
    let frozen = Arc::new(Frozen(std::sync::atomic::AtomicI64::new(fixtures::start().as_micros())));
    let memory = MemoryStore::new(Arc::<Frozen>::clone(&frozen));
    let sqlite = SqliteStore::connect("sqlite::memory:", StoreOptions::default()).await.expect("a store");
    let sqlite = with_clock(sqlite, Arc::<Frozen>::clone(&frozen));
    let dice = Dice(SeededRandom::new(seed));
    let mut known = Known::default();
    let mut committed = 0;
    for n in 0..STEPS {
        let Some(act) = choose(&dice, &known, &memory).await else { continue };
        if let Act::Advance(by) = &act {
            frozen.advance(*by);
        }
        if let Act::Claim(request) = &act {
            let (a, b) = (claimed(&memory, request).await, claimed(&sqlite, request).await);
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "seed {seed}, step {n}: {act:?}");
            known.leases.extend(a.iter().map(|l| (l.job, l.revision)));
        } else {
            let (a, b) = (carry_out(&memory, &act).await, carry_out(&sqlite, &act).await);
            assert!(a == b, "seed {seed}, step {n}: {act:?}\n{}", first_difference(&a, &b));
            committed += usize::from(a.starts_with("Ok(Committed"));
        }
        known.note(&act);
        let (mut a, mut b) = (memory.peek(), peek(&sqlite).await.expect("the rows decode"));
        for p in [&mut a, &mut b] {
            p.deployments.sort_by_key(|d| (d.org.clone(), d.id));
            p.revisions.sort_by_key(|r| (r.org.clone(), r.id));
            p.attempts.sort_by_key(|x| (x.org.clone(), x.jti));
        }
        check_invariants(&b);
        let (a, b) = (format!("{a:?}"), format!("{b:?}"));
        assert!(a == b, "seed {seed}, step {n}: {act:?}\n{}", first_difference(&a, &b));
    }
    committed
}

/// Where two long answers part, and what stands around it.
fn first_difference(a: &str, b: &str) -> String {
    let at = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count().saturating_sub(300);
    let around = |t: &str| t.chars().skip(at).take(500).collect::<String>();
    format!("memory: {}\nsqlite: {}", around(a), around(b))
}

async fn claimed(store: &dyn Store, request: &ClaimRequest) -> Vec<zopnight_core::domain::Lease> {
    store.claim(request).await.expect("claimed")
}

/// Time that only the script moves.
#[derive(Debug)]
struct Frozen(std::sync::atomic::AtomicI64);

impl Frozen {
    fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a short time");
        self.0.fetch_add(micros, std::sync::atomic::Ordering::SeqCst);
    }
}

impl zopnight_core::ports::Clock for Frozen {
    fn now(&self) -> zopnight_core::domain::Timestamp {
        zopnight_core::domain::Timestamp::from_micros(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[tokio::test]
async fn same_script_on_memory_and_sqlite() {
    let mut committed = 0;
    for seed in 0..20 {
        committed += run(seed).await;
    }
    assert!(committed > 200, "only {committed} changes were carried out");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_script_on_a_file() {
    for seed in seeds() {
        same_script(&sqlite::file().await, seed, WHOLE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn same_script_in_memory() {
    for seed in seeds() {
        same_script(&sqlite::memory().await, seed, WHOLE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn same_script_on_mariadb() {
    for seed in seeds() {
        let Some(harness) = mysql::mariadb().await else { return };
        same_script(&harness, seed, WHOLE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn same_script_on_postgres() {
    for seed in seeds() {
        let Some(harness) = postgres::fresh().await else { return };
        same_script(&harness, seed, WHOLE).await;
    }
}
