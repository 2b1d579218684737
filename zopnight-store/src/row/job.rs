//! Rows of jobs.

use std::time::Duration;

use uuid::Uuid;
use zopnight_core::domain::job_state::Counters;
use zopnight_core::domain::{
    DeploymentId, Fence, JobError, JobId, JobKind, JobPayload, JobState, Lane, Lease, LeaseRef, OrgId, ParkedJob,
    RevisionId, Scope,
};

use super::Cells;
use crate::database::AnyRow;
use crate::error::StoreError;

/// What a step of a job's row needs.
#[derive(Clone, Debug)]
pub(crate) struct JobBrief {
    pub(crate) seq: i64,
    pub(crate) org: String,
    pub(crate) lane: Lane,
    pub(crate) state: JobState,
    pub(crate) counters: Counters,
    pub(crate) cancel_asked: bool,
    pub(crate) until_started: bool,
    pub(crate) dedupe: Option<String>,
    pub(crate) serial: Option<String>,
}

impl JobBrief {
    /// Reads a row.
    pub(crate) fn read(row: &dyn AnyRow) -> Result<Self, crate::error::StoreError> {
        let cells = Cells::of(row, "jobs", "seq");
        Ok(Self {
            seq: cells.get("seq")?,
            org: cells.get("org_id")?,
            lane: cells.name("lane", Lane::from_name)?,
            state: cells.name("state", JobState::from_name)?,
            counters: counters(&cells)?,
            cancel_asked: cells.flag("cancel_asked")?,
            until_started: cells.opt::<&str>("dedupe_until")? == Some("started"),
            dedupe: cells.opt("dedupe_key")?,
            serial: cells.opt("serial_key")?,
        })
    }
}

impl JobBrief {
    /// Whether it holds its dedupe key.
    pub(crate) const fn is_live(&self) -> bool {
        match self.state {
            JobState::Delayed | JobState::Blocked | JobState::Ready => true,
            JobState::Leased => !self.until_started,
            _ => false,
        }
    }

    /// The lease that holds it, or last held it.
    pub(crate) fn lease(&self) -> LeaseRef {
        LeaseRef { seq: self.seq, fence: Fence::of(self.seq, self.counters.fence) }
    }
}

fn counters(cells: &Cells<'_>) -> Result<Counters, StoreError> {
    Ok(Counters {
        fence: cells.int("fence")?,
        failures: cells.int("failures")?,
        losses: cells.int("losses")?,
        panics: cells.int("panics")?,
        snoozes: cells.int("snoozes")?,
    })
}

/// A claimed row, or why it cannot be handed out.
pub(crate) enum Claimed {
    Lease(Box<Lease>),
    /// Kind or payload of a release that this one does not know; the dedupe key that it regains by going back.
    Foreign {
        org: String,
        regains: Option<String>,
    },
    Corrupt(StoreError),
}

/// Reads a claimed row with its place in line.
pub(crate) fn lease(row: &dyn AnyRow, lease: Duration) -> Result<(i64, i64, Claimed), StoreError> {
    let cells = Cells::of(row, "jobs", "seq");
    let (seq, place) = (cells.get("seq")?, cells.get("place")?);
    let kind = cells.get::<&str>("kind").ok().and_then(JobKind::from_name);
    let payload = kind.and_then(|k| JobPayload::from_json(k, cells.get("payload").ok()?).ok());
    let (Some(kind), Some(payload)) = (kind, payload) else {
        let until_started = cells.opt::<&str>("dedupe_until")? == Some("started");
        let regains = cells.opt::<String>("dedupe_key")?.filter(|_| until_started);
        return Ok((seq, place, Claimed::Foreign { org: cells.get("org_id")?, regains }));
    };
    let claimed = match read_lease(&cells, kind, payload, lease) {
        Ok(lease) => Claimed::Lease(Box::new(lease)),
        Err(error) => Claimed::Corrupt(error),
    };
    Ok((seq, place, claimed))
}

fn read_lease(cells: &Cells<'_>, kind: JobKind, payload: JobPayload, lease: Duration) -> Result<Lease, StoreError> {
    let seq = cells.get("seq")?;
    let counters = counters(cells)?;
    let waited: i64 = cells.get("waited")?;
    Ok(Lease {
        job: LeaseRef { seq, fence: Fence::of(seq, counters.fence) },
        id: JobId::from_uuid(cells.get("id")?),
        scope: scope(cells)?,
        kind,
        payload,
        serial: cells.parse_opt("serial_key")?,
        deployment: cells.opt::<Uuid>("deployment_id")?.map(DeploymentId::from_uuid),
        revision: cells.opt::<Uuid>("revision_id")?.map(RevisionId::from_uuid),
        failures: counters.failures,
        losses: counters.losses,
        panics: counters.panics,
        snoozes: counters.snoozes,
        waited: Duration::from_micros(u64::try_from(waited).unwrap_or(0)),
        lease,
        cancel_asked: cells.flag("cancel_asked")?,
    })
}

pub(crate) fn scope(cells: &Cells<'_>) -> Result<Scope, StoreError> {
    match cells.get("org_id")? {
        "" => Ok(Scope::System),
        _ => Ok(Scope::Org(cells.parse::<OrgId>("org_id")?)),
    }
}

/// Reads a parked job.
pub(crate) fn parked(row: &dyn AnyRow) -> Result<ParkedJob, StoreError> {
    let cells = Cells::of(row, "jobs", "id");
    Ok(ParkedJob {
        id: JobId::from_uuid(cells.get("id")?),
        kind: cells.name("kind", JobKind::from_name)?,
        deployment: cells.opt::<Uuid>("deployment_id")?.map(DeploymentId::from_uuid),
        revision: cells.opt::<Uuid>("revision_id")?.map(RevisionId::from_uuid),
        error: cells.json_opt("last_error")?.unwrap_or_else(|| JobError::new("unknown", "")),
        parked_at: cells.time("place")?,
        failures: cells.int("failures")?,
        losses: cells.int("losses")?,
        panics: cells.int("panics")?,
    })
}

/// A count of jobs.
pub(crate) struct StatRow {
    pub(crate) lane: Lane,
    pub(crate) kind: JobKind,
    pub(crate) state: JobState,
    pub(crate) count: u64,
    pub(crate) oldest: i64,
}

impl StatRow {
    /// `None` for a kind of a newer release.
    pub(crate) fn read(row: &dyn AnyRow) -> Option<Self> {
        let cells = Cells::of(row, "jobs", "n");
        Some(Self {
            lane: cells.name("lane", Lane::from_name).ok()?,
            kind: cells.name("kind", JobKind::from_name).ok()?,
            state: cells.name("state", JobState::from_name).ok()?,
            count: cells.int("n").ok()?,
            oldest: cells.get("oldest").ok()?,
        })
    }
}
