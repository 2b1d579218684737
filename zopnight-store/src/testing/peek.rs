//! The raw rows of a store, for the invariants of the conformance suites.

use async_trait::async_trait;
use uuid::Uuid;
use zopnight_core::Result;
use zopnight_core::domain::job_state::Counters;
use zopnight_core::domain::revision::RevisionState;
use zopnight_core::domain::{AttemptId, Dedupe, DedupeUntil, DeploymentId, EventKind, JobId, JobKind, JobState, RevisionId};
use zopnight_core::testing::peek::{AttemptPeek, BlockedOn, DeploymentPeek, EventPeek, JobPeek, Peek, RevisionPeek};

use super::Instrumented;
use crate::database::{Database, Pools, Sql};
use crate::error::StoreError;
use crate::row::{Cells, scope};

/// A statement without parameters.
const fn plain(text: &'static str) -> Sql {
    Sql { text, order: &[] }
}

const JOBS: Sql = plain(
    "SELECT seq, id, org_id, kind, state, place, fence, failures, losses, panics, snoozes, cancel_asked,
    blocked_on, dedupe_key, dedupe_until, serial_key, revision_id, last_error FROM zopnight_jobs ORDER BY seq",
);

const DEPLOYMENTS: Sql = plain(
    "SELECT org_id, id, version, current_number, next_number FROM zopnight_deployments
    WHERE deleted_at IS NULL",
);

const REVISIONS: Sql =
    plain("SELECT org_id, deployment_id, id, number, state, version, finished_at FROM zopnight_revisions");

const ATTEMPTS: Sql = plain("SELECT org_id, revision_id, jti, number, closed_at FROM zopnight_build_attempts");

const EVENTS: Sql = plain(
    "SELECT org_id, deployment_id, seq, kind, revision_id FROM zopnight_events
    ORDER BY org_id, deployment_id, seq",
);

pub(super) mod sealed {
    /// Implemented by the stores of this crate.
    pub trait Sealed {}
}

/// A store's rows behind its ports.
#[async_trait]
pub trait Raw: sealed::Sealed + Send + Sync {
    /// All rows, of every tenant, in one snapshot.
    async fn raw(&self) -> Result<Peek>;
}

/// All rows of a store, of every tenant, in one snapshot.
///
/// # Errors
/// `Unavailable`; `Internal` for a row that does not decode.
pub async fn peek<S: Instrumented>(store: &S) -> Result<Peek> {
    store.raw().await
}

pub(super) async fn read<D: Database>(pools: &Pools<D>) -> std::result::Result<Peek, StoreError> {
    let mut tx = D::begin_read(pools.readers()).await?;
    let peek = rows_of::<D>(&mut tx).await;
    D::roll_back(tx).await?;
    peek
}

async fn rows_of<D: Database>(tx: &mut D::Tx) -> std::result::Result<Peek, StoreError> {
    let mut peek = Peek::default();
    for row in D::fetch(tx, JOBS, &[]).await? {
        peek.jobs.push(job(&Cells::of(&row, "jobs", "seq"))?);
    }
    for row in D::fetch(tx, DEPLOYMENTS, &[]).await? {
        let c = Cells::of(&row, "deployments", "id");
        peek.deployments.push(DeploymentPeek {
            org: c.parse("org_id")?,
            id: DeploymentId::from_uuid(c.get("id")?),
            version: c.int("version")?,
            current_number: c.int("current_number")?,
            newest_number: c.int::<u32>("next_number")?.saturating_sub(1),
        });
    }
    for row in D::fetch(tx, REVISIONS, &[]).await? {
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
    for row in D::fetch(tx, ATTEMPTS, &[]).await? {
        let c = Cells::of(&row, "build_attempts", "jti");
        peek.attempts.push(AttemptPeek {
            org: c.parse("org_id")?,
            revision: RevisionId::from_uuid(c.get("revision_id")?),
            jti: AttemptId::from_uuid(c.get("jti")?),
            number: c.int("number")?,
            open: c.time_opt("closed_at")?.is_none(),
        });
    }
    for row in D::fetch(tx, EVENTS, &[]).await? {
        let c = Cells::of(&row, "events", "seq");
        peek.events.push(EventPeek {
            org: c.parse("org_id")?,
            deployment: DeploymentId::from_uuid(c.get("deployment_id")?),
            seq: c.int("seq")?,
            kind: c.name("kind", EventKind::from_name)?,
            revision: c.opt::<Uuid>("revision_id")?.map(RevisionId::from_uuid),
        });
    }
    for row in D::fetch(tx, plain("SELECT COUNT(*) AS n FROM zopnight_idempotency"), &[]).await? {
        peek.idempotency = Cells::of(&row, "idempotency", "n").int("n")?;
    }
    Ok(peek)
}

fn job(c: &Cells<'_>) -> std::result::Result<JobPeek, StoreError> {
    let until = match c.opt::<&str>("dedupe_until")? {
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
        revision: c.opt::<Uuid>("revision_id")?.map(RevisionId::from_uuid),
        last_error: c.json_opt("last_error")?,
    })
}
