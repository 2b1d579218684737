//! What a million finished rows cost.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zopnight_core::domain::{Budget, Finish, Outcome};
use zopnight_core::ports::Store;

use crate::Plan;
use crate::jobs::{clear, job, lane, request};
use crate::raw::Raw;
use crate::table::{Table, millis, quantile, rate};

type Done = Result<(), Box<dyn Error + Send + Sync>>;

const CLAIMS: u32 = 200;
const SIZE: u32 = 10;

/// Claims and ends; answers the rate and the times of the claims, sorted.
async fn claims(store: &dyn Store) -> Result<(f64, Vec<Duration>), Box<dyn Error + Send + Sync>> {
    for _ in 0..CLAIMS * SIZE / 500 {
        store.enqueue((0..500).map(|_| job()).collect()).await?;
    }
    let mut times = Vec::new();
    let begin = Instant::now();
    for _ in 0..CLAIMS {
        let one = Instant::now();
        let leases = store.claim(&request(SIZE)).await?;
        times.push(one.elapsed());
        store.finish(leases.iter().map(|l| Finish { lease: l.job, outcome: Outcome::Done }).collect()).await?;
    }
    let rate = rate(CLAIMS * SIZE, begin.elapsed());
    times.sort_unstable();
    Ok((rate, times))
}

/// The fastest of a few, which a busy machine disturbs least.
async fn stats(store: &dyn Store) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let begin = Instant::now();
        store.stats().await?;
        fastest = fastest.min(begin.elapsed());
    }
    Ok(fastest)
}

pub(crate) async fn measure(plan: &Plan, store: &Arc<dyn Store>, raw: &Raw, table: &mut Table) -> Done {
    clear(raw).await?;
    let (empty_rate, empty) = claims(&**store).await?;
    let stats_empty = stats(&**store).await?;
    fill(plan.rows, raw).await?;
    // The first claims read cold pages.
    claims(&**store).await?;
    let (full_rate, full) = claims(&**store).await?;
    let stats_full = stats(&**store).await?;
    let rows = plan.rows;
    table.ratio(&format!("claims with {rows} done rows, to none"), "jobs/s", &[(full_rate, empty_rate)], [0.7; 3]);
    let (p99, before) = (quantile(&full, 0.99), quantile(&empty, 0.99));
    let ours = format!("{} ({} with none)", millis(p99), millis(before));
    table.fact(&format!("claim p99 with {rows} done rows"), ours, "<= 2x", p99 <= before * 2);
    let ours = format!("{} ({} with none)", millis(stats_full), millis(stats_empty));
    table.fact(&format!("stats with {rows} done rows"), ours, "<= 2x", stats_full <= stats_empty * 2);
    let begin = Instant::now();
    store.maintain(&Budget { time: Duration::ZERO, purge: false }).await?;
    let ours = millis(begin.elapsed());
    table.fact(
        &format!("housekeeping that finds nothing, {rows} done rows"),
        ours,
        "<= 100 ms",
        begin.elapsed() <= Duration::from_millis(100),
    );
    Ok(())
}

/// Finished jobs, young enough to be kept, written past the ports: a million through them would take minutes.
async fn fill(rows: u32, raw: &Raw) -> Done {
    let lane = lane().as_str();
    let columns = "org_id, lane, kind, state, place, fence, payload, created_at, ready_at, finished_at";
    let (id, series, now) = match raw {
        Raw::Sqlite(_) => (
            "randomblob(16)",
            format!("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT"),
            "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
        ),
        Raw::MySql(_) => (
            "UNHEX(MD5(CONCAT(n, RAND())))",
            "SELECT".to_owned(),
            "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
        ),
        Raw::Postgres(_) => {
            ("gen_random_uuid()", "SELECT".to_owned(), "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        }
    };
    let from = match raw {
        Raw::Sqlite(_) => "FROM s".to_owned(),
        Raw::MySql(_) => {
            let ten = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL
                SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
            let digits = ["a", "b", "c", "d", "e", "f", "g"].map(|name| format!("{ten} AS {name}")).join(", ");
            format!("FROM (SELECT a.d AS n FROM {digits} LIMIT {rows}) AS s")
        }
        Raw::Postgres(_) => format!("FROM generate_series(1, {rows}) AS s(n)"),
    };
    raw.run(&format!(
        "INSERT INTO zopnight_jobs (id, {columns})
         {series} {id}, 'acme', '{lane}', 'build', 'done', {now}, 1, '{{}}', {now}, {now}, {now} {from}"
    ))
    .await?;
    match raw {
        Raw::MySql(_) => raw.run("ANALYZE TABLE zopnight_jobs").await?,
        _ => raw.run("ANALYZE zopnight_jobs").await?,
    }
    Ok(())
}
