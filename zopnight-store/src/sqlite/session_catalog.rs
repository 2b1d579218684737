//! The primitive statements on the catalog, one a method.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, query};
use uuid::Uuid;
use zopnight_core::domain::revision::{Cause, RevisionState};
use zopnight_core::domain::{
    AttemptId, AttemptPatch, BranchKey, BuildAttempt, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentSort, Event,
    EventQuery, Idempotency, IdempotencyRecord, IdempotencyRef, LogSource, LogTail, NewAttempt, NewRevision, OrgId,
    RevisionId, RevisionLog, RevisionMove, RevisionQuery, RevisionSort, RevisionView, RunOutcome, Settled, Timestamp,
    TrackedBranch,
};

use super::session::{Session, Statement};
use super::session_jobs::list;
use super::sql_catalog as sql;
use crate::error::StoreError;
use crate::row::{self, DeploymentRow, Snapshot};

type Done<T> = Result<T, StoreError>;

/// Where a cross-tenant page begins: after this id, or at the very beginning.
const FIRST: Uuid = Uuid::nil();

/// An event's row, in the order of the columns of the INSERT.
#[derive(Debug, Serialize)]
pub(crate) struct EventInsert<'a>(
    pub(crate) u64,
    pub(crate) &'static str,
    pub(crate) Option<String>,
    pub(crate) &'static str,
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) String,
);

pub(crate) fn json<T: Serialize>(value: &T) -> Done<String> {
    let text = serde_json::to_string(value);
    text.map_err(|e| zopnight_core::Error::internal("store.bind", "a value cannot be written").with_source(e).into())
}

fn big(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn hex(ids: impl IntoIterator<Item = Uuid>) -> Done<String> {
    list(&ids.into_iter().map(|id| id.simple().to_string()).collect::<Vec<_>>())
}

fn deployment_binds<'q>(statement: Statement<'q>, row: &'q DeploymentRow) -> Done<Statement<'q>> {
    let d = &row.deployment;
    Ok(statement
        .bind(d.org.as_str())
        .bind(d.id.as_uuid())
        .bind(d.name.as_str())
        .bind(d.source.forge.as_str())
        .bind(d.source.integration.as_str())
        .bind(big(d.source.repository.get()))
        .bind(d.source.owner.as_str())
        .bind(d.source.name.as_str())
        .bind(d.source.branch.as_str())
        .bind(d.source.root_path.as_str())
        .bind(d.source.auto_deploy)
        .bind(json(&d.build)?)
        .bind(json(&d.runtime)?)
        .bind(d.target.space.as_str())
        .bind(d.target.namespace.as_str())
        .bind(d.target.image_repository.as_str())
        .bind(d.config_version)
        .bind(big(d.version))
        .bind(d.newest_number.saturating_add(1))
        .bind(big(row.next_seq))
        .bind(d.current_revision.map(|r| r.as_uuid()))
        .bind(d.current_number)
        .bind(d.newest_revision.as_uuid())
        .bind(d.source_head.as_ref().map(|s| s.as_str()))
        .bind(d.skipped_head.as_ref().map(|s| s.as_str()))
        .bind(d.branch_mark.map(|m| m.as_str()))
        .bind(d.last_accepted_at.map(Timestamp::as_micros))
        .bind(d.deleting_at.map(Timestamp::as_micros))
        .bind(row.deleted_at.map(Timestamp::as_micros))
        .bind(d.created_at.as_micros())
        .bind(d.updated_at.as_micros()))
}

fn views(rows: &[SqliteRow]) -> Done<Vec<RevisionView>> {
    rows.iter().map(row::revision_view).collect()
}

impl Session {
    async fn number(&mut self, statement: Statement<'_>) -> Done<u64> {
        let n: i64 = self.row(statement).await?.map_or(Ok(0), |r| r.try_get("n"))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// Holds the org's counts still until the end of the transaction.
    pub(crate) async fn lock_org(&mut self, org: &OrgId) -> Done<()> {
        let now = self.now().await?.as_micros();
        self.exec(query(sql::LOCK_ORG).bind(org.as_str()).bind(now)).await?;
        Ok(())
    }

    /// The record of a repeated request, however old.
    pub(crate) async fn idempotency(&mut self, org: &OrgId, key: IdempotencyRef) -> Done<Option<IdempotencyRecord>> {
        let statement = query(sql::IDEMPOTENCY).bind(org.as_str());
        let row = self.row(statement.bind(key.scope_hash.to_vec()).bind(key.key_hash.to_vec())).await?;
        row.map(|r| row::idempotency(&r, key)).transpose()
    }

    /// Stores the record of a request, in the place of one that expired.
    pub(crate) async fn put_idempotency(
        &mut self,
        org: &OrgId,
        of: &Idempotency,
        deployment: DeploymentId,
        revision: Option<RevisionId>,
    ) -> Done<()> {
        let now = self.now().await?.as_micros();
        let statement = query(sql::PUT_IDEMPOTENCY)
            .bind(org.as_str())
            .bind(of.key.scope_hash.to_vec())
            .bind(of.key.key_hash.to_vec())
            .bind(of.request_digest.to_vec())
            .bind(deployment.as_uuid())
            .bind(revision.map(|r| r.as_uuid()))
            .bind(of.status)
            .bind(now);
        self.exec(statement).await?;
        Ok(())
    }

    /// A deployment's row, also one that is gone.
    pub(crate) async fn deployment_row(&mut self, org: &OrgId, id: DeploymentId) -> Done<Option<DeploymentRow>> {
        let row = self.row(query(sql::DEPLOYMENT).bind(org.as_str()).bind(id.as_uuid())).await?;
        row.as_ref().map(DeploymentRow::try_from).transpose()
    }

    /// How many revisions and events a live deployment has.
    pub(crate) async fn counts(&mut self, org: &OrgId, id: DeploymentId) -> Done<Option<(u64, u64)>> {
        let row = self.row(query(sql::COUNTS).bind(org.as_str()).bind(id.as_uuid())).await?;
        let below = |n: i64| u64::try_from(n.saturating_sub(1)).unwrap_or(0);
        row.map(|r| Ok((below(r.try_get("next_number")?), below(r.try_get("next_seq")?)))).transpose()
    }

    /// Whether a live deployment has this name.
    pub(crate) async fn name_taken(&mut self, org: &OrgId, name: &str) -> Done<bool> {
        Ok(self.number(query(sql::NAME_TAKEN).bind(org.as_str()).bind(name)).await? > 0)
    }

    /// Live deployments of an org.
    pub(crate) async fn count_deployments(&mut self, org: &OrgId) -> Done<u64> {
        self.number(query(sql::COUNT_DEPLOYMENTS).bind(org.as_str())).await
    }

    /// Stores a new deployment.
    pub(crate) async fn insert_deployment(&mut self, row: &DeploymentRow) -> Done<()> {
        self.exec(deployment_binds(query(sql::INSERT_DEPLOYMENT), row)?).await?;
        Ok(())
    }

    /// Writes a deployment's row back.
    pub(crate) async fn update_deployment(&mut self, row: &DeploymentRow) -> Done<()> {
        self.exec(deployment_binds(query(sql::UPDATE_DEPLOYMENT), row)?).await?;
        Ok(())
    }

    /// A page of live deployments and how many there are.
    pub(crate) async fn list_deployments(&mut self, org: &OrgId, q: &DeploymentQuery) -> Done<(Vec<DeploymentRow>, u64)> {
        fn filters<'q>(statement: Statement<'q>, org: &'q OrgId, q: &'q DeploymentQuery) -> Statement<'q> {
            statement
                .bind(org.as_str())
                .bind(q.name_contains.as_deref())
                .bind(q.integration.as_ref().map(|i| i.as_str()))
                .bind(q.repo.as_ref().map(|(owner, _)| owner.as_str()))
                .bind(q.repo.as_ref().map(|(_, name)| name.as_str()))
        }
        let page = match q.sort {
            DeploymentSort::CreatedDescending => sql::LIST_NEWEST,
            DeploymentSort::CreatedAscending => sql::LIST_OLDEST,
            DeploymentSort::NameAscending => sql::LIST_BY_NAME,
            DeploymentSort::NameDescending => sql::LIST_BY_NAME_BACKWARDS,
        };
        let total = self.number(filters(query(sql::COUNT_LISTED), org, q)).await?;
        let statement = filters(query(page), org, q).bind(q.page.limit).bind(big(q.page.offset()));
        let rows = self.rows(statement).await?;
        Ok((rows.iter().map(DeploymentRow::try_from).collect::<Done<_>>()?, total))
    }

    /// Revisions of an org by id, in any order, without attempts.
    pub(crate) async fn revisions_by_id(&mut self, org: &OrgId, ids: &[RevisionId]) -> Done<Vec<RevisionView>> {
        let ids = hex(ids.iter().map(RevisionId::as_uuid))?;
        views(&self.rows(query(sql::REVISIONS_BY_ID).bind(org.as_str()).bind(ids)).await?)
    }

    /// Stores a revision under its number.
    pub(crate) async fn insert_revision(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        number: u32,
        new: &NewRevision,
        events: u32,
    ) -> Done<()> {
        let now = self.now().await?.as_micros();
        let (delivery, to) = match &new.cause {
            Cause::Push { delivery } => (Some(delivery.as_str()), None),
            Cause::Rollback { to, to_number } => (None, Some((to.as_uuid(), to_number.get()))),
            _ => (None, None),
        };
        let snapshot = Snapshot { build: new.build.clone(), runtime: new.runtime.clone(), target: new.target.clone() };
        let statement = query(sql::INSERT_REVISION)
            .bind(org.as_str())
            .bind(new.id.as_uuid())
            .bind(deployment.as_uuid())
            .bind(number)
            .bind(new.state.as_str())
            .bind(events)
            .bind(new.cause.as_str())
            .bind(delivery)
            .bind(new.delivery_digest.map(|d| d.to_vec()))
            .bind(to.map(|(id, _)| id))
            .bind(to.map(|(_, number)| number))
            .bind(new.commit.sha.as_str())
            .bind(new.branch.as_str())
            .bind(new.commit.title.as_deref())
            .bind(new.commit.author.as_deref())
            .bind(new.actor.kind().as_str())
            .bind(new.actor.id())
            .bind(json(&snapshot)?)
            .bind(new.image.as_ref().map(ToString::to_string))
            .bind(now)
            .bind((new.state == RevisionState::Built).then_some(now));
        self.exec(statement).await?;
        Ok(())
    }

    /// The configuration of a revision.
    pub(crate) async fn snapshot(&mut self, org: &OrgId, id: RevisionId) -> Done<Option<Snapshot>> {
        let row = self.row(query(sql::SNAPSHOT).bind(org.as_str()).bind(id.as_uuid())).await?;
        row.map(|r| row::snapshot(&r, id)).transpose()
    }

    /// Compare-and-sets a revision; answers its number, or `None` where version or state are others.
    pub(crate) async fn move_revision(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        m: &RevisionMove,
        snapshot: Option<&Snapshot>,
    ) -> Done<Option<u32>> {
        let now = self.now().await?.as_micros();
        let statement = query(sql::MOVE_REVISION)
            .bind(org.as_str())
            .bind(deployment.as_uuid())
            .bind(m.id.as_uuid())
            .bind(big(m.version))
            .bind(m.from.as_str())
            .bind(m.to.as_str())
            .bind(m.patch.plan.as_ref().map(json).transpose()?)
            .bind(snapshot.map(json).transpose()?)
            .bind(m.patch.image.as_ref().map(ToString::to_string))
            .bind(m.patch.reason.as_ref().map(|r| r.code()))
            .bind(m.patch.reason.as_ref().map(|r| r.message()))
            .bind(m.patch.superseded_by.map(|r| r.as_uuid()))
            .bind(m.patch.rollout.as_ref().map(json).transpose()?)
            .bind(now);
        let row = self.row(statement).await?;
        Ok(row.map(|r| r.try_get("number")).transpose()?)
    }

    /// Revisions of a deployment that have not ended.
    pub(crate) async fn count_unfinished(&mut self, org: &OrgId, deployment: DeploymentId) -> Done<u64> {
        self.number(query(sql::COUNT_UNFINISHED).bind(org.as_str()).bind(deployment.as_uuid())).await
    }

    /// The same, by number, without attempts.
    pub(crate) async fn unfinished(&mut self, org: &OrgId, deployment: DeploymentId, limit: u32) -> Done<Vec<RevisionView>> {
        let statement = query(sql::UNFINISHED).bind(org.as_str()).bind(deployment.as_uuid()).bind(limit);
        views(&self.rows(statement).await?)
    }

    /// A page of a deployment's revisions, without attempts.
    pub(crate) async fn list_revisions(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        q: &RevisionQuery,
    ) -> Done<Vec<RevisionView>> {
        let page = match q.sort {
            RevisionSort::NumberDescending => sql::REVISIONS_NEWEST,
            RevisionSort::NumberAscending => sql::REVISIONS_OLDEST,
        };
        let state = q.state.map(RevisionState::as_str);
        let statement = query(page).bind(org.as_str()).bind(deployment.as_uuid()).bind(state);
        views(&self.rows(statement.bind(q.page.limit).bind(big(q.page.offset()))).await?)
    }

    /// Revisions of a deployment in a state.
    pub(crate) async fn count_revisions(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        state: RevisionState,
    ) -> Done<u64> {
        let statement = query(sql::COUNT_REVISIONS).bind(org.as_str()).bind(deployment.as_uuid());
        self.number(statement.bind(state.as_str())).await
    }

    /// Whether a revision is the deployment's.
    pub(crate) async fn has_revision(&mut self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Done<bool> {
        let statement = query(sql::HAS_REVISION).bind(org.as_str()).bind(deployment.as_uuid());
        Ok(self.number(statement.bind(id.as_uuid())).await? > 0)
    }

    /// Adds to a revision's count of events; answers the new count.
    pub(crate) async fn count_events_of(&mut self, org: &OrgId, revision: RevisionId, n: i64) -> Done<Option<i64>> {
        let row = self.row(query(sql::COUNT_EVENTS_OF).bind(org.as_str()).bind(revision.as_uuid()).bind(n)).await?;
        Ok(row.map(|r| r.try_get("event_count")).transpose()?)
    }

    /// Open attempts of an org.
    pub(crate) async fn open_slots(&mut self, org: &str) -> Done<u64> {
        self.number(query(sql::OPEN_SLOTS).bind(org)).await
    }

    /// Whether a revision of the deployment is queued or building.
    pub(crate) async fn awaits_build(&mut self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Done<bool> {
        let statement = query(sql::AWAITS_BUILD).bind(org.as_str()).bind(deployment.as_uuid());
        Ok(self.number(statement.bind(id.as_uuid())).await? > 0)
    }

    /// Stores an open attempt; `false` if its id or number is taken.
    pub(crate) async fn insert_attempt(&mut self, org: &OrgId, deployment: DeploymentId, new: &NewAttempt) -> Done<bool> {
        let now = self.now().await?.as_micros();
        let statement = query(sql::INSERT_ATTEMPT)
            .bind(org.as_str())
            .bind(new.jti.as_uuid())
            .bind(deployment.as_uuid())
            .bind(new.revision.as_uuid())
            .bind(new.number)
            .bind(new.image_repository.as_str())
            .bind(new.commit.as_str())
            .bind(new.deadline.as_micros())
            .bind(now);
        Ok(self.exec(statement).await? > 0)
    }

    /// Patches an attempt; `false` if it is not there, or closed and the patch is more than a refusal.
    pub(crate) async fn patch_attempt(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        jti: AttemptId,
        patch: &AttemptPatch,
    ) -> Done<bool> {
        let now = self.now().await?.as_micros();
        if patch.dispatch.is_some() || patch.run.is_some() {
            let statement = query(sql::PATCH_ATTEMPT)
                .bind(org.as_str())
                .bind(deployment.as_uuid())
                .bind(jti.as_uuid())
                .bind(patch.dispatch.map(|d| d.as_str()))
                .bind(patch.run.as_ref().map(|r| r.id.as_str()))
                .bind(patch.run.as_ref().map(|r| r.url.as_str()))
                .bind(now);
            if self.exec(statement).await? == 0 {
                return Ok(false);
            }
        }
        let Some(code) = patch.refusal else { return Ok(true) };
        let statement = query(sql::REFUSE_ATTEMPT).bind(org.as_str()).bind(deployment.as_uuid());
        Ok(self.exec(statement.bind(jti.as_uuid()).bind(code)).await? > 0)
    }

    /// Closes an open attempt; `false` if there is none.
    pub(crate) async fn close_attempt(
        &mut self,
        (org, deployment): (&OrgId, DeploymentId),
        jti: AttemptId,
        settled: Settled,
        outcome: Option<RunOutcome>,
        body_digest: Option<[u8; 32]>,
    ) -> Done<bool> {
        let now = self.now().await?.as_micros();
        let statement = query(sql::CLOSE_ATTEMPT)
            .bind(org.as_str())
            .bind(deployment.as_uuid())
            .bind(jti.as_uuid())
            .bind(settled.as_str())
            .bind(outcome.map(RunOutcome::as_str))
            .bind(body_digest.map(|d| d.to_vec()))
            .bind(now);
        Ok(self.exec(statement).await? > 0)
    }

    /// Closes the open attempts of a revision that left queued and building; answers how many.
    pub(crate) async fn end_attempts(&mut self, org: &OrgId, revision: RevisionId) -> Done<u64> {
        let now = self.now().await?.as_micros();
        self.exec(query(sql::END_ATTEMPTS).bind(org.as_str()).bind(revision.as_uuid()).bind(now)).await
    }

    /// The attempts of revisions, by revision and number.
    pub(crate) async fn attempts(&mut self, org: &OrgId, revisions: &[RevisionId]) -> Done<Vec<BuildAttempt>> {
        let ids = hex(revisions.iter().map(RevisionId::as_uuid))?;
        let rows = self.rows(query(sql::ATTEMPTS).bind(org.as_str()).bind(ids)).await?;
        rows.iter().map(row::attempt).collect()
    }

    /// Appends numbered events.
    pub(crate) async fn insert_events(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        events: &[EventInsert<'_>],
    ) -> Done<()> {
        let now = self.now().await?.as_micros();
        let statement = query(sql::INSERT_EVENTS).bind(org.as_str()).bind(deployment.as_uuid()).bind(now);
        self.exec(statement.bind(list(events)?)).await?;
        Ok(())
    }

    /// A page of events.
    pub(crate) async fn list_events(&mut self, org: &OrgId, deployment: DeploymentId, q: &EventQuery) -> Done<Vec<Event>> {
        let text = match (q.after, q.newest_first) {
            (Some(_), _) => sql::EVENTS_AFTER,
            (None, true) => sql::EVENTS_NEWEST,
            (None, false) => sql::EVENTS_OLDEST,
        };
        let statement = query(text).bind(org.as_str()).bind(deployment.as_uuid());
        let statement = match q.after {
            Some(after) => statement.bind(big(after)).bind(q.page.limit),
            None => statement.bind(q.page.limit).bind(big(q.page.offset())),
        };
        self.rows(statement).await?.iter().map(row::event).collect()
    }

    /// Replaces a log tail.
    pub(crate) async fn put_log(&mut self, org: &OrgId, deployment: DeploymentId, log: &RevisionLog) -> Done<()> {
        let now = self.now().await?.as_micros();
        let statement = query(sql::PUT_LOG)
            .bind(org.as_str())
            .bind(log.revision.as_uuid())
            .bind(log.source.as_str())
            .bind(deployment.as_uuid())
            .bind(json(&log.tail.lines)?)
            .bind(log.tail.truncated)
            .bind(log.tail.complete)
            .bind(now);
        self.exec(statement).await?;
        Ok(())
    }

    /// A log tail.
    pub(crate) async fn log(&mut self, org: &OrgId, revision: RevisionId, source: LogSource) -> Done<Option<LogTail>> {
        let statement = query(sql::LOG).bind(org.as_str()).bind(revision.as_uuid()).bind(source.as_str());
        self.row(statement).await?.map(|r| row::log_tail(&r)).transpose()
    }

    /// Who follows a branch, after a deployment.
    pub(crate) async fn following(&mut self, key: &BranchKey, after: Option<&DeploymentRef>) -> Done<Vec<DeploymentRef>> {
        let statement = query(sql::FOLLOWING)
            .bind(big(key.repository.get()))
            .bind(key.forge.as_str())
            .bind(key.branch.as_str())
            .bind(after.map_or("", |a| a.org.as_str()))
            .bind(after.map_or(FIRST, |a| a.id.as_uuid()));
        self.rows(statement).await?.iter().map(row::deployment_ref).collect()
    }

    /// Tracked branches, after a deployment.
    pub(crate) async fn tracked(&mut self, after: Option<&DeploymentRef>) -> Done<Vec<TrackedBranch>> {
        let statement =
            query(sql::TRACKED).bind(after.map_or("", |a| a.org.as_str())).bind(after.map_or(FIRST, |a| a.id.as_uuid()));
        self.rows(statement).await?.iter().map(row::tracked).collect()
    }

    /// Stalled revisions, after one of them.
    pub(crate) async fn stalled(
        &mut self,
        unchanged_since: Timestamp,
        after: Option<&(DeploymentRef, RevisionId)>,
    ) -> Done<Vec<(DeploymentRef, RevisionId, RevisionState)>> {
        let statement = query(sql::STALLED)
            .bind(unchanged_since.as_micros())
            .bind(after.map_or("", |(d, _)| d.org.as_str()))
            .bind(after.map_or(FIRST, |(d, _)| d.id.as_uuid()))
            .bind(after.map_or(FIRST, |(_, r)| r.as_uuid()));
        self.rows(statement).await?.iter().map(row::stalled).collect()
    }

    /// Deletes one deployment that went before `cutoff`, with all that is its; answers how many rows.
    pub(crate) async fn purge_deployment(&mut self, cutoff: Timestamp) -> Done<u64> {
        let Some(row) = self.row(query(sql::PURGEABLE).bind(cutoff.as_micros())).await? else { return Ok(0) };
        let (org, id): (String, Uuid) = (row.try_get("org_id")?, row.try_get("id")?);
        let parts = [sql::PURGE_LOGS, sql::PURGE_ATTEMPTS, sql::PURGE_REVISIONS, sql::PURGE_EVENTS, sql::PURGE_DEPLOYMENT];
        let mut purged = 0_u64;
        for part in parts {
            purged = purged.saturating_add(self.exec(query(part).bind(&org).bind(id)).await?);
        }
        Ok(purged)
    }
}
