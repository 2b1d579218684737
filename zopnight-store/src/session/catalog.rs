//! The primitive statements on the catalog, one a method.

use serde::Serialize;
use uuid::Uuid;
use zopnight_core::domain::revision::{Cause, RevisionState};
use zopnight_core::domain::{
    AttemptId, AttemptPatch, BranchKey, BuildAttempt, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentSort, Event,
    EventQuery, Idempotency, IdempotencyRecord, IdempotencyRef, LogSource, LogTail, NewAttempt, NewRevision, OrgId,
    RevisionId, RevisionLog, RevisionMove, RevisionQuery, RevisionSort, RevisionView, RunOutcome, Settled, Timestamp,
    TrackedBranch,
};

use super::{Session, list};
use crate::database::{AnyRow, Database, Sql, binds};
use crate::error::StoreError;
use crate::row::{self, Cells, DeploymentRow, Snapshot};

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

fn views<R: AnyRow>(rows: &[R]) -> Done<Vec<RevisionView>> {
    rows.iter().map(|r| row::revision_view(r)).collect()
}

impl<D: Database> Session<D> {
    async fn number(&mut self, sql: Sql, binds: &[crate::database::Bind<'_>]) -> Done<u64> {
        let row = self.row(sql, binds).await?;
        let n: i64 = row.map_or(Ok(0), |r| Cells::of(&r, "counts", "n").get("n"))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// Holds the org's counts still until the end of the transaction.
    pub(crate) async fn lock_org(&mut self, org: &str) -> Done<()> {
        if D::EXCLUSIVE || self.row(D::CATALOG.lock_org, binds![org]).await?.is_some() {
            return Ok(());
        }
        let now = self.now().await?.as_micros();
        self.exec(D::CATALOG.make_org, binds![org, now]).await?;
        self.row(D::CATALOG.lock_org, binds![org]).await?;
        Ok(())
    }

    /// The record of a repeated request, however old.
    pub(crate) async fn idempotency(&mut self, org: &OrgId, key: IdempotencyRef) -> Done<Option<IdempotencyRecord>> {
        let row = self.row(D::CATALOG.idempotency, binds![org.as_str(), &key.scope_hash, &key.key_hash]).await?;
        row.map(|r| row::idempotency(&r, key)).transpose()
    }

    /// Stores the record of a request, in the place of `expired` if there is one. Whoever comes second at the same moment is
    /// run again.
    pub(crate) async fn put_idempotency(
        &mut self,
        org: &OrgId,
        of: &Idempotency,
        deployment: DeploymentId,
        revision: Option<RevisionId>,
        expired: Option<Timestamp>,
    ) -> Done<()> {
        let now = self.now().await?.as_micros();
        let sql = if expired.is_some() { D::CATALOG.replace_idempotency } else { D::CATALOG.put_idempotency };
        let values = [
            org.as_str().into(),
            (&of.key.scope_hash).into(),
            (&of.key.key_hash).into(),
            (&of.request_digest).into(),
            deployment.as_uuid().into(),
            revision.map(|r| r.as_uuid()).into(),
            of.status.into(),
            now.into(),
            expired.map(Timestamp::as_micros).into(),
        ];
        let used = if expired.is_some() { values.as_slice() } else { values.get(..8).unwrap_or_default() };
        if self.exec(sql, used).await? == 0 { Err(StoreError::Raced) } else { Ok(()) }
    }

    /// A deployment's row, also one that is gone.
    pub(crate) async fn deployment_row(&mut self, org: &OrgId, id: DeploymentId) -> Done<Option<DeploymentRow>> {
        let row = self.row(D::CATALOG.deployment, binds![org.as_str(), id.as_uuid()]).await?;
        row.as_ref().map(|r| DeploymentRow::read(r)).transpose()
    }

    /// The same, held until the end of the transaction.
    pub(crate) async fn lock_deployment(&mut self, org: &OrgId, id: DeploymentId) -> Done<Option<DeploymentRow>> {
        let row = self.row(D::CATALOG.lock_deployment, binds![org.as_str(), id.as_uuid()]).await?;
        if !D::EXCLUSIVE {
            self.now_later();
        }
        row.as_ref().map(|r| DeploymentRow::read(r)).transpose()
    }

    /// How many revisions and events a live deployment has.
    pub(crate) async fn counts(&mut self, org: &OrgId, id: DeploymentId) -> Done<Option<(u64, u64)>> {
        let row = self.row(D::CATALOG.counts, binds![org.as_str(), id.as_uuid()]).await?;
        let below = |n: i64| u64::try_from(n.saturating_sub(1)).unwrap_or(0);
        let read = |r: D::Row| {
            let c = Cells::of(&r, "deployments", "next_number");
            Ok((below(c.get("next_number")?), below(c.get("next_seq")?)))
        };
        row.map(read).transpose()
    }

    /// Whether a live deployment has this name.
    pub(crate) async fn name_taken(&mut self, org: &OrgId, name: &str) -> Done<bool> {
        Ok(self.number(D::CATALOG.name_taken, binds![org.as_str(), name]).await? > 0)
    }

    /// Live deployments of an org.
    pub(crate) async fn count_deployments(&mut self, org: &OrgId) -> Done<u64> {
        self.number(D::CATALOG.count_deployments, binds![org.as_str()]).await
    }

    /// Stores a new deployment.
    pub(crate) async fn insert_deployment(&mut self, row: &DeploymentRow) -> Done<()> {
        self.write_deployment(D::CATALOG.insert_deployment, row).await
    }

    /// Writes a deployment's row back.
    pub(crate) async fn update_deployment(&mut self, row: &DeploymentRow) -> Done<()> {
        self.write_deployment(D::CATALOG.update_deployment, row).await
    }

    async fn write_deployment(&mut self, sql: Sql, row: &DeploymentRow) -> Done<()> {
        let d = &row.deployment;
        let (build, runtime) = (json(&d.build)?, json(&d.runtime)?);
        let values = binds![
            d.org.as_str(),
            d.id.as_uuid(),
            d.name.as_str(),
            d.source.forge.as_str(),
            d.source.integration.as_str(),
            big(d.source.repository.get()),
            d.source.owner.as_str(),
            d.source.name.as_str(),
            d.source.branch.as_str(),
            d.source.root_path.as_str(),
            d.source.auto_deploy,
            &build,
            &runtime,
            d.target.space.as_str(),
            d.target.namespace.as_str(),
            d.target.image_repository.as_str(),
            d.config_version,
            big(d.version),
            d.newest_number.saturating_add(1),
            big(row.next_seq),
            d.current_revision.map(|r| r.as_uuid()),
            d.current_number,
            d.newest_revision.as_uuid(),
            d.source_head.as_ref().map(|s| s.as_str()),
            d.skipped_head.as_ref().map(|s| s.as_str()),
            d.branch_mark.map(|m| m.as_str()),
            d.last_accepted_at.map(Timestamp::as_micros),
            d.deleting_at.map(Timestamp::as_micros),
            row.deleted_at.map(Timestamp::as_micros),
            d.created_at.as_micros(),
            d.updated_at.as_micros(),
        ];
        self.exec(sql, values).await?;
        Ok(())
    }

    /// A page of live deployments and how many there are.
    pub(crate) async fn list_deployments(&mut self, org: &OrgId, q: &DeploymentQuery) -> Done<(Vec<DeploymentRow>, u64)> {
        let page = match q.sort {
            DeploymentSort::CreatedDescending => D::CATALOG.list_newest,
            DeploymentSort::CreatedAscending => D::CATALOG.list_oldest,
            DeploymentSort::NameAscending => D::CATALOG.list_by_name,
            DeploymentSort::NameDescending => D::CATALOG.list_by_name_backwards,
        };
        let values = binds![
            org.as_str(),
            q.name_contains.as_deref(),
            q.integration.as_ref().map(|i| i.as_str()),
            q.repo.as_ref().map(|(owner, _)| owner.as_str()),
            q.repo.as_ref().map(|(_, name)| name.as_str()),
            q.page.limit,
            big(q.page.offset()),
        ];
        let total = self.number(D::CATALOG.count_listed, values.get(..5).unwrap_or_default()).await?;
        let rows = self.rows(page, values).await?;
        Ok((rows.iter().map(|r| DeploymentRow::read(r)).collect::<Done<_>>()?, total))
    }

    /// Revisions of an org by id, in any order, without attempts.
    pub(crate) async fn revisions_by_id(&mut self, org: &OrgId, ids: &[RevisionId]) -> Done<Vec<RevisionView>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = hex(ids.iter().map(RevisionId::as_uuid))?;
        views(&self.rows(D::CATALOG.revisions_by_id, binds![org.as_str(), &ids]).await?)
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
        let snapshot =
            json(&Snapshot { build: new.build.clone(), runtime: new.runtime.clone(), target: new.target.clone() })?;
        let image = new.image.as_ref().map(ToString::to_string);
        let values = binds![
            org.as_str(),
            new.id.as_uuid(),
            deployment.as_uuid(),
            number,
            new.state.as_str(),
            events,
            new.cause.as_str(),
            delivery,
            new.delivery_digest.as_ref(),
            to.map(|(id, _)| id),
            to.map(|(_, number)| number),
            new.commit.sha.as_str(),
            new.branch.as_str(),
            new.commit.title.as_deref(),
            new.commit.author.as_deref(),
            new.actor.kind().as_str(),
            new.actor.id(),
            &snapshot,
            image.as_deref(),
            now,
            (new.state == RevisionState::Built).then_some(now),
        ];
        self.exec(D::CATALOG.insert_revision, values).await?;
        Ok(())
    }

    /// The configuration of a revision.
    pub(crate) async fn snapshot(&mut self, org: &OrgId, id: RevisionId) -> Done<Option<Snapshot>> {
        let row = self.row(D::CATALOG.snapshot, binds![org.as_str(), id.as_uuid()]).await?;
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
        let (plan, rollout) =
            (m.patch.plan.as_ref().map(json).transpose()?, m.patch.rollout.as_ref().map(json).transpose()?);
        let (snapshot, image) = (snapshot.map(json).transpose()?, m.patch.image.as_ref().map(ToString::to_string));
        let values = binds![
            org.as_str(),
            deployment.as_uuid(),
            m.id.as_uuid(),
            big(m.version),
            m.from.as_str(),
            m.to.as_str(),
            plan.as_deref(),
            snapshot.as_deref(),
            image.as_deref(),
            m.patch.reason.as_ref().map(|r| r.code()),
            m.patch.reason.as_ref().map(|r| r.message()),
            m.patch.superseded_by.map(|r| r.as_uuid()),
            rollout.as_deref(),
            now,
        ];
        let row = if D::RETURNING {
            self.row(D::CATALOG.move_revision, values).await?
        } else if self.exec(D::CATALOG.move_revision, values).await? == 0 {
            None
        } else {
            self.row(D::CATALOG.number_of, binds![org.as_str(), m.id.as_uuid()]).await?
        };
        row.map(|r| Cells::of(&r, "revisions", "number").int("number")).transpose()
    }

    /// Revisions of a deployment that have not ended.
    pub(crate) async fn count_unfinished(&mut self, org: &OrgId, deployment: DeploymentId) -> Done<u64> {
        self.number(D::CATALOG.count_unfinished, binds![org.as_str(), deployment.as_uuid()]).await
    }

    /// The same, by number, without attempts.
    pub(crate) async fn unfinished(&mut self, org: &OrgId, deployment: DeploymentId, limit: u32) -> Done<Vec<RevisionView>> {
        views(&self.rows(D::CATALOG.unfinished, binds![org.as_str(), deployment.as_uuid(), limit]).await?)
    }

    /// A page of a deployment's revisions, without attempts.
    pub(crate) async fn list_revisions(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        q: &RevisionQuery,
    ) -> Done<Vec<RevisionView>> {
        let page = match q.sort {
            RevisionSort::NumberDescending => D::CATALOG.revisions_newest,
            RevisionSort::NumberAscending => D::CATALOG.revisions_oldest,
        };
        let state = q.state.map(RevisionState::as_str);
        let values = binds![org.as_str(), deployment.as_uuid(), state, q.page.limit, big(q.page.offset())];
        views(&self.rows(page, values).await?)
    }

    /// Revisions of a deployment in a state.
    pub(crate) async fn count_revisions(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        state: RevisionState,
    ) -> Done<u64> {
        self.number(D::CATALOG.count_revisions, binds![org.as_str(), deployment.as_uuid(), state.as_str()]).await
    }

    /// Whether a revision is the deployment's.
    pub(crate) async fn has_revision(&mut self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Done<bool> {
        Ok(self.number(D::CATALOG.has_revision, binds![org.as_str(), deployment.as_uuid(), id.as_uuid()]).await? > 0)
    }

    /// Adds to a revision's count of events; answers the new count.
    pub(crate) async fn count_events_of(&mut self, org: &OrgId, revision: RevisionId, n: i64) -> Done<Option<i64>> {
        let values = binds![org.as_str(), revision.as_uuid(), n];
        let row = if D::RETURNING {
            self.row(D::CATALOG.count_events_of, values).await?
        } else {
            self.exec(D::CATALOG.count_events_of, values).await?;
            self.row(D::CATALOG.event_count, binds![org.as_str(), revision.as_uuid()]).await?
        };
        row.map(|r| Cells::of(&r, "revisions", "event_count").get("event_count")).transpose()
    }

    /// Open attempts of an org.
    pub(crate) async fn open_slots(&mut self, org: &str) -> Done<u64> {
        self.number(D::CATALOG.open_slots, binds![org]).await
    }

    /// Whether a revision of the deployment is queued or building.
    pub(crate) async fn awaits_build(&mut self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Done<bool> {
        Ok(self.number(D::CATALOG.awaits_build, binds![org.as_str(), deployment.as_uuid(), id.as_uuid()]).await? > 0)
    }

    /// Stores an open attempt; `false` if its id or number is taken.
    pub(crate) async fn insert_attempt(&mut self, org: &OrgId, deployment: DeploymentId, new: &NewAttempt) -> Done<bool> {
        let now = self.now().await?.as_micros();
        let values = binds![
            org.as_str(),
            new.jti.as_uuid(),
            deployment.as_uuid(),
            new.revision.as_uuid(),
            new.number,
            new.image_repository.as_str(),
            new.commit.as_str(),
            new.deadline.as_micros(),
            now,
        ];
        Ok(self.exec(D::CATALOG.insert_attempt, values).await? > 0)
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
            let values = binds![
                org.as_str(),
                deployment.as_uuid(),
                jti.as_uuid(),
                patch.dispatch.map(|d| d.as_str()),
                patch.run.as_ref().map(|r| r.id.as_str()),
                patch.run.as_ref().map(|r| r.url.as_str()),
                now,
            ];
            if self.exec(D::CATALOG.patch_attempt, values).await? == 0 {
                return Ok(false);
            }
        }
        let Some(code) = patch.refusal else { return Ok(true) };
        let values = binds![org.as_str(), deployment.as_uuid(), jti.as_uuid(), code];
        Ok(self.exec(D::CATALOG.refuse_attempt, values).await? > 0)
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
        let values = binds![
            org.as_str(),
            deployment.as_uuid(),
            jti.as_uuid(),
            settled.as_str(),
            outcome.map(RunOutcome::as_str),
            body_digest.as_ref(),
            now,
        ];
        Ok(self.exec(D::CATALOG.close_attempt, values).await? > 0)
    }

    /// Closes the open attempts of a revision that left queued and building; answers how many.
    pub(crate) async fn end_attempts(&mut self, org: &OrgId, revision: RevisionId) -> Done<u64> {
        let now = self.now().await?.as_micros();
        self.exec(D::CATALOG.end_attempts, binds![org.as_str(), revision.as_uuid(), now]).await
    }

    /// The attempts of revisions, by revision and number.
    pub(crate) async fn attempts(&mut self, org: &OrgId, revisions: &[RevisionId]) -> Done<Vec<BuildAttempt>> {
        let ids = hex(revisions.iter().map(RevisionId::as_uuid))?;
        let rows = self.rows(D::CATALOG.attempts, binds![org.as_str(), &ids]).await?;
        rows.iter().map(|r| row::attempt(r)).collect()
    }

    /// Appends numbered events.
    pub(crate) async fn insert_events(
        &mut self,
        org: &OrgId,
        deployment: DeploymentId,
        events: &[EventInsert<'_>],
    ) -> Done<()> {
        let now = self.now().await?.as_micros();
        let rows = list(events)?;
        self.exec(D::CATALOG.insert_events, binds![org.as_str(), deployment.as_uuid(), now, &rows]).await?;
        Ok(())
    }

    /// A page of events.
    pub(crate) async fn list_events(&mut self, org: &OrgId, deployment: DeploymentId, q: &EventQuery) -> Done<Vec<Event>> {
        let (sql, values) = match (q.after, q.newest_first) {
            (Some(after), _) => (D::CATALOG.events_after, [big(after), i64::from(q.page.limit)]),
            (None, true) => (D::CATALOG.events_newest, [i64::from(q.page.limit), big(q.page.offset())]),
            (None, false) => (D::CATALOG.events_oldest, [i64::from(q.page.limit), big(q.page.offset())]),
        };
        let rows = self.rows(sql, binds![org.as_str(), deployment.as_uuid(), values[0], values[1]]).await?;
        rows.iter().map(|r| row::event(r)).collect()
    }

    /// Replaces a log tail.
    pub(crate) async fn put_log(&mut self, org: &OrgId, deployment: DeploymentId, log: &RevisionLog) -> Done<()> {
        let now = self.now().await?.as_micros();
        let body = json(&log.tail.lines)?;
        let values = binds![
            org.as_str(),
            log.revision.as_uuid(),
            log.source.as_str(),
            deployment.as_uuid(),
            &body,
            log.tail.truncated,
            log.tail.complete,
            now,
        ];
        self.exec(D::CATALOG.put_log, values).await?;
        Ok(())
    }

    /// A log tail.
    pub(crate) async fn log(&mut self, org: &OrgId, revision: RevisionId, source: LogSource) -> Done<Option<LogTail>> {
        let row = self.row(D::CATALOG.log, binds![org.as_str(), revision.as_uuid(), source.as_str()]).await?;
        row.map(|r| row::log_tail(&r)).transpose()
    }

    /// Who follows a branch, after a deployment.
    pub(crate) async fn following(&mut self, key: &BranchKey, after: Option<&DeploymentRef>) -> Done<Vec<DeploymentRef>> {
        let values = binds![
            big(key.repository.get()),
            key.forge.as_str(),
            key.branch.as_str(),
            after.map_or("", |a| a.org.as_str()),
            after.map_or(FIRST, |a| a.id.as_uuid()),
        ];
        self.rows(D::CATALOG.following, values).await?.iter().map(|r| row::deployment_ref(r)).collect()
    }

    /// Tracked branches, after a deployment.
    pub(crate) async fn tracked(&mut self, after: Option<&DeploymentRef>) -> Done<Vec<TrackedBranch>> {
        let values = binds![after.map_or("", |a| a.org.as_str()), after.map_or(FIRST, |a| a.id.as_uuid())];
        self.rows(D::CATALOG.tracked, values).await?.iter().map(|r| row::tracked(r)).collect()
    }

    /// Stalled revisions, after one of them.
    pub(crate) async fn stalled(
        &mut self,
        unchanged_since: Timestamp,
        after: Option<&(DeploymentRef, RevisionId)>,
    ) -> Done<Vec<(DeploymentRef, RevisionId, RevisionState)>> {
        let values = binds![
            unchanged_since.as_micros(),
            after.map_or("", |(d, _)| d.org.as_str()),
            after.map_or(FIRST, |(d, _)| d.id.as_uuid()),
            after.map_or(FIRST, |(_, r)| r.as_uuid()),
        ];
        self.rows(D::CATALOG.stalled, values).await?.iter().map(|r| row::stalled(r)).collect()
    }

    /// Deletes one deployment that went before `cutoff`, with all that is its; answers how many rows.
    pub(crate) async fn purge_deployment(&mut self, cutoff: Timestamp) -> Done<u64> {
        let Some(row) = self.row(D::CATALOG.purgeable, binds![cutoff.as_micros()]).await? else { return Ok(0) };
        let c = Cells::of(&row, "deployments", "id");
        let (org, id): (String, Uuid) = (c.get("org_id")?, c.get("id")?);
        let all = D::CATALOG;
        let parts = [all.purge_logs, all.purge_attempts, all.purge_revisions, all.purge_events, all.purge_deployment];
        let mut purged = 0_u64;
        for part in parts {
            purged = purged.saturating_add(self.exec(part, binds![&org, id]).await?);
        }
        Ok(purged)
    }
}
