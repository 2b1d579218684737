//! The worker: panics, lost leases, heartbeats, a graceful stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use zopnight_core::Error;
use zopnight_core::domain::{EventKind, JobKind, JobState, Reason, RevisionNumber, RevisionState};
use zopnight_core::ports::Store;
use zopnight_core::testing::fakes::When;
use zopnight_core::testing::sim::check_at_rest;
use zopnight_core::worker::{Worker, WorkerConfig};

use crate::spy::Spy;
use crate::stage::Stage;

impl Stage {
    fn worker(&self, config: WorkerConfig) -> Worker {
        let store: Arc<dyn Store> = Arc::clone(&self.world.store);
        Worker::builder(store, self.pipeline.clone()).config(config).build().unwrap()
    }

    fn state_of(&self, kind: JobKind) -> Vec<JobState> {
        self.store.jobs().into_iter().filter(|j| j.kind == kind).map(|j| j.state).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_three_times_is_given_up_and_the_queue_goes_on() {
    let (stage, id) = Stage::live().await;
    stage.world.applier.faults().fail("apply", When::Next(3), || panic!("a bug in an adapter"));
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::Failed);
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("job_parked"));
    assert!(revision.reason.unwrap().message().contains("a bug in an adapter"));
    stage.push("c").await;
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_carry_a_job_far_beyond_its_lease() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.applier.stall(id, RevisionNumber::new(2).unwrap());
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = stage.worker(WorkerConfig::default());
    let running = tokio::spawn(worker.run_until(async { stopped.await.unwrap_or(()) }));
    gate.reached().await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(gate.arrived(), 1, "nobody else started it");
    gate.release();
    while stage.newest(id).await.state != RevisionState::Succeeded {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.send(()).unwrap();
    assert_eq!(running.await.unwrap().released, 0);
    stage.world.settle(&stage.pipeline).await;
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_prolong_its_lease_stops_before_another_starts() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.applier.stall(id, RevisionNumber::new(2).unwrap());
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    let spy = Spy::of(&stage.world.store);
    spy.faults.fail("extend", When::Every, || Error::unavailable("test", "cut off"));
    let worker = Worker::builder(spy, stage.pipeline.clone()).build().unwrap();
    let running = tokio::spawn(async move { worker.drain_once().await });
    gate.reached().await;
    let begun = tokio::time::Instant::now();
    running.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "abandoned before the lease of 30 s ran out");
    assert_eq!(stage.state_of(JobKind::Deploy).last(), Some(&JobState::Leased), "nothing was written");
    gate.release();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    assert!(stage.kinds(id).await.contains(&EventKind::JobLeaseLost));
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_unfinished_leases_back_at_once() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.applier.stall(id, RevisionNumber::new(2).unwrap());
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let config = WorkerConfig::default().with_drain(Duration::from_secs(1));
    let running = tokio::spawn(stage.worker(config).run_until(async { stopped.await.unwrap_or(()) }));
    gate.reached().await;
    stop.send(()).unwrap();
    assert_eq!(running.await.unwrap().released, 1);
    assert_eq!(stage.state_of(JobKind::Deploy).last(), Some(&JobState::Ready), "ready for another worker, uncharged");
    gate.release();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_workers_die_too_often_is_given_up_without_running_again() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    for _ in 0..5 {
        stage.claim(zopnight_core::domain::Lane::Build).await;
        stage.world.clock.advance(Duration::from_secs(31));
        let budget = zopnight_core::domain::Budget { time: Duration::from_secs(1), purge: false };
        stage.world.store.maintain(&budget).await.unwrap();
    }
    let dispatched = stage.world.dispatcher.requests().len();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.world.dispatcher.requests().len(), dispatched, "not run a sixth time");
    assert_eq!(stage.newest(id).await.reason.as_ref().map(Reason::code), Some("job_parked"));
}

#[tokio::test(start_paused = true)]
async fn a_running_worker_takes_up_what_is_enqueued_and_what_becomes_due() {
    let (stage, id) = Stage::live().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(stage.worker(WorkerConfig::default()).run_until(async { stopped.await.unwrap_or(()) }));
    stage.push("b").await;
    for _ in 0..600 {
        stage.world.builder.play(&stage.pipeline).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        if stage.newest(id).await.state == RevisionState::Succeeded {
            break;
        }
    }
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_out_as_the_worker_stops_is_given_back_at_once() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    let spy = Spy::of(&stage.world.store);
    let gate = spy.faults.stall_after("claim", When::Next(1));
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = Worker::builder(spy, stage.pipeline.clone()).build().unwrap();
    let running = tokio::spawn(worker.run_until(async { stopped.await.unwrap_or(()) }));
    gate.reached().await;
    assert_eq!(stage.state_of(JobKind::Build).last(), Some(&JobState::Leased));
    let leased = stage.store.jobs().into_iter().filter(|j| j.state == JobState::Leased).count();
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gate.release();
    let drained = running.await.unwrap();
    assert_eq!((drained.finished, drained.released), (0, leased as u64));
    let job = stage.store.jobs().into_iter().rfind(|j| j.kind == JobKind::Build).unwrap();
    assert_eq!((job.state, job.counters.losses), (JobState::Ready, 0));
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_dropped_keeps_no_lease() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.applier.stall(id, RevisionNumber::new(2).unwrap());
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    let running = tokio::spawn(stage.worker(WorkerConfig::default()).run_until(std::future::pending()));
    gate.reached().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    gate.release();
    tokio::time::sleep(Duration::from_secs(60)).await;
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    let losses = stage.store.jobs().into_iter().rfind(|j| j.kind == JobKind::Deploy).unwrap().counters.losses;
    assert_eq!(losses, 1, "its lease ran out");
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_looks_once_a_second_and_keeps_house_every_five() {
    let (stage, _) = Stage::live().await;
    let spy = Spy::of(&stage.world.store);
    let config = WorkerConfig::default().with_sweep_interval(Duration::ZERO);
    let worker = Worker::builder(Arc::<Spy>::clone(&spy), stage.pipeline.clone()).config(config).build().unwrap();
    let running = tokio::spawn(worker.run_until(std::future::pending()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let calls = || ["claim", "maintain", "stats", "enqueue", "extend", "finish"].map(|name| spy.faults.calls(name));
    let before = calls();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let now = calls();
    running.abort();
    let made: Vec<u32> = now.iter().zip(before).map(|(now, before)| now - before).collect();
    assert!((590..=610).contains(&made[0]) && (100..=150).contains(&made[1]), "{made:?}");
    assert!((39..=41).contains(&made[2]), "{made:?}");
    assert_eq!(made[3..], [0, 0, 0]);
}
