//! Which changes are malformed. Pure.

use std::collections::HashSet;

use zopnight_core::domain::{
    AttemptOp, DeploymentOp, EventData, JobStep, LogTail, NewEvent, RevisionChange, RevisionOp, RevisionState, Scope,
};
use zopnight_core::{Error, Result};

const OPERATION: &str = "store.apply";
const MAX_EVENTS: usize = 100;
const MAX_JOBS: usize = 100;
const MAX_SNAPSHOT: usize = 512 * 1_024;

/// Refuses a malformed change before anything is read.
pub(super) fn check(change: &RevisionChange) -> Result<()> {
    let rule = |ok: bool, rule: &'static str| if ok { Ok(()) } else { Err(Error::invalid(OPERATION, rule)) };
    let mut seen = HashSet::new();
    for op in &change.revisions {
        let id = match op {
            RevisionOp::Create(new) => {
                let entry = matches!(new.state, RevisionState::Queued | RevisionState::Built);
                rule(entry, "a revision enters at queued or built")?;
                rule(
                    new.state == RevisionState::Queued || new.image.is_some(),
                    "a revision enters at built with its image",
                )?;
                let bytes = serde_json::to_string(&(&new.build, &new.runtime, &new.target)).map_or(usize::MAX, |t| t.len());
                rule(bytes <= MAX_SNAPSHOT, "a revision's configuration must be at most 512 KiB")?;
                new.id
            }
            RevisionOp::Move(m) => {
                rule(!m.from.is_terminal(), "a revision that has ended does not move")?;
                rule(m.to != m.from || !m.patch.is_empty(), "a move that changes nothing")?;
                m.id
            }
        };
        rule(seen.insert(id), "at most one operation on each revision")?;
    }
    rule(change.events.len() <= MAX_EVENTS, "at most 100 events")?;
    change.events.iter().try_for_each(|event| {
        rule(event.message.len() <= NewEvent::MAX_MESSAGE, "an event's message must be at most 1 KiB")?;
        rule(data_bytes(&event.data) <= NewEvent::MAX_DATA, "an event's data must be at most 8 KiB")
    })?;
    rule(change.log.as_ref().is_none_or(|log| LogTail::is_bounded(&log.tail)), "a log tail out of bounds")?;
    rule(change.jobs.len() <= MAX_JOBS, "at most 100 jobs")?;
    for job in &change.jobs {
        let own = job.scope == Scope::System || job.scope.org() == Some(&change.org);
        rule(own, "a job of another organisation")?;
        job.check()?;
    }
    if let JobStep::Finish(_, outcome) = &change.job {
        super::finish::check(outcome)?;
    }
    let creates = change.revisions.iter().any(|op| matches!(op, RevisionOp::Create(_)));
    match &change.deployment_op {
        DeploymentOp::Create(_) => rule(creates, "a deployment is created with its first revision"),
        DeploymentOp::Gone => rule(!creates, "a deployment that is gone gets no revision"),
        _ => Ok(()),
    }
}

fn data_bytes(data: &EventData) -> usize {
    serde_json::to_string(data).map_or(usize::MAX, |text| text.len())
}

/// Whether a deployment that is being removed takes this change: ending revisions, the removal's end, and facts.
pub(super) fn suits_deleting(change: &RevisionChange) -> bool {
    let op = matches!(change.deployment_op, DeploymentOp::Keep | DeploymentOp::Gone);
    let ends = |r: &RevisionOp| matches!(r, RevisionOp::Move(m) if m.to.is_terminal());
    let opens = |a: &AttemptOp| matches!(a, AttemptOp::Open(_));
    op && change.revisions.iter().all(ends) && !change.attempts.iter().any(opens)
}

/// Whether a build slot may become free: then the org's line of builds is locked.
pub(super) fn frees_slots(change: &RevisionChange) -> bool {
    let leaves = |r: &RevisionOp| matches!(r, RevisionOp::Move(m) if m.from.is_before_built() && !m.to.is_before_built());
    let closes = |a: &AttemptOp| matches!(a, AttemptOp::Close { .. });
    change.revisions.iter().any(leaves) || change.attempts.iter().any(closes)
}

/// Whether the org's own count of build slots may change: then its row is locked first.
pub(super) fn touches_slots(change: &RevisionChange) -> bool {
    let leaves = |r: &RevisionOp| matches!(r, RevisionOp::Move(m) if m.from.is_before_built() && m.to != m.from);
    let counts = |a: &AttemptOp| matches!(a, AttemptOp::Open(_) | AttemptOp::Close { .. });
    matches!(change.deployment_op, DeploymentOp::Create(_))
        || change.revisions.iter().any(leaves)
        || change.attempts.iter().any(counts)
}
