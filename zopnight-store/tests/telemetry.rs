//! What a store tells the `metrics` facade.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zopnight_core::domain::{Budget, Finish, JobId, JobPayload, Lane, NewJob, Outcome, Scope, TeardownJob, Want, WorkerId};
use zopnight_core::domain::{ClaimRequest, DeploymentId, Timestamp};
use zopnight_core::ports::JobQueue as _;
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::recorder::Kept;
use zopnight_store::testing::{Act, Hook, Point, with_clock};
use zopnight_store::{SqliteStore, StoreOptions};

/// Runs on this thread alone, where the recorder listens.
fn recorded<F: Future<Output = ()>>(test: impl FnOnce(Arc<Kept>) -> F) {
    let kept = Arc::new(Kept::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    metrics::with_local_recorder(&*kept, || runtime.block_on(test(Arc::clone(&kept))));
}

/// Cuts the connection once, at the first claim's first statement.
#[derive(Debug, Default)]
struct CutOnce(AtomicBool);

impl Hook for CutOnce {
    fn at(&self, point: &Point) -> Act {
        let here = point.operation == "queue.claim" && point.step == "statement";
        if here && !self.0.swap(true, Ordering::Relaxed) { Act::DropConnection } else { Act::Go }
    }
}

fn job() -> NewJob {
    let start = Timestamp::from_micros(1_700_000_000_000_000);
    let deployment = DeploymentId::new(start, [1; 10]);
    let work = JobPayload::Teardown(TeardownJob { deployment });
    NewJob::new(JobId::new(start, [2; 10]), Scope::System, Some(deployment), work)
}

#[test]
fn retries_purged_rows_and_connections_are_counted() {
    recorded(async |kept| {
        let clock = ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000));
        let store = SqliteStore::connect("sqlite::memory:", StoreOptions::default()).await.unwrap();
        let store = with_clock(store, Arc::<ManualClock>::clone(&clock)).with_hook(Arc::new(CutOnce::default()));
        store.enqueue(vec![job()]).await.unwrap();
        let worker = WorkerId::parse("worker-1").unwrap();
        let want = vec![Want { lane: Lane::Deploy, max: 1 }];
        let leases = store.claim(&ClaimRequest { worker, want, lease: Duration::from_secs(30) }).await.unwrap();
        assert_eq!(kept.count("zopnight_store_retries_total{backend=sqlite,class=link}"), 1);

        store.finish(vec![Finish { lease: leases[0].job, outcome: Outcome::Done }]).await.unwrap();
        clock.advance(Duration::from_secs(3 * 86_400));
        store.maintain(&Budget { time: Duration::from_secs(60), purge: true }).await.unwrap();
        assert_eq!(kept.count("zopnight_store_purged_total{table=jobs}"), 1);

        store.stats().await.unwrap();
        let state = |name: &str| kept.gauge(&format!("zopnight_store_pool{{backend=sqlite,state={name}}}"));
        assert!((state("idle") + state("used") - 1.0).abs() < f64::EPSILON, "one connection of a database in memory");
    });
}
