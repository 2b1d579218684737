//! How a revision moves and ends: the compare-and-set with its event, and the attempts and runs it leaves behind.

use crate::domain::revision::RevisionEvent;
use crate::domain::revision::{Next, next};
use crate::domain::{
    BuildAttempt, CancelRunJob, EventKind, JobPayload, NewEvent, Reason, Revision, RevisionChange, RevisionMove, RevisionOp,
    RevisionPatch, RevisionState, RevisionView,
};

use super::Pipeline;

/// The compare-and-set that `event` means for `revision`; `None` if it means nothing in this state.
pub(super) fn moved(revision: &Revision, event: RevisionEvent, patch: RevisionPatch) -> Option<RevisionMove> {
    match next(revision.state, event) {
        Next::To(to) => Some(RevisionMove { id: revision.id, version: revision.version, from: revision.state, to, patch }),
        Next::Stay | Next::Terminal => None,
    }
}

/// A patch without a move.
pub(super) fn patched(revision: &Revision, patch: RevisionPatch) -> RevisionOp {
    let state = revision.state;
    RevisionOp::Move(Box::new(RevisionMove { id: revision.id, version: revision.version, from: state, to: state, patch }))
}

/// The timeline's line for a state that was reached.
pub(super) fn reached(revision: &Revision, state: RevisionState) -> NewEvent {
    let kind = match state {
        RevisionState::Queued => EventKind::RevisionQueued,
        RevisionState::Building => EventKind::RevisionBuilding,
        RevisionState::Built => EventKind::RevisionBuilt,
        RevisionState::Deploying => EventKind::RevisionDeploying,
        RevisionState::Succeeded => EventKind::RevisionSucceeded,
        RevisionState::Failed => EventKind::RevisionFailed,
        RevisionState::Superseded => EventKind::RevisionSuperseded,
        RevisionState::Cancelled => EventKind::RevisionCancelled,
        RevisionState::TimedOut => EventKind::RevisionTimedOut,
    };
    NewEvent::new(kind, format!("revision {} {}", revision.number, told(state)))
        .of(revision.id)
        .with("number", revision.number.get())
}

/// What a revision in this state does, or did.
const fn told(state: RevisionState) -> &'static str {
    match state {
        RevisionState::Queued => "is queued",
        RevisionState::Building => "is building",
        RevisionState::Built => "is built",
        RevisionState::Deploying => "is deploying",
        RevisionState::Succeeded => "succeeded",
        RevisionState::Failed => "failed",
        RevisionState::Superseded => "was superseded",
        RevisionState::Cancelled => "was cancelled",
        RevisionState::TimedOut => "timed out",
    }
}

impl Pipeline {
    /// Adds to `change` that `event`, for `reason`, ends or moves the revision: the move, its line, the report, and for a
    /// build under way the cancelling of its run. `None` if the event means nothing in the revision's state.
    pub(super) fn ending(
        &self,
        change: RevisionChange,
        view: &RevisionView,
        event: RevisionEvent,
        reason: Option<Reason>,
    ) -> Option<RevisionChange> {
        let revision = &view.revision;
        let mut line_data = None;
        let patch = RevisionPatch { reason: reason.clone(), ..RevisionPatch::default() };
        let step = moved(revision, event, patch)?;
        if let Some(reason) = reason {
            line_data = Some((reason.code().to_owned(), reason.message().to_owned()));
        }
        let mut line = reached(revision, step.to);
        if let Some((code, message)) = line_data {
            line = line.with("reason", code);
            line.message = crate::domain::text::cut_bytes(&[&line.message, ": ", &message].concat(), NewEvent::MAX_MESSAGE);
        }
        let change = change.with_revision(RevisionOp::Move(Box::new(step))).with_event(line);
        let change = match &view.attempt {
            Some(attempt) if revision.state.is_before_built() => self.cancelling(change, attempt),
            _ => change,
        };
        Some(self.reporting(change, revision.id))
    }

    /// Adds to `change` that the run of `attempt`, if it is open, is cancelled at the builder.
    pub(super) fn cancelling(&self, change: RevisionChange, attempt: &BuildAttempt) -> RevisionChange {
        if !attempt.is_open() {
            return change;
        }
        let payload = JobPayload::CancelRun(CancelRunJob { revision: attempt.revision, jti: attempt.jti, force: false });
        let job = self.job(&change.org, change.deployment, payload);
        change.with_follow_up(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_past() {
        for state in RevisionState::ALL {
            let past = told(state).split(' ').all(|word| word != "is");
            assert_eq!(past, state.is_terminal(), "{state:?}");
        }
    }
}
