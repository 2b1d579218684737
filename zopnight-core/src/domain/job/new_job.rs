//! A job to store.

use std::time::Duration;

use super::key::{Dedupe, JobKey, Scope};
use super::kind::JobKind;
use super::payload::JobPayload;
use crate::domain::id::{DeploymentId, JobId, RevisionId};
use crate::error::{Error, Result};

/// A job to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Made by the caller (UUIDv7), so that repeating an enqueue stores nothing twice.
    pub id: JobId,
    /// Whose it is.
    pub scope: Scope,
    /// What it does; equals `payload.kind()`.
    pub kind: JobKind,
    /// What it works on.
    pub payload: JobPayload,
    /// Not before this much time from now, 0 ..= 30 days.
    pub delay: Duration,
    /// At most one live job of this key.
    pub dedupe: Option<Dedupe>,
    /// At most one job of this key out of line at a time, in the order of enqueueing.
    pub serial: Option<JobKey>,
    /// The deployment it is about.
    pub deployment: Option<DeploymentId>,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
}

impl NewJob {
    /// Longest delay.
    pub const MAX_DELAY: Duration = Duration::from_secs(30 * 86_400);

    /// A job due now, with the keys of its kind.
    #[must_use]
    pub fn new(id: JobId, scope: Scope, deployment: Option<DeploymentId>, payload: JobPayload) -> Self {
        Self {
            id,
            scope,
            kind: payload.kind(),
            delay: Duration::ZERO,
            dedupe: payload.dedupe(),
            serial: payload.serial(deployment),
            deployment,
            revision: payload.revision(),
            payload,
        }
    }

    /// The same job, not before `delay` from now.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Checks the bounds that every store must keep: kind, delay, payload size and whether the keys belong to the lane.
    ///
    /// # Errors
    /// `Invalid`, naming what is wrong.
    pub fn check(&self) -> Result<()> {
        let lane = self.kind.lane();
        let keys = self.dedupe.iter().map(|d| &d.key).chain(&self.serial);
        if self.kind != self.payload.kind() {
            return Err(Error::invalid("queue.enqueue", "the payload is of another kind"));
        }
        if self.delay > Self::MAX_DELAY {
            return Err(Error::invalid("queue.enqueue", "delay must be at most 30 days"));
        }
        for key in keys {
            if !key.belongs_to(lane) {
                return Err(Error::invalid(
                    "queue.enqueue",
                    format!("key {key} belongs to another lane than {}", lane.as_str()),
                ));
            }
        }
        if self.payload.to_json()?.len() > JobPayload::MAX_BYTES {
            return Err(Error::invalid("queue.enqueue", "payload must be at most 16,384 bytes"));
        }
        Ok(())
    }
}
