//! A process killed at each point of a run.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use zopnight_core::domain::{EventKind, JobKind, RevisionState};

use crate::backend::{Backend, Database, on_each, open};
use crate::child::{Orders, Process, orders};
use crate::site::{App, LEASE, ORGS, Site};
use crate::witness::Witness;

/// How long the queue may take to hand a dead process's job out again, beyond its lease.
const NOTICED: Duration = Duration::from_secs(6);
/// Processes at a time: they are to be killed in their run, not in a queue for the machine.
const AT_A_TIME: usize = 4;

pub(crate) async fn of_a_build() {
    on_each(|backend, database| at_each_point(backend, database, JobKind::Build)).await;
}

pub(crate) async fn of_a_deploy() {
    on_each(|backend, database| at_each_point(backend, database, JobKind::Deploy)).await;
}

async fn prepared(database: &Database, kind: JobKind) -> (Site, App) {
    let site = Site::new(open(&database.url, None).await, database.directory.path());
    let app = match kind {
        JobKind::Build => site.create(ORGS[0], "shop").await,
        _ => site.create_built().await,
    };
    (site, app)
}

async fn at_each_point(backend: Backend, database: Database, kind: JobKind) {
    let (_site, _) = prepared(&database, kind).await;
    let mut whole = Process::start(&orders(&database.url, database.directory.path()));
    let points: Vec<String> = serde_json::from_str(&whole.says("points").await).unwrap();
    assert!(whole.ended().await.success());
    let claimed = points.iter().position(|p| p.starts_with("queue.claim before_commit")).unwrap();
    let writes = |p: &String| p.contains("before_commit") && !p.starts_with("queue.maintain");
    let ended = points.iter().rposition(writes).unwrap();
    assert!(claimed < ended && ended - claimed > 15, "a run has more points than that: {points:?}");

    // Every point on the backend whose processes are cheap; on a server, which has a limit of connections, some of each kind.
    let every = if backend == Backend::Sqlite { 1 } else { 5 };
    let slots = Arc::new(Semaphore::new(AT_A_TIME));
    let mut cases = JoinSet::new();
    for (n, point) in points.into_iter().enumerate().take(ended + 2) {
        if n % every != 0 && !(claimed..=claimed + 1).contains(&n) && !(ended..=ended + 1).contains(&n) {
            continue;
        }
        let held = (claimed + 1..=ended).contains(&n);
        let slots = Arc::clone(&slots);
        cases.spawn(async move { Killed { backend, kind, n, point, held, over: n > ended }.play(&slots).await });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    }
}

/// A process that dies at one point.
#[derive(Debug)]
struct Killed {
    backend: Backend,
    kind: JobKind,
    n: usize,
    point: String,
    /// It holds its job there.
    held: bool,
    /// Its job has ended there.
    over: bool,
}

impl Killed {
    async fn play(&self, slots: &Semaphore) {
        let slot = slots.acquire().await.unwrap();
        let database = self.backend.fresh().await.unwrap();
        let (site, app) = prepared(&database, self.kind).await;
        let orders = orders(&database.url, database.directory.path());
        let died = Process::start(&Orders { die_at: Some(self.n), ..orders }).ended().await;
        let killed = Instant::now();
        assert_eq!(died.signal(), Some(9), "{self:?}: not killed at {}", self.point);
        // A server has a limit of connections: there, one case after another.
        let _slot = (self.backend != Backend::Sqlite).then_some(slot);

        let witness = Witness::of(&site.store);
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = site.worker(Arc::<Witness>::clone(&witness), Duration::from_secs(5));
        let running = tokio::spawn(worker.run_until(async { stopped.await.unwrap_or(()) }));
        tokio::select! {
            () = site.builder.play(&site, Duration::from_millis(50)) => {}
            () = self.is_through(&site, &app, &witness) => {}
        }
        stop.send(()).unwrap();
        running.await.unwrap();

        let again = witness.of_kind(self.kind);
        if self.over {
            assert!(again.is_empty(), "{self:?}: a job that had ended was handed out");
        } else {
            let (at, lease) = again.first().unwrap_or_else(|| panic!("{self:?}: never handed out"));
            let took = at.saturating_duration_since(killed);
            assert!(took <= LEASE + NOTICED, "{self:?}: handed out after {took:?}");
            assert_eq!((lease.failures, lease.losses), (0, u32::from(self.held)), "{self:?}");
        }
        self.check_timeline(&site, &app).await;
    }

    /// The revision succeeded, and the job came again and ran, which a callback may well have overtaken.
    async fn is_through(&self, site: &Site, app: &App, witness: &Witness) {
        site.until(app, |r| r.state == RevisionState::Succeeded).await;
        let begun = Instant::now();
        loop {
            let came = self.over || !witness.of_kind(self.kind).is_empty();
            let told = site.events(app).await.iter().any(|e| e.kind == EventKind::JobLeaseLost);
            if came && told == self.held {
                return;
            }
            assert!(begun.elapsed() < LEASE + NOTICED, "{self:?}: came {came}, told {told}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn check_timeline(&self, site: &Site, app: &App) {
        let events = site.events(app).await;
        for kind in [EventKind::RevisionBuilding, EventKind::RevisionBuilt, EventKind::RevisionSucceeded] {
            assert!(events.iter().filter(|e| e.kind == kind).count() <= 1, "{self:?}: {kind:?} twice");
        }
        let seqs: Vec<u64> = events.iter().map(|e| e.seq).collect();
        assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>(), "{self:?}");
        // Told by each run after the loss; a run may fail for reasons of its own and come again.
        let told = events.iter().any(|e| e.kind == EventKind::JobLeaseLost);
        assert_eq!(told, self.held, "{self:?}");
    }
}
