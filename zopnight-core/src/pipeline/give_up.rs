//! A job is given up: its revision is settled and the timeline told, in the commit that parks it.

use crate::domain::revision::RevisionEvent;
use crate::domain::{
    EventKind, Finish, Finished, JobError, JobKind, JobStep, Lease, NewEvent, Outcome, Reason, RevisionState,
};
use crate::error::Result;

use super::Pipeline;
use super::decide::until_settled;
use super::jobs::{Handled, Task};

/// Whether a revision in `state` waits for a job of this kind: what is left of a build once its image is there is its log only.
const fn waits(kind: JobKind, state: RevisionState) -> bool {
    match kind {
        JobKind::Build | JobKind::WatchBuild => state.is_before_built(),
        JobKind::Deploy => true,
        JobKind::ReportStatus | JobKind::CancelRun | JobKind::Teardown | JobKind::Sweep => false,
    }
}

impl Pipeline {
    /// Tells the timeline that an earlier holder of this job lost its lease.
    pub(crate) async fn note_lost_lease(&self, lease: &Lease) -> Result<()> {
        let Ok(task) = Task::of(lease) else { return Ok(()) };
        let mut event = NewEvent::new(EventKind::JobLeaseLost, format!("a worker lost the {} job", lease.kind.as_str()))
            .with("kind", lease.kind.as_str())
            .with("attempts", lease.losses);
        event.revision = lease.revision;
        self.step(task.hold().with_event(event)).await.map(|_| ())
    }

    /// Parks a job that failed too often, and fails the revision that waits for it.
    ///
    /// # Errors
    /// `Unavailable`; the lease then still holds, or runs out and the job is handed out for giving up again.
    pub(crate) async fn give_up(&self, lease: &Lease, cause: &JobError) -> Result<()> {
        let park = Outcome::Park { error: cause.clone() };
        tracing::warn!(kind = lease.kind.as_str(), job = %lease.id, code = cause.code(), "a job is given up");
        let Ok(task) = Task::of(lease) else {
            let finished = self.store().finish(vec![Finish { lease: lease.job, outcome: park }]).await?;
            debug_assert!(matches!(finished.first(), Some(Finished::Accepted | Finished::Lost)));
            return Ok(());
        };
        let attempts = lease.failures.saturating_add(lease.losses).saturating_add(1);
        until_settled("worker.give_up", async || {
            let event = NewEvent::new(
                EventKind::JobParked,
                format!("the {} job was given up: {}", lease.kind.as_str(), cause.message()),
            )
            .with("kind", lease.kind.as_str())
            .with("attempts", attempts);
            let step = JobStep::Finish(lease.job, park.clone());
            let view = match lease.revision {
                Some(revision) => self.job_revision(&task, revision).await?.filter(|v| waits(lease.kind, v.revision.state)),
                None => None,
            };
            let event = match lease.revision {
                Some(revision) => event.of(revision),
                None => event,
            };
            let base = task.change().with_job(step).with_event(event);
            let reason = Reason::new("job_parked", &format!("{}: {}", cause.code(), cause.message()));
            let change = match &view {
                Some(view) => self.ending(base.clone(), view, RevisionEvent::Abandoned, Some(reason)).unwrap_or(base),
                None => base,
            };
            match self.settled(change).await {
                Ok(Some(Handled::Ended)) => Ok(Some(())),
                Ok(Some(Handled::Finish(_))) => {
                    self.store().finish(vec![Finish { lease: lease.job, outcome: park.clone() }]).await.map(|_| Some(()))
                }
                Ok(None) => Ok(None),
                Err(error) if error.kind() == crate::error::ErrorKind::NotFound => {
                    self.store().finish(vec![Finish { lease: lease.job, outcome: park.clone() }]).await.map(|_| Some(()))
                }
                Err(error) => Err(error),
            }
        })
        .await
    }
}
