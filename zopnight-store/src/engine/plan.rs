//! What is decided in memory: the rows to insert and the steps to write. Pure.

use std::time::Duration;

use serde::{Serialize, Serializer};
use uuid::Uuid;
use zopnight_core::domain::job_state::{Counters, JobEvent, JobTransition, next};
use zopnight_core::domain::{JobState, Lane, NewJob, Outcome, Scope, Timestamp};

use crate::error::StoreError;
use crate::row::JobBrief;

/// The org column of a scope: empty for the system, which no tenant can be called.
pub(crate) fn org_of(scope: &Scope) -> &str {
    scope.org().map_or("", |org| org.as_str())
}

#[derive(Debug)]
struct Hex(Uuid);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.simple())
    }
}

/// A job's row as it is stored, in the order of the columns of the INSERT.
#[derive(Debug, Serialize)]
pub(crate) struct JobInsert<'a>(
    Hex,
    &'a str,
    &'static str,
    &'static str,
    &'static str,
    i64,
    Option<&'static str>,
    Option<&'a str>,
    Option<&'static str>,
    Option<&'a str>,
    Option<Hex>,
    Option<Hex>,
    String,
);

#[cfg(feature = "mysql")]
impl JobInsert<'_> {
    /// Its columns as parameters, and the time last, for its making and for its place in line.
    pub(crate) fn binds(&self, now: i64) -> [crate::database::Bind<'_>; 15] {
        let Self(id, org, lane, kind, state, place, blocked, dedupe, until, serial, deployment, revision, payload) = self;
        [
            id.0.into(),
            (*org).into(),
            (*lane).into(),
            (*kind).into(),
            (*state).into(),
            (*place).into(),
            (*blocked).into(),
            (*dedupe).into(),
            (*until).into(),
            (*serial).into(),
            deployment.as_ref().map(|d| d.0).into(),
            revision.as_ref().map(|r| r.0).into(),
            payload.into(),
            now.into(),
            now.into(),
        ]
    }
}

impl<'a> JobInsert<'a> {
    /// The row of `job` in `state` at `place`.
    pub(crate) fn new(job: &'a NewJob, state: JobState, place: i64) -> Result<Self, StoreError> {
        use zopnight_core::domain::DedupeUntil;
        let until = job.dedupe.as_ref().map(|d| match d.until {
            DedupeUntil::Started => "started",
            DedupeUntil::Finished => "finished",
        });
        Ok(Self(
            Hex(job.id.as_uuid()),
            org_of(&job.scope),
            job.kind.lane().as_str(),
            job.kind.as_str(),
            state.as_str(),
            place,
            (state == JobState::Blocked).then_some("serial"),
            job.dedupe.as_ref().map(|d| d.key.as_str()),
            until,
            job.serial.as_ref().map(|k| k.as_str()),
            job.deployment.map(|d| Hex(d.as_uuid())),
            job.revision.map(|r| Hex(r.as_uuid())),
            job.payload.to_json()?,
        ))
    }
}

/// An UPDATE of one row: absolute values, guarded by the state and the fence they were decided on.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) seq: i64,
    old: &'static str,
    was: u32,
    new: &'static str,
    place: i64,
    fence: u32,
    failures: u32,
    losses: u32,
    panics: u32,
    snoozes: u32,
    blocked_on: Option<&'static str>,
    payload: Option<String>,
    error: Option<String>,
    revived: bool,
    pub(crate) drops_key: bool,
    /// The org and the dedupe key that a job regains as it comes back from its lease.
    #[serde(skip)]
    pub(crate) regains: Option<(String, String)>,
}

/// A job and what happens to it.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) job: JobBrief,
    pub(crate) event: JobEvent,
}

impl Move {
    pub(crate) const fn new(job: JobBrief, event: JobEvent) -> Self {
        Self { job, event }
    }

    /// What the pure rules say; `None` if the event does not apply.
    pub(crate) fn decide(&self) -> Option<JobTransition> {
        next(self.job.state, self.job.counters, &self.event)
    }

    /// The line in which it becomes ready, if it does.
    pub(crate) fn line(&self) -> Option<(&str, Lane)> {
        let ready = self.decide().is_some_and(|t| t.state == JobState::Ready);
        ready.then_some((self.job.org.as_str(), self.job.lane))
    }

    /// The UPDATE of this move, with the turn it got.
    pub(crate) fn step(&self, to: JobTransition, turn: i64, now: Timestamp) -> Result<Step, StoreError> {
        let JobTransition { state, counters: Counters { fence, failures, losses, panics, snoozes } } = to;
        let place = match state {
            JobState::Ready | JobState::Leased => turn,
            JobState::Delayed => now.plus(self.pause()).as_micros(),
            JobState::Blocked => 0,
            JobState::Done | JobState::Cancelled | JobState::Parked => now.as_micros(),
        };
        let (payload, error) = match &self.event {
            JobEvent::Finish(Outcome::Snooze { payload: Some(payload), .. }) => (Some(payload.to_json()?), None),
            JobEvent::Finish(Outcome::Retry { error, .. } | Outcome::Park { error }) => (None, Some(error_json(error)?)),
            _ => (None, None),
        };
        let comes_back = self.job.state == JobState::Leased && self.job.until_started && !state.is_ended();
        Ok(Step {
            seq: self.job.seq,
            old: self.job.state.as_str(),
            was: self.job.counters.fence,
            new: state.as_str(),
            place,
            fence,
            failures,
            losses,
            panics,
            snoozes,
            blocked_on: (state == JobState::Blocked).then_some("slot"),
            payload,
            error,
            revived: matches!(self.event, JobEvent::Revive),
            drops_key: false,
            regains: self.job.dedupe.clone().filter(|_| comes_back).map(|key| (self.job.org.clone(), key)),
        })
    }

    fn pause(&self) -> Duration {
        match &self.event {
            JobEvent::Finish(Outcome::Snooze { after, .. } | Outcome::Retry { after, .. }) => *after,
            _ => Duration::ZERO,
        }
    }
}

/// The text of an error column.
pub(crate) fn error_json(error: &zopnight_core::domain::JobError) -> Result<String, StoreError> {
    let text = serde_json::to_string(error);
    text.map_err(|e| zopnight_core::Error::internal("store.bind", "an error cannot be written").with_source(e).into())
}
