//! How long a job waits, from the answer to its enqueue to its claim.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use zopnight_core::domain::{Finish, JobId, Outcome};
use zopnight_core::ports::Store;

use crate::Plan;
use crate::jobs::{job, request};
use crate::table::{Table, millis, quantile};

type Done = Result<(), Box<dyn Error + Send + Sync>>;

const JOBS: u32 = 500;
const EACH: Duration = Duration::from_millis(10);
const POLL: Duration = Duration::from_millis(50);

pub(crate) async fn same_process(plan: &Plan, table: &mut Table) -> Done {
    let store = plan.store().await?;
    let waits = picked_up(Arc::clone(&store), store).await?;
    let (p50, p99) = (quantile(&waits, 0.5), quantile(&waits, 0.99));
    let holds = p50 <= Duration::from_millis(3) && p99 <= Duration::from_millis(10);
    let ours = format!("p50 {}, p99 {}", millis(p50), millis(p99));
    table.fact("pickup at 100 jobs/s, same process", ours, "p50 <= 3 ms, p99 <= 10 ms", holds);
    Ok(())
}

/// Two stores with connections of their own: nothing of one process wakes the other but the database.
pub(crate) async fn other_process(plan: &Plan, table: &mut Table) -> Done {
    let waits = picked_up(plan.store().await?, plan.store().await?).await?;
    let (p50, p99) = (quantile(&waits, 0.5), quantile(&waits, 0.99));
    let ours = format!("p50 {}, p99 {}", millis(p50), millis(p99));
    let (bound, holds) = if plan.url.starts_with("postgres") {
        ("p50 <= 4 ms, p99 <= 12 ms", p50 <= Duration::from_millis(4) && p99 <= Duration::from_millis(12))
    } else {
        ("p99 <= poll (50 ms) + 10 ms", p99 <= POLL + Duration::from_millis(10))
    };
    table.fact("pickup at 100 jobs/s, other process", ours, bound, holds);
    Ok(())
}

async fn picked_up(producer: Arc<dyn Store>, worker: Arc<dyn Store>) -> Result<Vec<Duration>, Box<dyn Error + Send + Sync>> {
    let (told, mut answered) = mpsc::unbounded_channel::<(JobId, Instant)>();
    let produce = tokio::spawn(async move {
        let mut tick = tokio::time::interval(EACH);
        for _ in 0..JOBS {
            tick.tick().await;
            let job = job();
            let id = job.id;
            producer.enqueue(vec![job]).await?;
            // The other side has gone only after all were picked up.
            let _ = told.send((id, Instant::now()));
        }
        Ok::<(), zopnight_core::Error>(())
    });
    let mut claimed: HashMap<JobId, Instant> = HashMap::new();
    while claimed.len() < usize::try_from(JOBS)? {
        let leases = worker.claim(&request(10)).await?;
        let now = Instant::now();
        if leases.is_empty() {
            worker.wait(POLL).await;
            continue;
        }
        claimed.extend(leases.iter().map(|l| (l.id, now)));
        worker.finish(leases.iter().map(|l| Finish { lease: l.job, outcome: Outcome::Done }).collect()).await?;
    }
    produce.await??;
    let mut waits = Vec::new();
    while let Some((id, at)) = answered.recv().await {
        waits.extend(claimed.get(&id).map(|then| then.saturating_duration_since(at)));
    }
    waits.sort_unstable();
    Ok(waits)
}
