//! The cancel_run job: a run that nobody waits for any more is ended at the builder.

use std::time::Duration;

use crate::domain::{
    CancelOutcome, CancelRequest, CancelRunJob, DispatchState, EventKind, JobPayload, Lease, NewEvent, Outcome, RunQuery,
    RunState,
};
use crate::error::{ErrorKind, Result};

use super::Pipeline;
use super::jobs::{Handled, Step, Task};

/// After the first request the run has this long to end by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// A run of a dispatch that was on its way is looked for this often, and this long.
const SEARCH: Duration = Duration::from_secs(15);
const SEARCH_FOR: Duration = Duration::from_secs(300);

impl Pipeline {
    pub(super) async fn run_cancel_run(&self, lease: &Lease, job: CancelRunJob) -> Result<Handled> {
        let task = Task::of(lease)?;
        let dispatcher = &self.builds()?.dispatcher;
        let attempts = self.store().attempts(&task.org, job.revision).await?;
        let Some(attempt) = attempts.into_iter().find(|a| a.jti == job.jti) else { return Ok(Handled::DONE) };
        if attempt.dispatch == DispatchState::Rejected {
            return Ok(Handled::DONE);
        }
        let found = match &attempt.run {
            Some(run) => dispatcher.run(run).await,
            None => {
                let query = RunQuery { revision: job.revision, attempt: attempt.number, not_before: attempt.opened_at };
                match dispatcher.find_run(&query).await? {
                    Some(run) => Ok(run),
                    None => return Ok(self.not_there(attempt.opened_at)),
                }
            }
        };
        let run = match found {
            Ok(run) => run,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Handled::DONE),
            Err(error) => return Err(error),
        };
        if matches!(run.state, RunState::Finished(_)) {
            return Ok(Handled::DONE);
        }
        let outcome = dispatcher.cancel(&CancelRequest { run: run.run.clone(), force: job.force }).await?;
        if outcome == CancelOutcome::AlreadyFinished {
            return Ok(Handled::DONE);
        }
        let event = NewEvent::new(EventKind::BuildRunCancelled, "the run was asked to end")
            .of(job.revision)
            .with("attempt", attempt.number)
            .with("runID", run.run.id.as_str());
        let told = match self.step(task.hold().with_event(event)).await {
            // The deployment is gone; its run is still to end.
            Err(error) if error.kind() == ErrorKind::NotFound => Step::Committed,
            told => told?,
        };
        match told {
            Step::Over(handled) => Ok(handled),
            _ if job.force => Ok(Handled::DONE),
            _ => {
                let payload = JobPayload::CancelRun(CancelRunJob { force: true, ..job });
                Ok(Handled::Finish(Outcome::Snooze { after: PATIENCE, payload: Some(payload) }))
            }
        }
    }

    fn not_there(&self, opened: crate::domain::Timestamp) -> Handled {
        if self.now().since(opened) > SEARCH_FOR {
            return Handled::DONE;
        }
        Handled::Finish(Outcome::Snooze { after: SEARCH, payload: None })
    }
}
