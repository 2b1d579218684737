//! The queue: storing, and handing out and ending.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use zopnight_core::domain::{ClaimRequest, Finish, Lane, NewJob, Outcome, Want, WorkerId};
use zopnight_core::ports::Store;
use zopnight_core::testing::suites::fixtures;

use crate::Plan;
use crate::raw::Raw;
use crate::table::{Table, rate};

type Done = Result<(), Box<dyn Error + Send + Sync>>;

const BATCH: u32 = 500;
const CLAIM: u32 = 50;

/// Numbers the raw rows, whose ids must differ.
static NEXT: AtomicU32 = AtomicU32::new(1);

pub(crate) fn fresh(n: u32) -> u32 {
    NEXT.fetch_add(n, Ordering::Relaxed)
}

pub(crate) fn job() -> NewJob {
    job_of(0)
}

/// A job of one of several tenants: what makes jobs ready for one and the same tenant waits for each other.
fn job_of(tenant: u32) -> NewJob {
    fixtures::plain_job(&fixtures::org(&format!("tenant-{tenant}")))
}

pub(crate) fn request(max: u32) -> ClaimRequest {
    let worker = WorkerId::parse("bench").expect("a worker's name");
    ClaimRequest { worker, want: vec![Want { lane: job().kind.lane(), max }], lease: Duration::from_secs(60) }
}

/// The line that the measures use.
pub(crate) fn lane() -> Lane {
    job().kind.lane()
}

async fn preload(plan: &Plan, store: &dyn Store) -> Done {
    let mut left = plan.jobs;
    while left > 0 {
        let n = left.min(BATCH);
        store.enqueue((0..n).map(|_| job()).collect()).await?;
        left -= n;
    }
    Ok(())
}

async fn preload_raw(plan: &Plan, raw: &Raw) -> Done {
    let mut left = plan.jobs;
    while left > 0 {
        let n = left.min(BATCH);
        raw.insert(fresh(n), n).await?;
        left -= n;
    }
    Ok(())
}

/// Empties both lines, so that the next measure begins as the first did.
pub(crate) async fn clear(raw: &Raw) -> Done {
    raw.run("DELETE FROM zopnight_jobs").await?;
    Ok(raw.run("DELETE FROM raw_jobs").await?)
}

pub(crate) async fn enqueue_one(plan: &Plan, store: &dyn Store, raw: &Raw, table: &mut Table) -> Done {
    let n = plan.jobs / 10;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let jobs: Vec<NewJob> = (0..n).map(|_| job()).collect();
        let begin = Instant::now();
        for job in jobs {
            store.enqueue(vec![job]).await?;
        }
        let ours = rate(n, begin.elapsed());
        let begin = Instant::now();
        for _ in 0..n {
            raw.insert(fresh(1), 1).await?;
        }
        rounds.push((ours, rate(n, begin.elapsed())));
        clear(raw).await?;
    }
    table.ratio("enqueue 1, one client", "jobs/s", &rounds, [0.6, 0.35, 0.45]);
    Ok(())
}

pub(crate) async fn enqueue_batches(plan: &Plan, store: &dyn Store, raw: &Raw, table: &mut Table) -> Done {
    let n = plan.jobs.div_ceil(BATCH) * BATCH;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let batches: Vec<Vec<NewJob>> = (0..n / BATCH).map(|_| (0..BATCH).map(|_| job()).collect()).collect();
        let begin = Instant::now();
        for batch in batches {
            store.enqueue(batch).await?;
        }
        let ours = rate(n, begin.elapsed());
        let begin = Instant::now();
        for _ in 0..n / BATCH {
            raw.insert(fresh(BATCH), BATCH).await?;
        }
        rounds.push((ours, rate(n, begin.elapsed())));
        clear(raw).await?;
    }
    table.ratio("enqueue in batches of 500", "jobs/s", &rounds, [0.2, 0.3, 0.35]);
    Ok(())
}

/// Claims 50 at once and ends them by one call, until the line is empty.
pub(crate) async fn drained(store: &dyn Store) -> Result<u32, Box<dyn Error + Send + Sync>> {
    let mut ended = 0;
    loop {
        let leases = store.claim(&request(CLAIM)).await?;
        if leases.is_empty() {
            return Ok(ended);
        }
        ended += u32::try_from(leases.len())?;
        let items = leases.iter().map(|l| Finish { lease: l.job, outcome: Outcome::Done }).collect();
        store.finish(items).await?;
    }
}

pub(crate) async fn drained_raw(raw: &Raw) -> Result<u32, Box<dyn Error + Send + Sync>> {
    let mut ended = 0;
    loop {
        let leases = raw.claim(CLAIM).await?;
        if leases.is_empty() {
            return Ok(ended);
        }
        ended += u32::try_from(leases.len())?;
        raw.finish(&leases).await?;
    }
}

pub(crate) async fn drain(plan: &Plan, store: &Arc<dyn Store>, raw: &Raw, table: &mut Table) -> Done {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        preload(plan, &**store).await?;
        let begin = Instant::now();
        let n = drained(&**store).await?;
        let ours = rate(n, begin.elapsed());
        preload_raw(plan, raw).await?;
        let begin = Instant::now();
        let n = drained_raw(raw).await?;
        rounds.push((ours, rate(n, begin.elapsed())));
        clear(raw).await?;
    }
    table.ratio("claim 50, finish 50", "jobs/s", &rounds, [0.3, 0.5, 0.4]);
    Ok(())
}

/// How long a round of the live mix takes.
const MIX: Duration = Duration::from_secs(4);

pub(crate) async fn live_mix(plan: &Plan, store: &Arc<dyn Store>, raw: &Raw, table: &mut Table) -> Done {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (stop, ended) = (AtomicBool::new(false), AtomicU32::new(0));
        let (stop_of, producing) = (&stop, &store);
        let producers = futures_util::future::try_join_all((0..8).map(|tenant| async move {
            while !stop_of.load(Ordering::Relaxed) {
                producing.enqueue(vec![job_of(tenant)]).await?;
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        }));
        let claimers = futures_util::future::try_join_all((0..2).map(|_| async {
            while !stop.load(Ordering::Relaxed) {
                let leases = store.claim(&request(10)).await?;
                if leases.is_empty() {
                    store.wait(Duration::from_millis(20)).await;
                    continue;
                }
                let items = leases.iter().map(|l| Finish { lease: l.job, outcome: Outcome::Done }).collect();
                store.finish(items).await?;
                ended.fetch_add(u32::try_from(leases.len())?, Ordering::Relaxed);
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        }));
        let timer = async {
            tokio::time::sleep(MIX).await;
            stop.store(true, Ordering::Relaxed);
        };
        let (made, taken, ()) = tokio::join!(producers, claimers, timer);
        made?;
        taken?;
        let ours = rate(ended.load(Ordering::Relaxed), MIX);
        clear(raw).await?;
        rounds.push((ours, mix_raw(raw).await?));
        clear(raw).await?;
    }
    table.ratio("live mix: 8 producers of as many tenants, 2 claimers of 10", "jobs/s", &rounds, [0.5, 0.6, 0.6]);
    Ok(())
}

async fn mix_raw(raw: &Raw) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let (stop, ended) = (AtomicBool::new(false), AtomicU32::new(0));
    let producers = futures_util::future::try_join_all((0..8).map(|_| async {
        while !stop.load(Ordering::Relaxed) {
            raw.insert(fresh(1), 1).await?;
        }
        Ok::<(), Box<dyn Error + Send + Sync>>(())
    }));
    let claimers = futures_util::future::try_join_all((0..2).map(|_| async {
        while !stop.load(Ordering::Relaxed) {
            let leases = raw.claim(10).await?;
            if leases.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            raw.finish(&leases).await?;
            ended.fetch_add(u32::try_from(leases.len())?, Ordering::Relaxed);
        }
        Ok::<(), Box<dyn Error + Send + Sync>>(())
    }));
    let timer = async {
        tokio::time::sleep(MIX).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (made, taken, ()) = tokio::join!(producers, claimers, timer);
    made?;
    taken?;
    Ok(rate(ended.load(Ordering::Relaxed), MIX))
}
