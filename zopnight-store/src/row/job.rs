//! Rows of jobs.

use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use uuid::Uuid;
use zopnight_core::domain::job_state::Counters;
use zopnight_core::domain::{
    DeploymentId, Fence, JobError, JobId, JobKind, JobPayload, JobState, Lane, Lease, LeaseRef, OrgId, ParkedJob,
    RevisionId, Scope,
};

use super::Cells;
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
    pub(crate) serial: Option<String>,
}

impl TryFrom<&SqliteRow> for JobBrief {
    type Error = StoreError;

    fn try_from(row: &SqliteRow) -> Result<Self, StoreError> {
        let cells = Cells::of(row, "jobs", "seq");
        Ok(Self {
            seq: cells.get("seq")?,
            org: cells.get("org_id")?,
            lane: cells.name("lane", Lane::from_name)?,
            state: cells.name("state", JobState::from_name)?,
            counters: counters(&cells)?,
            cancel_asked: cells.flag("cancel_asked")?,
            until_started: cells.get::<Option<&str>>("dedupe_until")? == Some("started"),
            serial: cells.get("serial_key")?,
        })
    }
}

impl JobBrief {
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
    /// Kind or payload of a release that this one does not know.
    Foreign,
    Corrupt(StoreError),
}

/// Reads a claimed row with its place in line.
pub(crate) fn lease(row: &SqliteRow, lease: Duration) -> Result<(i64, i64, Claimed), StoreError> {
    let cells = Cells::of(row, "jobs", "seq");
    let (seq, place) = (cells.get("seq")?, cells.get("place")?);
    let kind = cells.get::<&str>("kind").ok().and_then(JobKind::from_name);
    let payload = kind.and_then(|k| JobPayload::from_json(k, cells.get("payload").ok()?).ok());
    let (Some(kind), Some(payload)) = (kind, payload) else { return Ok((seq, place, Claimed::Foreign)) };
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
        deployment: cells.get::<Option<Uuid>>("deployment_id")?.map(DeploymentId::from_uuid),
        revision: cells.get::<Option<Uuid>>("revision_id")?.map(RevisionId::from_uuid),
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
pub(crate) fn parked(row: &SqliteRow) -> Result<ParkedJob, StoreError> {
    let cells = Cells::of(row, "jobs", "id");
    Ok(ParkedJob {
        id: JobId::from_uuid(cells.get("id")?),
        kind: cells.name("kind", JobKind::from_name)?,
        deployment: cells.get::<Option<Uuid>>("deployment_id")?.map(DeploymentId::from_uuid),
        revision: cells.get::<Option<Uuid>>("revision_id")?.map(RevisionId::from_uuid),
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
    pub(crate) fn read(row: &SqliteRow) -> Option<Self> {
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
