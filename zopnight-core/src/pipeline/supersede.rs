//! A newer revision takes the place of older ones.

use crate::domain::revision::RevisionEvent;
use crate::domain::{CancelJobs, DeploymentId, OrgId, Reason, RevisionChange, RevisionId, RevisionOp, RevisionView};
use crate::error::Result;

use super::Pipeline;
use super::end::{moved, reached};

impl Pipeline {
    /// Adds to `change` that every one of `older` for which `event` means it is superseded by `newer`.
    ///
    /// `NewerAccepted` ends those in queued, building or built; one in deploying goes on to its verdict and is ended only by
    /// `NewerBuilt`, in the commit that makes the newer one built.
    pub(super) fn superseding(
        &self,
        mut change: RevisionChange,
        older: &[RevisionView],
        newer: RevisionId,
        event: RevisionEvent,
    ) -> RevisionChange {
        for view in older.iter().filter(|v| v.revision.id != newer) {
            let patch = crate::domain::RevisionPatch {
                reason: Some(Reason::new("superseded", "a newer revision took its place")),
                superseded_by: Some(newer),
                ..crate::domain::RevisionPatch::default()
            };
            let Some(step) = moved(&view.revision, event, patch) else { continue };
            let line = reached(&view.revision, step.to).with("by", newer.to_string());
            change = change
                .with_revision(RevisionOp::Move(Box::new(step)))
                .with_event(line)
                .with_cancel(CancelJobs::OfRevision(view.revision.id));
            if let Some(attempt) = view.attempt.as_ref().filter(|_| view.revision.state.is_before_built()) {
                change = self.cancelling(change, attempt);
            }
            change = self.reporting(change, view.revision.id);
        }
        change
    }

    /// The unfinished revisions of a deployment older than `number`.
    pub(super) async fn older_unfinished(
        &self,
        org: &OrgId,
        deployment: DeploymentId,
        number: Option<u32>,
    ) -> Result<Vec<RevisionView>> {
        let mut views = self.store().unfinished(org, deployment).await?;
        views.retain(|v| number.is_none_or(|n| v.revision.number.get() < n));
        Ok(views)
    }
}
