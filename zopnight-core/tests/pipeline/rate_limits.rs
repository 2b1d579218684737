//! Rate limits: waiting is free, but not for ever.

use std::time::Duration;

use zopnight_core::domain::{EventKind, JobKind, JobState, Reason, RevisionState};
use zopnight_core::testing::fakes::When;
use zopnight_core::testing::peek::JobPeek;
use zopnight_core::{Error, ErrorKind, Retry};

use crate::stage::Stage;

fn slow_down() -> Error {
    Error::new(ErrorKind::RateLimited, "fake", "slow down").with_retry(Retry::After(Duration::from_secs(5)))
}

impl Stage {
    fn newest_job(&self, kind: JobKind) -> JobPeek {
        self.store.jobs().into_iter().rfind(|j| j.kind == kind).unwrap()
    }

    /// Lets time pass until the newest job of a kind has ended; answers how long that took.
    async fn until_ended(&self, kind: JobKind, step: Duration) -> Duration {
        for steps in 0..2_000 {
            self.drain().await;
            if self.newest_job(kind).state.is_ended() {
                return step * steps;
            }
            self.world.clock.advance(step);
        }
        panic!("{:?} goes on for ever", self.newest_job(kind));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_waits_are_free_and_then_they_are_charged() {
    let (stage, id) = Stage::live().await;
    let before = stage.world.applier.faults().calls("apply");
    stage.world.applier.faults().fail("apply", When::Every, slow_down);
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    stage.until_ended(JobKind::Deploy, Duration::from_secs(600)).await;
    let job = stage.newest_job(JobKind::Deploy);
    assert_eq!((job.state, job.counters.snoozes, job.counters.failures), (JobState::Parked, 100, 4));
    let calls = stage.world.applier.faults().calls("apply") - before;
    assert_eq!(calls, 100 + JobKind::Deploy.policy().give_up_after);
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::Failed);
    assert!(revision.reason.unwrap().message().contains("rate_limited"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_ends_in_time_costs_nothing() {
    let (stage, id) = Stage::live().await;
    stage.world.applier.faults().fail("apply", When::Next(100), slow_down);
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    stage.until_ended(JobKind::Deploy, Duration::from_secs(6)).await;
    let job = stage.newest_job(JobKind::Deploy);
    assert_eq!((job.state, job.counters.failures), (JobState::Done, 0));
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_watched_build_waits_as_often_as_its_deadline_allows() {
    let (stage, id) = Stage::live().await;
    stage.world.dispatcher.faults().fail("run", When::Every, slow_down);
    stage.push("b").await;
    for _ in 0..150 {
        stage.drain().await;
        stage.world.clock.advance(Duration::from_secs(6));
    }
    let job = stage.newest_job(JobKind::WatchBuild);
    assert!(job.counters.snoozes > 100 && job.counters.failures == 0, "{job:?}");
    stage.world.dispatcher.faults().clear("run");
    stage.world.builder.play(&stage.pipeline).await;
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_watched_build_times_out_under_a_limit_without_end() {
    let (stage, id) = Stage::live().await;
    stage.world.dispatcher.faults().fail("run", When::Every, slow_down);
    stage.push("b").await;
    stage.until_ended(JobKind::WatchBuild, Duration::from_secs(6)).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::TimedOut);
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("build_timed_out"));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_can_never_be_read_is_given_up_and_the_revision_stands() {
    let (stage, id) = Stage::live().await;
    stage.world.dispatcher.faults().fail("log_tail", When::Every, slow_down);
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    stage.until_ended(JobKind::WatchBuild, Duration::from_secs(61)).await;
    assert_eq!(stage.newest_job(JobKind::WatchBuild).state, JobState::Parked);
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    assert!(stage.kinds(id).await.contains(&EventKind::JobParked));
}
