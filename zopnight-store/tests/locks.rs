//! What a claim locks, beside much that is ready, delayed and done.

#[path = "support/servers.rs"]
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{MySqlPool, Row as _};
use tokio::sync::Notify;
use zopnight_core::domain::{ClaimRequest, Lane, OrgId, Want, WorkerId};
use zopnight_core::ports::JobQueue as _;
use zopnight_core::testing::suites::fixtures::plain_job;
use zopnight_store::testing::{Act, Hook, Point};
use zopnight_store::{MySqlStore, StoreOptions};

const LIMIT: u32 = 5;

/// Numbers from 0 to 99,999.
const NUMBERS: &str = "(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n AS n
    FROM JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS a,
     JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS b,
     JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS c,
     JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS d,
     JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS e) AS numbers";

/// Stops the first claim before it commits.
#[derive(Debug, Default)]
struct Stop(Notify);

impl Hook for Stop {
    fn at(&self, point: &Point) -> Act {
        if (point.operation, point.step) == ("queue.claim", "before_commit") {
            self.0.notify_one();
            return Act::Stall;
        }
        Act::Go
    }
}

fn request() -> ClaimRequest {
    let worker = WorkerId::parse("worker-1").expect("a worker id");
    ClaimRequest { worker, want: vec![Want { lane: Lane::Build, max: LIMIT }], lease: Duration::from_secs(60) }
}

async fn fill(pool: &MySqlPool, state: &str, from: i64, n: i64) {
    let insert = format!(
        "INSERT INTO zopnight_jobs (id, org_id, lane, kind, state, place, payload, created_at, ready_at)
         SELECT UNHEX(LPAD(HEX(n + {from}), 32, '0')), CONCAT('org', n % 7), 'build', 'build', '{state}', n + {from},
          (SELECT payload FROM (SELECT payload FROM zopnight_jobs LIMIT 1) AS one), 0, 0
         FROM {NUMBERS} WHERE n < {n} ORDER BY n"
    );
    sqlx::query(sqlx::AssertSqlSafe(insert)).execute(pool).await.expect("the rows are stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_on_mysql_locks_what_it_takes() {
    let Some(server) = servers::mysql().await else { return };
    let database = server.fresh_database().await;
    let store = MySqlStore::connect(database.url(), StoreOptions::default()).await.expect("the database opens");
    let org = OrgId::parse("acme").expect("an org");
    store.enqueue(vec![plain_job(&org)]).await.expect("a job is stored");
    let pool = MySqlPool::connect(database.url()).await.expect("the database opens");
    fill(&pool, "ready", 10_000_000, 2_000).await;
    fill(&pool, "delayed", 20_000_000, 2_000).await;
    fill(&pool, "done", 30_000_000, 100_000).await;
    fill(&pool, "done", 40_000_000, 100_000).await;

    let stop = Arc::new(Stop::default());
    let stopped = store.clone().with_hook(Arc::<Stop>::clone(&stop));
    let claiming = tokio::spawn(async move { stopped.claim(&request()).await });
    stop.0.notified().await;
    // The engine answers what it knew up to 100 ms ago.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let held = "SELECT CAST(COALESCE(MAX(t.trx_rows_locked), 0) AS SIGNED) AS n FROM information_schema.innodb_trx AS t
        JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE()";
    let held: i64 = sqlx::query(held).fetch_one(&pool).await.expect("the locks are counted").get("n");
    assert!((1..=2 * i64::from(LIMIT) + 2).contains(&held), "{held} rows are locked");

    let begun = Instant::now();
    store.enqueue(vec![plain_job(&org)]).await.expect("a job is stored meanwhile");
    assert!(begun.elapsed() < Duration::from_secs(1), "a producer waited for {:?}", begun.elapsed());
    let begun = Instant::now();
    let second = store.claim(&request()).await.expect("a claim is answered meanwhile");
    assert_eq!(second.len(), usize::try_from(LIMIT).expect("a small number"));
    assert!(begun.elapsed() < Duration::from_secs(1), "a claimer waited for {:?}", begun.elapsed());

    claiming.abort();
    assert!(claiming.await.is_err_and(|e| e.is_cancelled()));
    let third = store.claim(&request()).await.expect("a claim is answered");
    let first = third.iter().map(|lease| lease.job.seq).min().expect("the first claim was rolled back");
    assert!(second.iter().all(|lease| lease.job.seq > first), "the head of the line is free again");
}
