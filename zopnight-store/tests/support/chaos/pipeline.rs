//! Jobs that move revisions, and chains that store the next job in the commit that ends the last.

use std::time::Duration;

use tokio::time::sleep;
use zopnight_core::ErrorKind;
use zopnight_core::domain::{
    Applied, AttemptId, AttemptOp, EventKind, JobId, JobPayload, JobStep, Lease, NewEvent, NewJob, Outcome, RevisionChange,
    RevisionId, RevisionPatch, RevisionState, RevisionView, RunOutcome, Settled,
};
use zopnight_core::testing::suites::fixtures;

use super::handler::{GIVEN_BACK, Worked, effect};
use super::producer::enqueueing;
use super::settings::fatal;
use super::worker::{Worker, told};
use super::workload::App;
use crate::history::{Line, Op};

pub(super) async fn run(worker: &Worker, lease: &Lease, app: &App) -> Worked {
    match &lease.payload {
        JobPayload::WatchBuild(look) => {
            let next = (look.looks > 0).then(|| worker.workload.link(lease.id, app, look));
            let event = ended(lease, EventKind::DeployRollout, next.as_ref());
            end(worker, lease, change(app).with_event(event), next).await
        }
        JobPayload::Build(job) | JobPayload::Deploy(job) => moves(worker, lease, app, job.revision).await,
        other => fatal(&format!("nobody enqueues {other:?}")),
    }
}

/// Moves the revision from where it stands, as a handler does that may not be the first to try.
async fn moves(worker: &Worker, lease: &Lease, app: &App, id: RevisionId) -> Worked {
    let is_build = matches!(lease.payload, JobPayload::Build(_));
    for _ in 0..20 {
        let view = match worker.store.revision(&app.org, app.id, id).await {
            Ok(view) => view,
            Err(error) if error.kind() == ErrorKind::NotFound => fatal("a job without its revision"),
            Err(error) => {
                told(&error);
                return GIVEN_BACK;
            }
        };
        let held = match (view.revision.state, is_build) {
            (RevisionState::Queued, true) => {
                let open = fixtures::open(AttemptId::from_uuid(id.as_uuid()), id, 1);
                let change = step(app, &view, RevisionState::Building, "building").with_attempt(open);
                apply(worker, lease, change.with_job(JobStep::Hold(lease.job)), "hold", None).await
            }
            (RevisionState::Built, false) => {
                let change = step(app, &view, RevisionState::Deploying, "deploying");
                apply(worker, lease, change.with_job(JobStep::Hold(lease.job)), "hold", None).await
            }
            (RevisionState::Building, true) => {
                let mut next = fixtures::deploy_job(&app.org, app.id, id);
                next.id = JobId::from_uuid(id.as_uuid());
                let jti = AttemptId::from_uuid(id.as_uuid());
                let (settled, outcome) = (Settled::Watch, Some(RunOutcome::Succeeded));
                let close = AttemptOp::Close { jti, settled, outcome, body_digest: None };
                let message = ended(lease, EventKind::RevisionBuilt, Some(&next)).message;
                let change = step(app, &view, RevisionState::Built, &message).with_attempt(close);
                return end(worker, lease, change, Some(next)).await;
            }
            (RevisionState::Deploying, false) => {
                let message = ended(lease, EventKind::RevisionSucceeded, None).message;
                return end(worker, lease, step(app, &view, RevisionState::Succeeded, &message), None).await;
            }
            // Another hand-out of this job, or of an older one, has ended it: nothing is left to do.
            _ => return Worked::Ended,
        };
        match held {
            Some(Applied::Committed(_) | Applied::Stale(_)) => {}
            Some(Applied::LeaseLost | Applied::AtCapacity) => return Worked::Ended,
            Some(other) => fatal(&format!("a step is refused: {other:?}")),
            None => return GIVEN_BACK,
        }
    }
    GIVEN_BACK
}

fn change(app: &App) -> RevisionChange {
    RevisionChange::new(app.org.clone(), app.id)
}

fn step(app: &App, view: &RevisionView, to: RevisionState, message: &str) -> RevisionChange {
    let told = fixtures::told(view.revision.id, to);
    let event = NewEvent { message: message.to_owned(), ..told };
    change(app).with_revision(fixtures::step(view, to, RevisionPatch::default())).with_event(event)
}

/// The event by which the tables say that this commit ended the job and stored the next.
fn ended(lease: &Lease, kind: EventKind, next: Option<&NewJob>) -> NewEvent {
    let next = next.map_or("-".to_owned(), |next| next.id.to_string());
    NewEvent::new(kind, format!("ended {} {next}", lease.id))
}

async fn end(worker: &Worker, lease: &Lease, change: RevisionChange, next: Option<NewJob>) -> Worked {
    if !effect(worker, lease).await {
        return GIVEN_BACK;
    }
    let change = change.with_job(JobStep::Finish(lease.job, Outcome::Done));
    match apply(worker, lease, change, "done", next).await {
        Some(Applied::Committed(_) | Applied::AlreadyFinished | Applied::LeaseLost) => Worked::Ended,
        // Stale: another hand-out of this job moved the revision first.
        Some(Applied::Stale(_)) | None => GIVEN_BACK,
        Some(other) => fatal(&format!("an end is refused: {other:?}")),
    }
}

/// Applies until there is an answer, for a while.
async fn apply(worker: &Worker, lease: &Lease, change: RevisionChange, want: &str, next: Option<NewJob>) -> Option<Applied> {
    let line = Line::of(Op::Apply).job(lease.id.as_uuid()).fence(lease.job.fence.get()).want(want);
    let change = next.iter().cloned().fold(change, RevisionChange::with_follow_up);
    for _ in 0..30 {
        let follow_up = next.iter().map(|next| enqueueing(next, Some(lease.id.as_uuid())));
        let before = worker.history.before(std::iter::once(line.clone()).chain(follow_up).collect());
        let applied = worker.store.apply(change.clone()).await;
        let (answer, stored) = match &applied {
            Ok(Applied::Committed(_)) => ("committed".to_owned(), true),
            Ok(Applied::AlreadyFinished) => ("accepted".to_owned(), true),
            Ok(Applied::LeaseLost) => ("lost".to_owned(), false),
            Ok(Applied::AtCapacity) => ("blocked".to_owned(), false),
            Ok(_) => ("stale".to_owned(), false),
            Err(error) => (told(error), false),
        };
        let mut after = vec![before[0].answered(answer)];
        after.extend(before[1..].iter().filter(|_| stored).map(|line| line.answered("stored")));
        worker.history.after(&after);
        match applied {
            Ok(applied) => return Some(applied),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
    None
}
