//! Processes that are frozen, asked to end, or die again and again; handlers that panic.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zopnight_core::domain::{EventKind, JobKind, Reason, RevisionState};
use zopnight_core::testing::fakes::When;
use zopnight_core::worker::Drained;

use crate::backend::{Backend, Database, on_each, open};
use crate::child::{Orders, Process, orders};
use crate::site::{App, LEASE, ORGS, Site};
use crate::witness::Witness;

/// Another worker on the same database, here.
struct Other {
    witness: Arc<Witness>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Drained>,
}

impl Other {
    fn start(site: &Site) -> Self {
        let witness = Witness::of(&site.store);
        let worker = site.worker(Arc::<Witness>::clone(&witness), Duration::from_secs(5));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(worker.run_until(async { stopped.await.unwrap_or(()) }));
        Self { witness, stop, running }
    }

    async fn stop(self) -> Drained {
        self.stop.send(()).unwrap();
        self.running.await.unwrap()
    }
}

async fn built(database: &Database) -> (Site, App) {
    let site = Site::new(open(&database.url, None).await, database.directory.path());
    let app = site.create_built().await;
    (site, app)
}

/// All that is told of a deployment and its jobs.
async fn told(site: &Site, app: &App) -> String {
    let view = site.store.deployment(&app.org, app.deployment).await.unwrap();
    let revision = site.store.revision(&app.org, app.deployment, app.revision).await.unwrap();
    let stats = site.store.stats().await.unwrap().jobs;
    format!("{view:#?}\n{revision:#?}\n{:#?}\n{stats:?}", site.events(app).await)
}

async fn of_kind(site: &Site, app: &App, kind: EventKind) -> usize {
    site.events(app).await.iter().filter(|e| e.kind == kind).count()
}

pub(crate) async fn frozen() {
    on_each(frozen_on).await;
}

async fn frozen_on(_: Backend, database: Database) {
    let (site, app) = built(&database).await;
    let orders = Orders { hold_in_apply: true, ..orders(&database.url, database.directory.path()) };
    let mut frozen = Process::start(&orders);
    frozen.says("held").await;
    frozen.signal("STOP");
    let since = Instant::now();
    let other = Other::start(&site);
    site.until(&app, |r| r.state == RevisionState::Succeeded).await;
    let (at, lease) = other.witness.of_kind(JobKind::Deploy).remove(0);
    assert_eq!((lease.failures, lease.losses), (0, 1));
    assert!(at.duration_since(since) <= LEASE + Duration::from_secs(6));
    tokio::time::sleep((2 * LEASE).saturating_sub(since.elapsed())).await;
    other.stop().await;

    let before = told(&site, &app).await;
    // It wakes with the answer of the cluster already there: it may try to write at once.
    frozen.let_go().await;
    frozen.signal("CONT");
    assert!(frozen.ended().await.success());
    assert_eq!(told(&site, &app).await, before, "the woken process wrote");
}

pub(crate) async fn asked_to_end() {
    on_each(asked_to_end_on).await;
}

async fn asked_to_end_on(_: Backend, database: Database) {
    let (site, app) = built(&database).await;
    let orders = Orders { serve: true, hold_in_apply: true, ..orders(&database.url, database.directory.path()) };
    let mut process = Process::start(&orders);
    process.says("held").await;
    let other = Other::start(&site);
    let asked = Instant::now();
    process.signal("TERM");
    assert_eq!(process.says("drained").await, "0 1", "its one lease is given back");
    assert!(process.ended().await.success());
    site.until(&app, |r| r.state == RevisionState::Succeeded).await;
    let (at, lease) = other.witness.of_kind(JobKind::Deploy).remove(0);
    let took = at.duration_since(asked);
    assert!(took <= Duration::from_secs(2), "started by another only after {took:?}");
    assert_eq!((lease.failures, lease.losses), (0, 0));
    other.stop().await;
}

pub(crate) async fn panics() {
    on_each(panics_on).await;
}

async fn panics_on(_: Backend, database: Database) {
    let (site, app) = built(&database).await;
    site.applier.faults().fail("apply", When::Next(3), || panic!("a bug in an adapter"));
    let other = Other::start(&site);
    site.until(&app, |r| r.state.is_terminal()).await;
    let revision = site.revision(&app).await;
    assert_eq!((revision.state, revision.reason.as_ref().map(Reason::code)), (RevisionState::Failed, Some("job_parked")));
    assert_eq!(of_kind(&site, &app, EventKind::JobParked).await, 1);
    let next = site.create(ORGS[1], "shop").await;
    tokio::select! {
        () = site.builder.play(&site, Duration::from_millis(50)) => {}
        () = site.until(&next, |r| r.state == RevisionState::Succeeded) => {}
    }
    other.stop().await;
}

pub(crate) async fn dies_every_time() {
    on_each(dies_every_time_on).await;
}

async fn dies_every_time_on(_: Backend, database: Database) {
    let (site, app) = built(&database).await;
    let orders = Orders { serve: true, die_in_apply: true, ..orders(&database.url, database.directory.path()) };
    for _ in 0..5 {
        assert_eq!(Process::start(&orders).ended().await.signal(), Some(9));
    }
    let mut sixth = Process::start(&orders);
    site.until(&app, |r| r.state.is_terminal()).await;
    sixth.signal("TERM");
    sixth.says("drained").await;
    assert!(sixth.ended().await.success(), "it was not run a sixth time");
    let revision = site.revision(&app).await;
    assert_eq!((revision.state, revision.reason.as_ref().map(Reason::code)), (RevisionState::Failed, Some("job_parked")));
    assert!(revision.reason.unwrap().message().contains("lease_lost"));
    assert_eq!(of_kind(&site, &app, EventKind::JobParked).await, 1);
    assert_eq!(of_kind(&site, &app, EventKind::JobLeaseLost).await, 4, "told whenever it was run again");
}
