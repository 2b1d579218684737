//! One push in the store: revision, three lines of the timeline and its job in one transaction, in memory and on SQLite, against the same
//! rows written by bare SQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection as _, SqlitePool};
use tokio::runtime::Runtime;
use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{
    Applied, DeploymentId, Expect, OrgId, RevisionChange, RevisionId, RevisionOp, RevisionPatch, RevisionState,
};
use zopnight_core::ports::Store;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::suites::fixtures;
use zopnight_store::{SqliteStore, StoreOptions};

/// A deployment that is pushed to again and again.
struct Pushed {
    store: Arc<dyn Store>,
    org: OrgId,
    id: DeploymentId,
    newest: u32,
}

impl Pushed {
    async fn new(store: Arc<dyn Store>) -> zopnight_core::Result<Self> {
        let (org, id) = (fixtures::org("bench"), fixtures::deployment_id());
        committed(&store.apply(fixtures::create(&org, id, "bench")).await?);
        Ok(Self { store, org, id, newest: 1 })
    }

    /// What a push is to the store: what is under way is read, and superseded in the commit that makes the new revision.
    async fn push(&mut self) -> zopnight_core::Result<()> {
        let older = self.store.unfinished(&self.org, self.id).await?;
        let revision: RevisionId = fixtures::revision_id();
        let expect = Expect { newest_number: Some(self.newest), ..Expect::default() };
        let mut change = RevisionChange::new(self.org.clone(), self.id).with_expect(expect);
        change = fixtures::with_revision(change, revision, self.newest + 1);
        change = change.with_follow_up(fixtures::build_job(&self.org, self.id, revision));
        for view in &older {
            let patch = RevisionPatch { superseded_by: Some(revision), ..RevisionPatch::default() };
            let step: RevisionOp = fixtures::step(view, RevisionState::Superseded, patch);
            change = change.with_revision(step).with_event(fixtures::told(view.revision.id, RevisionState::Superseded));
        }
        committed(&self.store.apply(change).await?);
        self.newest += 1;
        Ok(())
    }
}

fn committed(applied: &Applied) {
    assert!(matches!(applied, Applied::Committed(_)), "{applied:?}");
}

/// The same rows without any rule: what SQLite itself takes.
struct Bare {
    pool: SqlitePool,
    n: i64,
}

impl Bare {
    async fn new() -> sqlx::Result<Self> {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
        for table in [
            "CREATE TABLE deployments (id INTEGER PRIMARY KEY, version INTEGER, newest BLOB) STRICT",
            "CREATE TABLE revisions (id BLOB PRIMARY KEY, number INTEGER UNIQUE, state TEXT, snapshot TEXT) STRICT",
            "CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT, message TEXT, data TEXT) STRICT",
            "CREATE TABLE jobs (seq INTEGER PRIMARY KEY, id BLOB UNIQUE, lane TEXT, state TEXT, place INTEGER, payload TEXT) STRICT",
            "CREATE INDEX line ON jobs (lane, state, place, seq)",
            "INSERT INTO deployments VALUES (1, 0, NULL)",
        ] {
            sqlx::query(table).execute(&pool).await?;
        }
        Ok(Self { pool, n: 0 })
    }

    async fn push(&mut self) -> sqlx::Result<()> {
        self.n += 1;
        let id = self.n.to_be_bytes().to_vec();
        let snapshot = "x".repeat(600);
        let mut connection = self.pool.acquire().await?;
        sqlx::query("SELECT id, number, state, snapshot FROM revisions WHERE number = ?")
            .bind(self.n - 1)
            .fetch_all(&mut *connection)
            .await?;
        let mut tx = connection.begin().await?;
        sqlx::query("SELECT version FROM deployments WHERE id = 1").fetch_one(&mut *tx).await?;
        sqlx::query("INSERT INTO revisions VALUES (?, ?, 'queued', ?)")
            .bind(&id)
            .bind(self.n)
            .bind(&snapshot)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE revisions SET state = 'superseded' WHERE number = ?").bind(self.n - 1).execute(&mut *tx).await?;
        for event in 0..2 {
            let seq = self.n * 2 + event;
            sqlx::query("INSERT INTO events VALUES (?, 'revision.queued', 'a revision', '{}')")
                .bind(seq)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("INSERT INTO jobs (id, lane, state, place, payload) VALUES (?, 'build', 'ready', ?, '{}')")
            .bind(&id)
            .bind(self.n)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE deployments SET version = version + 1, newest = ? WHERE id = 1")
            .bind(&id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

/// The fastest of a few rounds.
fn fastest(mut round: impl FnMut()) -> Duration {
    const CALLS: u32 = 100;
    let rounds = (0..10).map(|_| {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| round());
        begin.elapsed() / CALLS
    });
    rounds.min().unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    let mut memory = runtime.block_on(Pushed::new(Arc::new(MemoryStore::new(Arc::new(SystemClock)))))?;
    let sqlite = runtime.block_on(SqliteStore::connect("sqlite::memory:", StoreOptions::default()))?;
    let mut sqlite = runtime.block_on(Pushed::new(Arc::new(sqlite)))?;
    let mut bare = runtime.block_on(Bare::new())?;

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("apply");
    group.bench_function("memory", |b| b.iter(|| runtime.block_on(memory.push()).expect("a push")));
    group.bench_function("sqlite", |b| b.iter(|| runtime.block_on(sqlite.push()).expect("a push")));
    group.bench_function("bare_sqlite", |b| b.iter(|| runtime.block_on(bare.push()).expect("a push")));
    group.finish();
    criterion.final_summary();

    let memory = fastest(|| runtime.block_on(memory.push()).expect("a push"));
    let sqlite = fastest(|| runtime.block_on(sqlite.push()).expect("a push"));
    let bare = fastest(|| runtime.block_on(bare.push()).expect("a push"));
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!("apply: bare rows / SQLite store = {:.2} (target >= 0.5)", ratio(bare, sqlite));
    println!("apply: memory store / SQLite store = {:.3}", ratio(memory, sqlite));
    Ok(())
}
