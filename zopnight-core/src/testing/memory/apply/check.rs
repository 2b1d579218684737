//! What makes a change malformed, whatever the store holds.

use std::collections::HashSet;

use crate::domain::{DeploymentOp, NewEvent, RevisionChange, RevisionOp, RevisionState, Scope};
use crate::error::{Error, Result};
use crate::testing::memory::queue::check_jobs;

const MAX_EVENTS: usize = 100;
const MAX_JOBS: usize = 100;

pub(super) fn invalid(message: &str) -> Error {
    Error::invalid("store.apply", message)
}

fn require(ok: bool, message: &str) -> Result<()> {
    if ok { Ok(()) } else { Err(invalid(message)) }
}

pub(super) fn check(change: &RevisionChange) -> Result<()> {
    check_revisions(change)?;
    require(change.events.len() <= MAX_EVENTS, "at most 100 events")?;
    for event in &change.events {
        check_event(event)?;
    }
    require(change.log.as_ref().is_none_or(|log| log.tail.is_bounded()), "the log tail is over its bounds")?;
    let ours = |scope: &Scope| scope.org().is_none_or(|org| *org == change.org);
    require(change.jobs.iter().all(|job| ours(&job.scope)), "a job's scope must be the change's tenant or the system")?;
    check_jobs(&change.jobs, MAX_JOBS)
}

fn check_revisions(change: &RevisionChange) -> Result<()> {
    let mut seen = HashSet::new();
    let mut creates = false;
    for op in &change.revisions {
        let id = match op {
            RevisionOp::Create(new) => {
                let enters = matches!(new.state, RevisionState::Queued | RevisionState::Built);
                require(enters, "a revision enters at queued or built")?;
                creates = true;
                new.id
            }
            RevisionOp::Move(step) => {
                require(!step.from.is_terminal(), "terminal is terminal")?;
                require(step.from != step.to || !step.patch.is_empty(), "the move changes nothing")?;
                step.id
            }
        };
        require(seen.insert(id), "two operations on one revision")?;
    }
    let created = matches!(change.deployment_op, DeploymentOp::Create(_));
    require(!created || creates, "a deployment is created with its first revision")
}

fn check_event(event: &NewEvent) -> Result<()> {
    require(event.message.len() <= NewEvent::MAX_MESSAGE, "an event's message must be at most 1 KiB")?;
    let data = serde_json::to_string(&event.data).map_err(|_| invalid("an event's data cannot be written"))?;
    require(data.len() <= NewEvent::MAX_DATA, "an event's data must be at most 8 KiB")
}
