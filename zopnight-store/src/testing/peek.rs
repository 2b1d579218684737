//! The raw rows of a store, for the invariants of the conformance suites.

use sqlx::{Row as _, query};
use uuid::Uuid;
use zopnight_core::Result;
use zopnight_core::domain::job_state::Counters;
use zopnight_core::domain::revision::RevisionState;
use zopnight_core::domain::{AttemptId, Dedupe, DedupeUntil, DeploymentId, EventKind, JobId, JobKind, JobState, RevisionId};
use zopnight_core::testing::peek::{AttemptPeek, BlockedOn, DeploymentPeek, EventPeek, JobPeek, Peek, RevisionPeek};

use crate::error::StoreError;
use crate::row::{Cells, scope};
use crate::sqlite::SqliteStore;

const JOBS: &str = "SELECT seq, id, org_id, kind, state, place, fence, failures, losses, panics, snoozes, cancel_asked,
    blocked_on, dedupe_key, dedupe_until, serial_key, revision_id, last_error FROM zopnight_jobs ORDER BY seq";

const DEPLOYMENTS: &str = "SELECT org_id, id, version, current_number, next_number FROM zopnight_deployments
    WHERE deleted_at IS NULL";

const REVISIONS: &str = "SELECT org_id, deployment_id, id, number, state, version, finished_at FROM zopnight_revisions";

const ATTEMPTS: &str = "SELECT org_id, revision_id, jti, number, closed_at FROM zopnight_build_attempts";

const EVENTS: &str = "SELECT org_id, deployment_id, seq, kind, revision_id FROM zopnight_events
    ORDER BY org_id, deployment_id, seq";

/// All rows of a store, of every tenant, in one snapshot.
///
/// # Errors
/// `Unavailable`; `Internal` for a row that does not decode.
pub async fn peek(store: &SqliteStore) -> Result<Peek> {
    read(store).await.map_err(|e| e.into_core("testing.peek"))
}

async fn read(store: &SqliteStore) -> std::result::Result<Peek, StoreError> {
    let mut tx = store.pools.readers().begin().await?;
    let mut peek = Peek::default();
    for row in query(JOBS).fetch_all(&mut *tx).await? {
        peek.jobs.push(job(&Cells::of(&row, "jobs", "seq"))?);
    }
    for row in query(DEPLOYMENTS).fetch_all(&mut *tx).await? {
        let c = Cells::of(&row, "deployments", "id");
        peek.deployments.push(DeploymentPeek {
            org: c.parse("org_id")?,
            id: DeploymentId::from_uuid(c.get("id")?),
            version: c.int("version")?,
            current_number: c.int("current_number")?,
            newest_number: c.int::<u32>("next_number")?.saturating_sub(1),
        });
    }
    for row in query(REVISIONS).fetch_all(&mut *tx).await? {
        let c = Cells::of(&row, "revisions", "id");
        peek.revisions.push(RevisionPeek {
            org: c.parse("org_id")?,
            deployment: DeploymentId::from_uuid(c.get("deployment_id")?),
            id: RevisionId::from_uuid(c.get("id")?),
            number: c.int("number")?,
            state: c.name("state", RevisionState::from_name)?,
            version: c.int("version")?,
            finished: c.time_opt("finished_at")?.is_some(),
        });
    }
    for row in query(ATTEMPTS).fetch_all(&mut *tx).await? {
        let c = Cells::of(&row, "build_attempts", "jti");
        peek.attempts.push(AttemptPeek {
            org: c.parse("org_id")?,
            revision: RevisionId::from_uuid(c.get("revision_id")?),
            jti: AttemptId::from_uuid(c.get("jti")?),
            number: c.int("number")?,
            open: c.time_opt("closed_at")?.is_none(),
        });
    }
    for row in query(EVENTS).fetch_all(&mut *tx).await? {
        let c = Cells::of(&row, "events", "seq");
        peek.events.push(EventPeek {
            org: c.parse("org_id")?,
            deployment: DeploymentId::from_uuid(c.get("deployment_id")?),
            seq: c.int("seq")?,
            kind: c.name("kind", EventKind::from_name)?,
            revision: c.get::<Option<Uuid>>("revision_id")?.map(RevisionId::from_uuid),
        });
    }
    let count: i64 = query("SELECT COUNT(*) AS n FROM zopnight_idempotency").fetch_one(&mut *tx).await?.try_get("n")?;
    peek.idempotency = usize::try_from(count).unwrap_or(0);
    Ok(peek)
}

fn job(c: &Cells<'_>) -> std::result::Result<JobPeek, StoreError> {
    let until = match c.get::<Option<&str>>("dedupe_until")? {
        Some("started") => DedupeUntil::Started,
        _ => DedupeUntil::Finished,
    };
    let blocked = |name: &str| match name {
        "serial" => Some(BlockedOn::Serial),
        "slot" => Some(BlockedOn::Slot),
        _ => None,
    };
    Ok(JobPeek {
        seq: c.get("seq")?,
        id: JobId::from_uuid(c.get("id")?),
        scope: scope(c)?,
        kind: c.name("kind", JobKind::from_name)?,
        state: c.name("state", JobState::from_name)?,
        place: c.get("place")?,
        counters: Counters {
            fence: c.int("fence")?,
            failures: c.int("failures")?,
            losses: c.int("losses")?,
            panics: c.int("panics")?,
            snoozes: c.int("snoozes")?,
        },
        cancel_asked: c.flag("cancel_asked")?,
        blocked_on: c.name_opt("blocked_on", blocked)?,
        dedupe: c.parse_opt("dedupe_key")?.map(|key| Dedupe { key, until }),
        serial: c.parse_opt("serial_key")?,
        revision: c.get::<Option<Uuid>>("revision_id")?.map(RevisionId::from_uuid),
        last_error: c.json_opt("last_error")?,
    })
}

/// How to break a job's row by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its kind is one of a later release.
    UnknownKind,
    /// Its payload is of a later version.
    NewerPayload,
    /// Its serial key does not decode.
    BadSerialKey,
    /// It waits for a serial key that nobody holds.
    Orphan,
}

/// Breaks a job's row, for the cases that no port can bring about.
///
/// # Errors
/// `Unavailable`.
pub async fn damage(store: &SqliteStore, job: JobId, damage: Damage) -> Result<()> {
    let statement = match damage {
        Damage::UnknownKind => "UPDATE zopnight_jobs SET kind = 'paint' WHERE id = ?1",
        Damage::NewerPayload => "UPDATE zopnight_jobs SET payload = '{\"v\":99}' WHERE id = ?1",
        Damage::BadSerialKey => "UPDATE zopnight_jobs SET serial_key = 'not a key' WHERE id = ?1",
        Damage::Orphan => "UPDATE zopnight_jobs SET state = 'blocked', place = 0, blocked_on = 'serial' WHERE id = ?1",
    };
    let done = query(statement).bind(job.as_uuid()).execute(store.pools.writer()).await;
    done.map(|_| ()).map_err(|e| StoreError::from(e).into_core("testing.damage"))
}
