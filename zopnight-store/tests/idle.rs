//! What an idle worker process costs its database.
//!
//! Each call that an idle worker makes is counted over an hour of virtual time; what such a call costs is counted on a real
//! file, by what sqlx tells of its statements. The pauses of a worker are then exact and the test takes no time.

#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use zopnight_core::Result;
use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{
    Budget, ClaimRequest, Enqueued, Extended, Finish, Finished, JobId, JobPayload, Lane, Lease, LeaseRef, Maintained,
    NewJob, ParkedJob, QueueStats, Scope, SweepJob, Timestamp, Want, WorkerId,
};
use zopnight_core::ports::{Clock, JobQueue, Store};
use zopnight_core::testing::fakes::{Faults, ManualClock};
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::sim::World;
use zopnight_core::worker::{Worker, WorkerConfig};
use zopnight_store::{StoreOptions, connect};

/// Statements a second that an idle process may make.
const BUDGET: f64 = 2.0;
/// Several rounds of the rarest thing an idle worker does: a purge every quarter of an hour.
const WATCHED: Duration = Duration::from_secs(3_600);

static STATEMENTS: AtomicU32 = AtomicU32::new(0);

/// Counts what sqlx tells of each statement.
struct Counting;

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        STATEMENTS.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A queue that counts calls by the name of the port's method.
#[derive(Debug)]
struct Counted(MemoryStore, Faults);

#[async_trait]
impl JobQueue for Counted {
    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        self.1.enter_now("enqueue")?;
        self.0.enqueue(jobs).await
    }
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
        self.1.enter_now("claim")?;
        self.0.claim(request).await
    }
    async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        self.1.enter_now("extend")?;
        self.0.extend(leases, lease).await
    }
    async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
        self.1.enter_now("finish")?;
        self.0.finish(items).await
    }
    async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
        self.1.enter_now(if budget.purge { "purge" } else { "maintain" })?;
        self.0.maintain(budget).await
    }
    async fn wait(&self, at_most: Duration) {
        self.0.wait(at_most).await;
    }
    async fn stats(&self) -> Result<QueueStats> {
        self.1.enter_now("stats")?;
        self.0.stats().await
    }
    async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
        self.0.parked(scope).await
    }
    async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
        self.0.revive(scope, job).await
    }
}

/// The calls of an idle worker.
async fn calls() -> BTreeMap<&'static str, u32> {
    let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
    let driven: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let store = MemoryStore::new(driven);
    let world = World::new(Arc::new(store.clone()), clock);
    let counted = Arc::new(Counted(store, Faults::new()));
    // The sweep is work of its own, every five minutes.
    let config = WorkerConfig::default().with_sweep_interval(Duration::ZERO);
    let worker = Worker::builder(Arc::<Counted>::clone(&counted), world.pipeline()).config(config).build();
    let running = tokio::spawn(worker.expect("settings within bounds").run_until(std::future::pending()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let known = counted.1.log().len();
    tokio::time::sleep(WATCHED).await;
    running.abort();
    let mut calls = BTreeMap::new();
    for name in &counted.1.log()[known..] {
        *calls.entry(*name).or_default() += 1;
    }
    calls
}

/// What a call costs when it comes again and again.
async fn cost<T>(mut call: impl AsyncFnMut() -> Result<T>) -> u32 {
    let mut before = 0;
    for round in 0..20 {
        if round == 10 {
            // By now every connection is open.
            before = STATEMENTS.load(Ordering::SeqCst);
        }
        call().await.expect("the store answers");
        // As idle as a worker: what the call used is back in its pool.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (STATEMENTS.load(Ordering::SeqCst) - before).div_ceil(10)
}

/// What the calls of an idle worker cost on a database with the sweep's row in it.
async fn costs(url: &str) -> BTreeMap<&'static str, u32> {
    let store: Arc<dyn Store> = connect(url, StoreOptions::default()).await.expect("a store");
    let sweep = JobPayload::Sweep(SweepJob::Periodic { since: None, after: None });
    let sweep = NewJob::new(JobId::new(SystemClock.now(), [1; 10]), Scope::System, None, sweep);
    store.enqueue(vec![sweep.after(Duration::from_secs(300))]).await.expect("the row is stored");
    let want = Lane::ALL.map(|lane| Want { lane, max: 1 }).to_vec();
    let worker = WorkerId::parse("idle").expect("a worker id");
    let request = ClaimRequest { worker, want, lease: Duration::from_secs(30) };
    let budget = |purge| Budget { time: Duration::from_millis(500), purge };
    BTreeMap::from([
        ("claim", cost(async || store.claim(&request).await).await),
        ("maintain", cost(async || store.maintain(&budget(false)).await).await),
        ("purge", cost(async || store.maintain(&budget(true)).await).await),
        ("stats", cost(async || store.stats().await).await),
    ])
}

/// Statements a second of an idle worker.
async fn rate(backend: &str, url: &str, calls: &BTreeMap<&'static str, u32>) -> f64 {
    let costs = costs(url).await;
    assert_eq!(costs["claim"], 1, "{backend}: an idle poll is one statement");
    let made: u32 = calls.iter().map(|(call, n)| n * costs.get(call).unwrap_or_else(|| panic!("{call} in idle"))).sum();
    let rate = f64::from(made) / WATCHED.as_secs_f64();
    println!("{backend}: {rate:.2} statements a second: {calls:?} at {costs:?}");
    assert!(made > 0);
    rate
}

/// One test for all: the subscriber that counts hears every thread.
#[test]
fn an_idle_process_makes_at_most_two_statements_a_second_on_sqlite() {
    tracing::subscriber::set_global_default(Counting).expect("the only subscriber");
    let runtime = |paused| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(paused).build().expect("a runtime")
    };
    let calls = runtime(true).block_on(calls());
    let directory = tempfile::tempdir().expect("a directory");
    let file = format!("sqlite:{}", directory.path().join("zopnight.db").display());
    runtime(false).block_on(async {
        let sqlite = rate("SQLite", &file, &calls).await;
        assert!(sqlite <= BUDGET, "{sqlite:.2} statements a second");
        // The servers' transactions begin with a statement more, which housekeeping does not save yet: told, not held to.
        if let Some(server) = servers::mysql().await {
            rate("MariaDB", server.fresh_database().await.url(), &calls).await;
        }
        if let Some(server) = servers::postgres().await {
            rate("PostgreSQL", server.fresh_database().await.url(), &calls).await;
        }
    });
}
