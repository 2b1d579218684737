//! PostgreSQL tells other processes of new work: once for commits that come together, again after a lost connection, and no
//! longer than its store is there.

#[path = "support/servers.rs"]
mod servers;

use std::time::{Duration, Instant};

use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use sqlx::{query, query_scalar};
use zopnight_core::domain::{ClaimRequest, Finish, Lane, Outcome, Want, WorkerId};
use zopnight_core::ports::JobQueue as _;
use zopnight_core::testing::suites::fixtures::{org, plain_job};
use zopnight_store::{PostgresStore, StoreOptions};

/// Far longer than any wait that is ended.
const LONG: Duration = Duration::from_secs(30);

const LISTENING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN%'";
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// One connection beside the store's.
async fn alone(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect(url).await.expect("the database opens")
}

async fn open(url: &str) -> PostgresStore {
    PostgresStore::connect(url, StoreOptions::default()).await.expect("the database opens")
}

/// Returns when the count is `n`.
async fn counts(raw: &PgPool, what: &'static str, n: i64) {
    let begun = Instant::now();
    loop {
        let now: i64 = query_scalar(what).fetch_one(raw).await.expect("the sessions are counted");
        if now == n {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{now} and not {n}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How long a wait of `store` takes that begins after a look, when `other` stores a job.
async fn woken(store: &PostgresStore, other: &PostgresStore, at_most: Duration) -> Duration {
    claim(store, 100).await;
    let (begun, waiting) = (Instant::now(), store.clone());
    let waiting = tokio::spawn(async move { waiting.wait(at_most).await });
    other.enqueue(vec![plain_job(&org("a"))]).await.expect("the job is stored");
    waiting.await.expect("the wait ends");
    begun.elapsed()
}

async fn claim(store: &PostgresStore, max: u32) -> Vec<Finish> {
    let worker = WorkerId::parse("suite").expect("a worker id");
    let request = ClaimRequest { worker, want: vec![Want { lane: Lane::Build, max }], lease: Duration::from_secs(60) };
    let leases = store.claim(&request).await.expect("a claim is answered");
    leases.into_iter().map(|lease| Finish { lease: lease.job, outcome: Outcome::Done }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bell_goes_with_the_last_clone_of_its_store() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = alone(database.url()).await;
    let store = open(database.url()).await;
    counts(&raw, LISTENING, 1).await;
    let clone = store.clone();
    drop(store);
    clone.enqueue(vec![plain_job(&org("a"))]).await.expect("the job is stored");
    counts(&raw, LISTENING, 1).await;
    drop(clone);
    counts(&raw, SESSIONS, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bell_goes_when_its_store_is_closed() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = alone(database.url()).await;
    let store = open(database.url()).await;
    counts(&raw, LISTENING, 1).await;
    store.close().await;
    counts(&raw, SESSIONS, 0).await;
    drop(store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_it_nobody_listens_and_a_wait_takes_its_time() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = alone(database.url()).await;
    let quiet = StoreOptions::default().with_notify(false);
    let store = PostgresStore::connect(database.url(), quiet).await.expect("the database opens");
    let other = open(database.url()).await;
    counts(&raw, LISTENING, 1).await;
    let at_most = Duration::from_millis(300);
    assert!(woken(&store, &other, at_most).await >= at_most);
    counts(&raw, LISTENING, 1).await;
    assert!(woken(&store, &store, LONG).await < LONG, "in its own process it needs no bell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_listener_listens_again_and_rings_once_for_what_it_missed() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = alone(database.url()).await;
    let store = open(database.url()).await;
    let quiet = StoreOptions::default().with_notify(false);
    let other = PostgresStore::connect(database.url(), quiet).await.expect("the database opens");
    counts(&raw, LISTENING, 1).await;
    claim(&store, 1).await;
    store.wait(Duration::ZERO).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()";
    query(end).execute(&raw).await.expect("the listener is ended");
    assert!(woken(&store, &other, LONG).await < LONG, "one that does not ring itself is heard of by the new connection");
    counts(&raw, LISTENING, 1).await;
    let rings = open(database.url()).await;
    assert!(woken(&store, &rings, LONG).await < LONG);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_come_together_ring_once() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let store = open(database.url()).await;
    let raw = alone(database.url()).await;
    let mut heard = PgListener::connect_with(&raw).await.expect("a listener");
    heard.listen("zopnight").await.expect("it listens");
    let begun = Instant::now();
    for _ in 0..300 {
        store.enqueue(vec![plain_job(&org("a"))]).await.expect("the job is stored");
    }
    // The last of them rings, too.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let bound = begun.elapsed().as_millis() / 10 + 2;
    let mut rings = 0;
    while heard.next_buffered().is_some() || next(&mut heard).await {
        rings += 1;
    }
    assert!((1..=bound).contains(&rings), "{rings} rings, {bound} at most");
    let ends = claim(&store, 100).await;
    store.finish(ends).await.expect("a finish is answered");
    assert!(!next(&mut heard).await, "what makes no job ready rings for nobody");
}

async fn next(heard: &mut PgListener) -> bool {
    tokio::time::timeout(Duration::from_millis(200), heard.recv()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_hosts_pool_it_has_a_connection_of_its_own() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let raw = alone(database.url()).await;
    let pool = alone(database.url()).await;
    let store = PostgresStore::from_pool(pool.clone(), StoreOptions::default()).await.expect("the database opens");
    counts(&raw, LISTENING, 1).await;
    let other = open(database.url()).await;
    assert!(woken(&store, &other, LONG).await < LONG);
    drop((store, other));
    counts(&raw, SESSIONS, 1).await;
    query("SELECT 1").execute(&pool).await.expect("the host's pool is its own");
}
