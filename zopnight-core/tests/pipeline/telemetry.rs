//! What the worker tells the `metrics` facade.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::Error;
use zopnight_core::domain::{Lane, RevisionState};
use zopnight_core::testing::fakes::When;
use zopnight_core::testing::recorder::Kept;
use zopnight_core::testing::sim::World;
use zopnight_core::worker::{Worker, WorkerConfig};

use crate::stage::Stage;

/// Runs on this thread alone, where the recorder listens.
fn recorded<F: Future<Output = ()>>(test: impl FnOnce(Arc<Kept>) -> F) {
    let kept = Arc::new(Kept::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    metrics::with_local_recorder(&*kept, || runtime.block_on(test(Arc::clone(&kept))));
}

async fn later(world: &World, d: Duration) {
    world.clock.advance(d);
    let budget = zopnight_core::domain::Budget { time: Duration::from_secs(1), purge: false };
    world.store.maintain(&budget).await.unwrap();
}

#[test]
fn runs_are_counted_by_kind_and_outcome_with_their_wait_and_length() {
    recorded(async |kept| {
        let (stage, _) = Stage::live().await;
        assert_eq!(kept.count("zopnight_job_outcomes_total{kind=deploy,outcome=ended}"), 1);
        stage.world.applier.faults().fail("apply", When::Nth(2), || panic!("a bug"));
        let unavailable = || Error::unavailable("fake", "away");
        stage.world.applier.faults().fail("apply", When::Nth(3), unavailable);
        stage.push("b").await;
        later(&stage.world, Duration::from_secs(7)).await;
        stage.world.settle(&stage.pipeline).await;
        assert_eq!(kept.count("zopnight_job_panics_total{kind=deploy}"), 1);
        assert_eq!(kept.count("zopnight_job_outcomes_total{kind=deploy,outcome=retried}"), 2);
        assert_eq!(kept.count("zopnight_job_outcomes_total{kind=deploy,outcome=ended}"), 2);
        let waits = kept.samples("zopnight_job_wait_seconds{kind=build,outcome=ended}");
        assert_eq!(waits.len(), 2);
        assert!((6.9..7.2).contains(&waits[1]), "from ready to claimed, in seconds: {waits:?}");
        assert_eq!(kept.samples("zopnight_job_duration_seconds{kind=build,outcome=ended}").len(), 2);
    });
}

#[test]
fn lost_leases_are_counted_where_they_are_taken_back() {
    recorded(async |kept| {
        let (stage, _) = Stage::live().await;
        stage.push("b").await;
        stage.claim(Lane::Build).await;
        stage.world.clock.advance(Duration::from_secs(31));
        stage.drain().await;
        assert_eq!(kept.count("zopnight_jobs_taken_back_total{}"), 1);
        assert_eq!(kept.count("zopnight_jobs_mended_total{}"), 0);
    });
}

#[test]
fn folded_jobs_are_counted_by_kind() {
    recorded(async |kept| {
        let stage = Stage::new();
        stage.pipeline.ensure_sweep().await.unwrap();
        stage.pipeline.ensure_sweep().await.unwrap();
        assert_eq!(kept.count("zopnight_jobs_folded_total{kind=sweep}"), 1);
    });
}

#[test]
fn the_queue_and_the_slots_are_told_while_a_worker_runs() {
    recorded(async |kept| {
        let (stage, id) = Stage::live().await;
        let gate = stage.world.applier.stall(id, zopnight_core::domain::RevisionNumber::new(2).unwrap());
        stage.push("b").await;
        stage.drain().await;
        stage.world.builder.play(&stage.pipeline).await;
        let store = Arc::clone(&stage.world.store) as Arc<dyn zopnight_core::ports::Store>;
        let config = WorkerConfig::default().with_sweep_interval(Duration::ZERO);
        let worker = Worker::builder(store, stage.pipeline.clone()).config(config).build().unwrap();
        let running = tokio::spawn(worker.run_until(std::future::pending()));
        gate.reached().await;
        let slots = |class, state| kept.gauge(&format!("zopnight_worker_slots{{class={class},state={state}}}"));
        assert_eq!((slots("deploy", "busy"), slots("build", "busy")), (1.0, 0.0));
        assert_eq!((slots("deploy", "free"), slots("build", "free")), (4.0, 5.0), "of 8, one kept for each of 4 classes");
        tokio::time::sleep(Duration::from_secs(16)).await;
        assert_eq!(kept.gauge("zopnight_jobs{kind=deploy,state=leased}"), 1.0);
        assert_eq!(kept.gauge("zopnight_jobs{kind=deploy,state=parked}"), 0.0);
        assert_eq!(kept.gauge("zopnight_jobs_oldest_ready_seconds{lane=deploy}"), 0.0);
        gate.release();
        while stage.newest(id).await.state != RevisionState::Succeeded {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(16)).await;
        assert_eq!(kept.gauge("zopnight_jobs{kind=deploy,state=leased}"), 0.0, "a series whose jobs are gone falls to 0");
        assert_eq!(slots("deploy", "busy"), 0.0);
        running.abort();
    });
}
