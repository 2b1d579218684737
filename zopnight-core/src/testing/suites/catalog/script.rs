//! A long random script, run on the store and on the memory store in step.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Applied, AttemptId, AttemptOp, Budget, CancelJobs, ClaimRequest, ConfigPatch, DeploymentOp, DeploymentQuery,
    DeploymentSort, DeploymentView, Event, EventQuery, Expect, Finish, Idempotency, IdempotencyRef, JobId, JobStep, Lane,
    LeaseRef, LogSource, LogTail, NewJob, OrgId, Outcome, Page, PageRequest, RevisionChange, RevisionId, RevisionLog,
    RevisionQuery, RevisionState, RevisionView, Scope, Settled,
};
use crate::ports::Store;
use crate::testing::fakes::{ManualClock, SeededRandom};
use crate::testing::memory::MemoryStore;
use crate::testing::peek::Peek;
use crate::testing::suites::fixtures::{
    attempt_id, create, deploy_job, deployment_id, open, org, plain_job, revision_id, start, status_job, step, teardown_job,
    told, with_revision,
};
use crate::testing::suites::store::{App, StoreHarness, park, request, retry, scope, snooze};

/// Deadlines lie halfway between the steps of the clock, so that the real time of a run crosses none of them.
const TICK: Duration = Duration::from_secs(1_000);

/// How many operations a script is.
pub const STEPS: usize = 5_000;

/// A lease of both stores; their sequence numbers may differ.
#[derive(Clone, Debug)]
struct Held {
    id: JobId,
    scope: Scope,
    leases: [LeaseRef; 2],
}

struct Script<'h> {
    h: &'h dyn StoreHarness,
    clock: Arc<ManualClock>,
    stores: [Arc<dyn Store>; 2],
    random: Arc<SeededRandom>,
    apps: Vec<App>,
    revisions: Vec<(App, RevisionId)>,
    attempts: Vec<(App, RevisionId, AttemptId)>,
    jobs: Vec<NewJob>,
    held: Vec<Held>,
}

fn pick<'a, T>(random: &SeededRandom, from: &'a [T]) -> Option<&'a T> {
    let n = u64::try_from(from.len()).unwrap_or(0);
    let at = random.next_u64().checked_rem(n)?;
    from.get(usize::try_from(at).unwrap_or(0))
}

/// An answer without what the two stores may differ in: times and sequence numbers of jobs.
fn shown(applied: &crate::Result<Applied>) -> String {
    match applied {
        Ok(Applied::Exists(view)) => format!("exists {:?}", view.revision.id),
        Ok(Applied::Replayed(record)) => format!("replayed {:?}", record.revision),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.kind().as_str().to_owned(),
    }
}

impl Script<'_> {
    fn roll(&self, n: u64) -> u64 {
        self.random.next_u64().checked_rem(n).unwrap_or(0)
    }

    /// 500, 1,500 or 2,500 s.
    fn pause(&self) -> Duration {
        TICK.saturating_mul(u32::try_from(self.roll(3)).unwrap_or(0)).saturating_add(TICK / 2)
    }

    fn org(&self) -> OrgId {
        org(&format!("org-{}", self.roll(3)))
    }

    async fn apply(&mut self, change: RevisionChange) -> Option<Applied> {
        self.apply_each([change.clone(), change]).await
    }

    async fn apply_each(&mut self, changes: [RevisionChange; 2]) -> Option<Applied> {
        let [ours, theirs] = changes;
        let expected = self.stores[0].apply(ours).await;
        let answer = self.stores[1].apply(theirs.clone()).await;
        assert_eq!(shown(&answer), shown(&expected), "{theirs:?}");
        answer.ok()
    }

    async fn create(&mut self) {
        let (org, id) = (self.org(), deployment_id());
        let change = create(&org, id, &format!("app-{}", self.roll(4)));
        let jobs = change.jobs.clone();
        if let Some(Applied::Committed(done)) = self.apply(change).await {
            let app = App { org, id, first: done.numbers[0].0 };
            self.revisions.push((app.clone(), app.first));
            self.apps.push(app);
            self.jobs.extend(jobs);
        }
    }

    /// A push that supersedes what is under way, or not.
    async fn push(&mut self) {
        let Some(app) = pick(&self.random, &self.apps).cloned() else { return };
        let Ok(older) = self.stores[0].unfinished(&app.org, app.id).await else { return };
        let id = revision_id();
        let mut change = with_revision(app.change(), id, 2);
        if older.len() > 3 || self.roll(2) == 0 {
            for view in older.iter().filter(|view| view.revision.state != RevisionState::Deploying) {
                let to = RevisionState::Superseded;
                change = change
                    .with_revision(step(view, to, crate::domain::RevisionPatch::default()))
                    .with_event(told(view.revision.id, to))
                    .with_cancel(CancelJobs::OfRevision(view.revision.id));
            }
        }
        self.jobs.extend(change.jobs.clone());
        self.apply(change).await;
        self.revisions.push((app, id));
    }

    async fn enqueue(&mut self) {
        let mut jobs = Vec::new();
        for _ in 0..=self.roll(3) {
            let org = self.org();
            let about = pick(&self.random, &self.revisions).cloned();
            let job = match (self.roll(6), about) {
                (0, Some((app, id))) => deploy_job(&app.org, app.id, id),
                (1, Some((app, id))) => status_job(&app.org, app.id, id),
                (2, Some((app, _))) => teardown_job(&app.org, app.id),
                (3 | 4, _) => pick(&self.random, &self.jobs).cloned().unwrap_or_else(|| plain_job(&org)),
                _ => plain_job(&org),
            };
            jobs.push(if self.roll(3) == 0 { job.after(self.pause()) } else { job });
        }
        let expected = self.stores[0].enqueue(jobs.clone()).await.expect("the jobs are stored");
        let answer = self.stores[1].enqueue(jobs.clone()).await.expect("the jobs are stored");
        assert_eq!(answer, expected);
        self.jobs.extend(jobs);
    }

    async fn claim(&mut self) {
        let Some(lane) = pick(&self.random, &Lane::ALL).copied() else { return };
        let max = u32::try_from(self.roll(4)).unwrap_or(0).saturating_add(1);
        self.claim_of(lane, max).await;
    }

    async fn claim_of(&mut self, lane: Lane, max: u32) {
        let request = ClaimRequest { lease: TICK / 2, ..request(lane, max) };
        let ours = self.stores[0].claim(&request).await.expect("a claim is answered");
        let theirs = self.stores[1].claim(&request).await.expect("a claim is answered");
        let id = |leases: &[crate::domain::Lease]| leases.iter().map(|lease| lease.id).collect::<Vec<_>>();
        assert_eq!(id(&theirs), id(&ours));
        for (a, b) in ours.into_iter().zip(theirs) {
            assert_eq!((b.failures, b.losses, b.panics, b.cancel_asked), (a.failures, a.losses, a.panics, a.cancel_asked));
            assert_eq!((b.payload, b.serial, b.job.fence.hand_out()), (a.payload, a.serial, a.job.fence.hand_out()));
            self.held.push(Held { id: a.id, scope: a.scope, leases: [a.job, b.job] });
        }
    }

    fn outcome(&self) -> Outcome {
        match self.roll(8) {
            0 => Outcome::Release,
            1 => snooze(Duration::ZERO),
            2 => snooze(self.pause()),
            3 => retry(self.pause(), self.roll(2) == 0),
            4 => park(),
            5 => Outcome::Cancelled,
            _ => Outcome::Done,
        }
    }

    async fn finish(&mut self) {
        let Some(held) = pick(&self.random, &self.held).cloned() else { return };
        let outcome = self.outcome();
        let item = |lease| vec![Finish { lease, outcome: outcome.clone() }];
        let expected = self.stores[0].finish(item(held.leases[0])).await.expect("a finish is answered");
        let answer = self.stores[1].finish(item(held.leases[1])).await.expect("a finish is answered");
        assert_eq!(answer, expected, "{held:?} {outcome:?}");
    }

    async fn extend(&mut self) {
        let Some(held) = pick(&self.random, &self.held).cloned() else { return };
        let lease = TICK.saturating_add(TICK / 2);
        let expected = self.stores[0].extend(&held.leases[..1], lease).await.expect("an extend is answered");
        let answer = self.stores[1].extend(&held.leases[1..], lease).await.expect("an extend is answered");
        assert_eq!(answer, expected, "{held:?}");
    }

    async fn maintain(&mut self) {
        if self.roll(2) == 0 {
            // Now and then so far that leases, retries and retentions run out.
            let by = if self.roll(12) == 0 { TICK.saturating_mul(60) } else { TICK };
            self.clock.advance(by);
            self.h.advance(by);
        }
        let budget = Budget { time: Duration::from_secs(60), purge: true };
        let expected = self.stores[0].maintain(&budget).await.expect("housekeeping is done");
        let answer = self.stores[1].maintain(&budget).await.expect("housekeeping is done");
        let counts = |m: &crate::domain::Maintained| (m.promoted, m.taken_back, m.mended, m.purged, m.next_due.is_some());
        assert_eq!(counts(&answer), counts(&expected));
    }

    /// Claims builds and opens their attempts, as far as there are slots.
    async fn open(&mut self) {
        let before = self.held.len();
        self.claim_of(Lane::Build, 5).await;
        for held in self.held.split_off(before) {
            let job = self.jobs.iter().find(|job| job.id == held.id);
            let about = self.revisions.iter().find(|(_, id)| job.is_some_and(|job| job.revision == Some(*id))).cloned();
            let leases = held.leases;
            self.held.push(held);
            let Some((app, id)) = about else { continue };
            let number = self.attempts.iter().filter(|(_, of, _)| *of == id).count();
            let number = u32::try_from(number).unwrap_or(0).saturating_add(u32::try_from(self.roll(2)).unwrap_or(0));
            let jti = attempt_id();
            let change = |lease| app.change().with_job(JobStep::Hold(lease)).with_attempt(open(jti, id, number.max(1)));
            if let Some(Applied::Committed(_)) = self.apply_each(leases.map(change)).await {
                self.attempts.push((app, id, jti));
            }
        }
    }

    /// A move to a random state from where the revision is, sometimes as the end of a job.
    async fn go(&mut self) {
        let Some((app, id)) = pick(&self.random, &self.revisions).cloned() else { return };
        let Ok(view) = self.stores[0].revision(&app.org, app.id, id).await else { return };
        if view.revision.state.is_terminal() {
            return;
        }
        let Some(to) = pick(&self.random, &RevisionState::ALL).copied().filter(|to| *to != view.revision.state) else {
            return;
        };
        let change = app.change().with_revision(step(&view, to, crate::domain::RevisionPatch::default()));
        let change = change.with_event(told(id, to));
        let held = pick(&self.random, &self.held).cloned().filter(|held| held.scope.org() == Some(&app.org));
        let outcome = self.outcome();
        let changes =
            held.map(|held| held.leases.map(|lease| change.clone().with_job(JobStep::Finish(lease, outcome.clone()))));
        self.apply_each(changes.unwrap_or_else(|| [change.clone(), change])).await;
    }

    async fn close(&mut self) {
        let Some((app, _, jti)) = pick(&self.random, &self.attempts).cloned() else { return };
        let op = AttemptOp::Close { jti, settled: Settled::Watch, outcome: None, body_digest: None };
        self.apply(app.change().with_attempt(op)).await;
    }

    async fn cancel(&mut self) {
        let Some((app, id)) = pick(&self.random, &self.revisions).cloned() else { return };
        self.apply(app.change().with_cancel(CancelJobs::OfRevision(id))).await;
    }

    /// A removal begins, or ends with all that is under way.
    async fn remove(&mut self) {
        let Some(app) = pick(&self.random, &self.apps).cloned() else { return };
        if self.roll(2) == 0 {
            self.apply(app.change().with_deployment(DeploymentOp::Deleting)).await;
            return;
        }
        let Ok(unfinished) = self.stores[0].unfinished(&app.org, app.id).await else { return };
        let mut change = app.change().with_deployment(DeploymentOp::Gone);
        for view in unfinished.iter().skip(usize::from(self.roll(4) == 0)) {
            let to = RevisionState::Cancelled;
            change = change
                .with_revision(step(view, to, crate::domain::RevisionPatch::default()))
                .with_event(told(view.revision.id, to))
                .with_cancel(CancelJobs::OfRevision(view.revision.id));
        }
        self.apply(change).await;
    }

    /// A configuration, a log or a request with a key that may come again.
    async fn write(&mut self) {
        let Some((app, id)) = pick(&self.random, &self.revisions).cloned() else { return };
        let byte = u8::try_from(self.roll(5)).unwrap_or(0);
        let change = match self.roll(3) {
            0 => {
                let patch = ConfigPatch { auto_deploy: Some(byte.is_multiple_of(2)), ..ConfigPatch::default() };
                let expect = Expect { config_version: Some(u32::from(byte)), ..Expect::default() };
                app.change().with_expect(expect).with_deployment(DeploymentOp::Configure(Box::new(patch)))
            }
            1 => {
                let tail = LogTail { lines: vec![byte.to_string()], truncated: false, complete: byte == 0 };
                app.change().with_log(RevisionLog { revision: id, source: LogSource::Build, tail })
            }
            _ => {
                let key = IdempotencyRef { scope_hash: [9; 32], key_hash: [byte; 32] };
                let digest = u8::try_from(self.roll(2)).unwrap_or(0);
                let request = Idempotency { key, request_digest: [digest; 32], status: 201 };
                with_revision(app.change(), revision_id(), 3).with_idempotency(Some(request))
            }
        };
        self.apply(change).await;
    }

    async fn revive(&mut self) {
        let Some(job) = pick(&self.random, &self.jobs).cloned() else { return };
        let (scope, other) = (scope(&self.org()), job.scope.clone());
        let scope = if self.roll(4) == 0 { scope } else { other };
        let expected = self.stores[0].revive(&scope, job.id).await.map_err(|e| e.kind());
        let answer = self.stores[1].revive(&scope, job.id).await.map_err(|e| e.kind());
        assert_eq!(answer, expected, "{job:?}");
    }

    /// What the reads answer of one deployment and of its org, without times.
    async fn read(&mut self) {
        let Some(app) = pick(&self.random, &self.apps).cloned() else { return };
        let id = pick(&self.random, &self.revisions).map(|(_, id)| *id).unwrap_or(app.first);
        let mut shown = Vec::new();
        for store in &self.stores {
            shown.push(seen(&**store, &app, id).await);
        }
        assert_eq!(shown[1], shown[0], "{app:?}");
    }

    async fn step(&mut self) {
        match self.roll(20) {
            0 => self.create().await,
            1 | 2 => self.push().await,
            3..=5 => self.enqueue().await,
            6..=8 => self.claim().await,
            9..=11 => self.finish().await,
            12 => self.extend().await,
            13 => self.maintain().await,
            14 | 15 => self.open().await,
            16 if self.roll(6) == 0 => self.remove().await,
            17 if self.roll(4) == 0 => self.write().await,
            16 | 17 => self.go().await,
            18 if self.roll(2) == 0 => self.close().await,
            18 => self.cancel().await,
            _ => self.revive().await,
        }
    }
}

fn of_deployment(view: &DeploymentView) -> String {
    let d = &view.deployment;
    let current = view.current.as_ref().map(|r| (r.id, r.number));
    let row = (&d.name, d.version, d.config_version, &d.source_head, d.deleting_at.is_some(), view.newest.id, current);
    format!("{row:?}")
}

fn of_revision(view: &RevisionView) -> String {
    let r = &view.revision;
    let attempt = view.attempt.as_ref().map(|a| (a.jti, a.number, a.dispatch, a.settled));
    let stamps = [r.build_started_at, r.built_at, r.deploy_started_at, r.finished_at].map(|at| at.is_some());
    format!("{:?} {stamps:?}", (r.id, r.number, r.state, r.version, &r.commit, r.superseded_by, attempt))
}

async fn seen(store: &dyn Store, app: &App, id: RevisionId) -> Vec<String> {
    let kind = |e: crate::Error| format!("{:?} {:?}", e.kind(), e.code());
    let events = EventQuery { page: PageRequest { page: 1, limit: 100 }, newest_first: true, after: None };
    let page = DeploymentQuery { sort: DeploymentSort::NameAscending, ..DeploymentQuery::default() };
    let of_page = |page: Page<DeploymentView>| {
        format!("{:?} {:?}", page.total, page.items.iter().map(of_deployment).collect::<Vec<_>>())
    };
    let of_revisions =
        |page: Page<RevisionView>| format!("{:?} {:?}", page.total, page.items.iter().map(of_revision).collect::<Vec<_>>());
    let of_events = |page: Page<Event>| {
        let rows = page.items.iter().map(|e| format!("{:?}", (e.seq, e.kind, e.revision, &e.message, &e.data)));
        format!("{:?} {:?}", page.total, rows.collect::<Vec<_>>())
    };
    let revisions = store.revisions(&app.org, app.id, &RevisionQuery::default()).await;
    let unfinished = store.unfinished(&app.org, app.id).await;
    let attempts =
        store.attempts(&app.org, id).await.map(|all| all.iter().map(|a| (a.jti, a.number, a.settled)).collect::<Vec<_>>());
    let mut stats = store.stats().await.expect("the counts are given").jobs;
    stats.sort_unstable();
    vec![
        store.deployment(&app.org, app.id).await.map_or_else(kind, |view| of_deployment(&view)),
        store.deployments(&app.org, &page).await.map_or_else(kind, of_page),
        revisions.map_or_else(kind, of_revisions),
        unfinished.map_or_else(kind, |all| format!("{:?}", all.iter().map(of_revision).collect::<Vec<_>>())),
        store.revision(&app.org, app.id, id).await.map_or_else(kind, |view| of_revision(&view)),
        attempts.map_or_else(kind, |all| format!("{all:?}")),
        store.events(&app.org, app.id, &events).await.map_or_else(kind, of_events),
        format!("{stats:?}"),
    ]
}

type Rows = BTreeMap<&'static str, Vec<String>>;

/// The rows without times and sequence numbers, jobs in the order of enqueueing.
fn rows(peek: &Peek) -> Rows {
    let jobs = peek.jobs.iter().map(|j| {
        let row = (j.id, &j.scope, j.kind, j.state, j.counters);
        format!("{row:?} {:?} {:?} {:?} {:?}", j.cancel_asked, j.blocked_on, j.serial, j.last_error)
    });
    let sorted = |mut rows: Vec<String>| {
        rows.sort_unstable();
        rows
    };
    BTreeMap::from([
        ("jobs", jobs.collect()),
        ("deployments", sorted(peek.deployments.iter().map(|d| format!("{d:?}")).collect())),
        ("revisions", sorted(peek.revisions.iter().map(|r| format!("{r:?}")).collect())),
        ("attempts", sorted(peek.attempts.iter().map(|a| format!("{a:?}")).collect())),
        ("events", sorted(peek.events.iter().map(|e| format!("{e:?}")).collect())),
        ("idempotency", vec![peek.idempotency.to_string()]),
    ])
}

/// 5,000 seeded operations: every answer and every row is the memory store's.
pub async fn same_script_all_backends(h: &dyn StoreHarness) {
    same_script(h, 42, STEPS).await;
}

/// The seeds of a run: from 0, as many as `ZOPNIGHT_SEEDS` says, one unless it is set.
///
/// # Panics
/// If it is no number.
#[must_use]
pub fn seeds() -> Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "the size of the test run, not configuration of a library")]
    let wanted = std::env::var("ZOPNIGHT_SEEDS");
    0..wanted.map_or(1, |n| n.parse().expect("ZOPNIGHT_SEEDS is a number"))
}

/// Runs the script of `seed` on a fresh store and on the memory store in step, and compares every answer, and every hundred
/// steps every row and what the catalog's reads answer.
///
/// # Panics
/// Where the two differ, naming the seed and the step.
pub async fn same_script(h: &dyn StoreHarness, seed: u64, steps: usize) {
    let clock = ManualClock::new(start());
    let model = MemoryStore::new(Arc::<ManualClock>::clone(&clock));
    let mut script = Script {
        h,
        clock,
        stores: [Arc::new(model.clone()), h.store()],
        random: SeededRandom::new(seed),
        apps: Vec::new(),
        revisions: Vec::new(),
        attempts: Vec::new(),
        jobs: Vec::new(),
        held: Vec::new(),
    };
    for n in 1..=steps {
        script.step().await;
        if n % 100 == 0 || n == steps {
            let (theirs, ours) = (rows(&h.peek().await), rows(&model.peek()));
            for (table, rows) in &ours {
                assert_eq!(theirs.get(table), Some(rows), "seed {seed}, after {n} steps: {table}");
            }
            script.read().await;
        }
    }
    let peek = h.peek().await;
    crate::testing::suites::store::check_invariants(&peek);
    let made = (script.jobs.len(), script.revisions.len(), script.attempts.len(), peek.events.len());
    let enough = made.0 > steps / 7 && made.1 > steps / 20 && made.2 > steps / 100 && made.3 > steps / 20;
    assert!(enough, "seed {seed}: the script did too little: {made:?}");
}
