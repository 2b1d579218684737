//! Producers, claimers, a promoter and a purger on one store at once. Whatever they do to each other inside the database,
//! no caller hears of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, SqliteConnection, raw_sql};
use zopnight_core::Result;
use zopnight_core::domain::{
    Budget, ClaimRequest, DeploymentId, Finish, JobError, JobId, JobPayload, Lane, NewJob, Outcome, RevisionId, RevisionJob,
    Scope, Want, WorkerId,
};
use zopnight_core::ports::Store;
use zopnight_core::testing::suites::fixtures;

use crate::random::Random;

const PRODUCERS: u32 = 8;
const CLAIMERS: u32 = 16;
const KEYS: u32 = 40;
const REVISIONS: u32 = 300;
/// Producers pause above it, so that a long run does not only fill a table.
const BACKLOG: u64 = 2_000;

/// What was done by all.
#[derive(Debug, Default)]
pub(crate) struct Mixed {
    pub(crate) stored: AtomicU64,
    pub(crate) folded: AtomicU64,
    pub(crate) claimed: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) promoted: AtomicU64,
    pub(crate) purged: AtomicU64,
}

impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(f, "{} stored, {} folded, {} claimed, ", of(&self.stored), of(&self.folded), of(&self.claimed))?;
        write!(f, "{} ended, {} promoted, {} purged", of(&self.ended), of(&self.promoted), of(&self.purged))
    }
}

struct Mix {
    store: Arc<dyn Store>,
    until: Instant,
    did: Mixed,
}

/// Works on an empty store for so long.
///
/// # Errors
/// The first error that reached a caller.
pub(crate) async fn run(store: Arc<dyn Store>, url: &str, time: Duration) -> Result<Mixed> {
    let mix = Arc::new(Mix { store, until: Instant::now() + time, did: Mixed::default() });
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..PRODUCERS {
        tasks.spawn(Arc::clone(&mix).produces(n));
    }
    for n in 0..CLAIMERS {
        tasks.spawn(Arc::clone(&mix).claims(n));
    }
    for purge in [false, true] {
        tasks.spawn(Arc::clone(&mix).keeps_house(purge));
    }
    tasks.spawn(Arc::clone(&mix).ages(url.to_owned()));
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no task panics")?;
    }
    drop(tasks);
    Ok(Arc::into_inner(mix).expect("all tasks have ended").did)
}

impl Mix {
    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    async fn produces(self: Arc<Self>, n: u32) -> Result<()> {
        let mut random = Random::new(u64::from(n), "producer");
        while self.goes_on() {
            let behind = self.did.stored.load(Ordering::Relaxed).saturating_sub(self.did.ended.load(Ordering::Relaxed));
            if behind > BACKLOG {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            let jobs: Vec<NewJob> = (0..=random.below(4)).map(|_| job(&mut random)).collect();
            for stored in self.store.enqueue(jobs).await? {
                let count = if stored.folded { &self.did.folded } else { &self.did.stored };
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn claims(self: Arc<Self>, n: u32) -> Result<()> {
        let mut random = Random::new(u64::from(n), "claimer");
        let worker = WorkerId::parse(&format!("claimer-{n}")).expect("a worker id");
        let want = [Lane::Deploy, Lane::Build].map(|lane| Want { lane, max: 5 }).to_vec();
        let request = ClaimRequest { worker, want, lease: Duration::from_secs(60) };
        while self.goes_on() {
            let leases = self.store.claim(&request).await?;
            if leases.is_empty() {
                self.store.wait(Duration::from_millis(10)).await;
                continue;
            }
            self.did.claimed.fetch_add(leases.len() as u64, Ordering::Relaxed);
            let held: Vec<_> = leases.iter().map(|lease| lease.job).collect();
            if random.chance(20) {
                self.store.extend(&held, request.lease).await?;
            }
            let outcomes = held.into_iter().map(|lease| Finish { lease, outcome: outcome(&mut random) });
            let outcomes: Vec<Finish> = outcomes.collect();
            let ended = outcomes.iter().filter(|finish| finish.outcome == Outcome::Done).count();
            self.store.finish(outcomes).await?;
            self.did.ended.fetch_add(ended as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn keeps_house(self: Arc<Self>, purge: bool) -> Result<()> {
        while self.goes_on() {
            let did = self.store.maintain(&Budget { time: Duration::from_secs(1), purge }).await?;
            self.did.promoted.fetch_add(did.promoted, Ordering::Relaxed);
            self.did.purged.fetch_add(did.purged, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Makes jobs that are done look old enough to purge.
    async fn ages(self: Arc<Self>, url: String) -> Result<()> {
        while self.goes_on() {
            // What it meets is not the store's.
            let _ = age(&url).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }
}

async fn age(url: &str) -> sqlx::Result<()> {
    let some = "SELECT seq FROM zopnight_jobs WHERE state = 'done' AND place > 1 LIMIT 300";
    let update = format!("UPDATE zopnight_jobs SET place = 1 WHERE seq IN ({some})");
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await?;
        raw_sql(AssertSqlSafe(update)).execute(&mut connection).await?;
        connection.close().await
    } else if url.starts_with("postgres") {
        let mut connection = PgConnection::connect(url).await?;
        raw_sql(AssertSqlSafe(update)).execute(&mut connection).await?;
        connection.close().await
    } else {
        let mut connection = MySqlConnection::connect(&url.replacen("mariadb:", "mysql:", 1)).await?;
        raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(&mut connection).await?;
        let update = "UPDATE zopnight_jobs SET place = 1 WHERE state = 'done' AND place > 1 LIMIT 300";
        raw_sql(update).execute(&mut connection).await?;
        connection.close().await
    }
}

fn job(random: &mut Random) -> NewJob {
    let id = JobId::new(fixtures::start(), random.bytes());
    let key = random.below(KEYS);
    let deployment = DeploymentId::new(fixtures::start(), Random::new(u64::from(key), "key").bytes());
    let mut revision = Random::new(u64::from(random.below(REVISIONS)), "revision");
    let work = RevisionJob { revision: RevisionId::new(fixtures::start(), revision.bytes()) };
    let payload = if random.chance(60) { JobPayload::Deploy(work) } else { JobPayload::Build(work) };
    let scope = Scope::Org(fixtures::org(&format!("org-{}", key % 5)));
    let job = NewJob::new(id, scope, Some(deployment), payload);
    let job = if random.chance(50) { NewJob { dedupe: None, ..job } } else { job };
    if random.chance(20) { job.after(Duration::from_millis(u64::from(random.below(300)))) } else { job }
}

fn outcome(random: &mut Random) -> Outcome {
    let after = Duration::from_millis(u64::from(random.below(200)));
    match random.below(10) {
        0 => Outcome::Retry { after, error: JobError::new("mix", "failed"), panic: false },
        1 => Outcome::Snooze { after, payload: None },
        2 => Outcome::Release,
        _ => Outcome::Done,
    }
}
