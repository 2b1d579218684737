//! What becomes of a lease.

use std::time::Duration;

use tokio::time::sleep;
use zopnight_core::domain::{Finish, Finished, JobError, JobPayload, Lease, Outcome};

use super::pipeline;
use super::settings::INTENDED;
use super::worker::{LEASE, Worker, told};
use super::workload::Behaviour;
use crate::checker::LIMITS;
use crate::history::{Line, Op};
use crate::random::Random;

/// How the work of a lease went.
#[derive(Debug)]
pub(super) enum Worked {
    /// To be finished so.
    Ends(Outcome),
    /// Already ended, or no longer ours.
    Ended,
}

/// The database did not answer: the job goes back uncharged.
pub(super) const GIVEN_BACK: Worked = Worked::Ends(Outcome::Release);

pub(super) async fn run(worker: &std::sync::Arc<Worker>, lease: Lease) {
    let app = lease.deployment.and_then(|id| worker.workload.app_of(id));
    let counts = (i64::from(lease.failures), i64::from(lease.panics), i64::from(lease.losses));
    let spent = counts.0 >= LIMITS.0 || counts.1 >= LIMITS.1 || counts.2 >= LIMITS.2;
    if spent && app.is_none() {
        return finish(worker, &lease, Outcome::Park { error: JobError::new("spent", "given up") }).await;
    }
    let behaviour = worker.workload.behaviour(lease.id, app.is_none());
    worker.hold(&lease, behaviour != Behaviour::Lasts { silent: true });
    let (shared, held) = (std::sync::Arc::clone(worker), lease.clone());
    let task = tokio::spawn(async move { work(&shared, &held, behaviour, app).await });
    match task.await {
        Ok(Worked::Ends(outcome)) => finish(worker, &lease, outcome).await,
        Ok(Worked::Ended) => {}
        Err(_) => finish(worker, &lease, retry(&lease, true)).await,
    }
    worker.hold(&lease, false);
}

async fn work(worker: &Worker, lease: &Lease, behaviour: Behaviour, app: Option<super::workload::App>) -> Worked {
    let mut random = Random::new(lease.job.fence.get(), "work");
    // Ten long ones in a row would be all that a short run waits for.
    let is_link = matches!(lease.payload, JobPayload::WatchBuild(_));
    sleep(Duration::from_millis(u64::from(random.below(20)))).await;
    match behaviour {
        Behaviour::Fails(times) if lease.failures < times => return Worked::Ends(retry(lease, false)),
        Behaviour::Panics(times) if lease.panics < times => {
            if random.chance(50) {
                effect(worker, lease).await;
            }
            panic!("{INTENDED} asks for it");
        }
        Behaviour::Lasts { .. } if lease.losses == 0 && !is_link => sleep(LEASE + Duration::from_secs(1)).await,
        // The next to hold the job is still at it when the first, whose lease ran out, tries to end it.
        Behaviour::Lasts { silent: true } if lease.losses == 1 && !is_link => sleep(LEASE / 3).await,
        _ => {}
    }
    match (&lease.payload, app) {
        (JobPayload::WatchBuild(look), None) if look.looks > 0 => {
            let look = zopnight_core::domain::WatchBuildJob { looks: look.looks - 1, ..look.clone() };
            let after = Duration::from_millis(u64::from(random.below(300)));
            Worked::Ends(Outcome::Snooze { after, payload: Some(JobPayload::WatchBuild(look)) })
        }
        (_, None) if !effect(worker, lease).await => GIVEN_BACK,
        (_, None) => Worked::Ends(Outcome::Done),
        (_, Some(app)) => pipeline::run(worker, lease, &app).await,
    }
}

fn retry(lease: &Lease, panic: bool) -> Outcome {
    let after = Random::new(lease.job.fence.get(), "retry").below(400) + 20;
    let error = JobError::new("chaos", "failed");
    Outcome::Retry { after: Duration::from_millis(u64::from(after)), error, panic }
}

/// Writes the effect of this hand-out, at most once; whether it is surely there.
pub(super) async fn effect(worker: &Worker, lease: &Lease) -> bool {
    let line = Line::of(Op::Effect).job(lease.id.as_uuid()).fence(lease.job.fence.get());
    let before = worker.history.before(vec![line]);
    let written = worker.scratch.effect(lease.id.as_uuid(), lease.job.fence.get()).await;
    worker.history.after(&[before[0].answered(if written.is_ok() { "written" } else { "error" })]);
    written.is_ok()
}

async fn finish(worker: &Worker, lease: &Lease, outcome: Outcome) {
    let want = match &outcome {
        Outcome::Done => "done",
        Outcome::Cancelled => "cancelled",
        Outcome::Release => "release",
        Outcome::Snooze { .. } => "snooze",
        Outcome::Retry { .. } => "retry",
        Outcome::Park { .. } => "park",
    };
    let line = Line::of(Op::Finish).job(lease.id.as_uuid()).fence(lease.job.fence.get()).want(want);
    // While the lease lasts, and a little longer, so that some come too late.
    for _ in 0..40 {
        let before = worker.history.before(vec![line.clone()]);
        let answers = worker.store.finish(vec![Finish { lease: lease.job, outcome: outcome.clone() }]).await;
        let answer = match &answers {
            Ok(answers) if answers[..] == [Finished::Accepted] => "accepted".to_owned(),
            Ok(_) => "lost".to_owned(),
            Err(error) => told(error),
        };
        worker.history.after(&[before[0].answered(answer)]);
        if answers.is_ok() {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
}
