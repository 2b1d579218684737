//! Writes a rollout's progress to its revision.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    ProgressLine, Redactor, ReleaseRef, RevisionId, RevisionPatch, RevisionState, Rollout, RolloutStatus, Timestamp,
};
use crate::ports::ReleaseProgress;

use super::Pipeline;
use super::end::patched;
use super::jobs::Task;

/// At most one write in this time.
const EVERY: Duration = Duration::from_secs(2);

/// Keeps the last line of a rollout on its revision. What cannot be written is left out: the verdict will tell.
#[derive(Debug)]
pub(super) struct ProgressWriter {
    pipeline: Pipeline,
    task: Task,
    revision: RevisionId,
    last: Mutex<Option<Timestamp>>,
}

impl ProgressWriter {
    pub(super) fn new(pipeline: Pipeline, task: Task, revision: RevisionId) -> Self {
        Self { pipeline, task, revision, last: Mutex::new(None) }
    }

    fn due(&self) -> bool {
        let now = self.pipeline.now();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|l| now.since(l) < EVERY) {
            return false;
        }
        *last = Some(now);
        true
    }
}

#[async_trait]
impl ReleaseProgress for ProgressWriter {
    async fn progress(&self, _target: &ReleaseRef, line: ProgressLine) {
        if !self.due() {
            return;
        }
        let Ok(Some(view)) = self.pipeline.job_revision(&self.task, self.revision).await else { return };
        if view.revision.state != RevisionState::Deploying {
            return;
        }
        let rollout = Rollout {
            status: RolloutStatus::Progressing,
            reason: None,
            message: Some(crate::domain::text::line(&Redactor::default().text(&line.message), 200)),
            ready: line.counts.ready,
            desired: line.counts.desired,
        };
        let patch = RevisionPatch { rollout: Some(rollout), ..RevisionPatch::default() };
        let change = self.task.hold().with_revision(patched(&view.revision, patch));
        if let Err(error) = self.pipeline.step(change).await {
            tracing::debug!(%error, "a rollout's progress was not kept");
        }
    }
}
