//! The primitive statements on jobs, one a method.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, query};
use uuid::Uuid;
use zopnight_core::domain::{Fence, JobId, JobState, Lane, LeaseRef, ParkedJob, Timestamp, WorkerId};

use super::session::Session;
use super::{sql_catalog, sql_jobs as sql};
use crate::engine::plan::{JobInsert, Step};
use crate::error::StoreError;
use crate::row::{JobBrief, StatRow, parked};

type Done<T> = Result<T, StoreError>;

/// A live job that has a wanted dedupe key.
#[derive(Clone, Debug)]
pub(crate) struct Survivor {
    pub(crate) org: String,
    pub(crate) key: String,
    pub(crate) seq: i64,
    pub(crate) id: JobId,
    pub(crate) delayed_until: Option<i64>,
}

/// A lease as an UPDATE answered it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prolonged {
    pub(crate) seq: i64,
    pub(crate) hand_out: u32,
    pub(crate) cancel_asked: bool,
}

/// What housekeeping would find to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Housework {
    /// Lanes with jobs that are due.
    pub(crate) due: Vec<Lane>,
    /// Leases ran out.
    pub(crate) leased: bool,
    /// Some jobs are blocked.
    pub(crate) blocked: bool,
}

pub(super) fn list<T: Serialize>(items: &[T]) -> Done<String> {
    let text = serde_json::to_string(items);
    text.map_err(|e| zopnight_core::Error::internal("store.bind", "a list cannot be written").with_source(e).into())
}

pub(super) fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

fn briefs(rows: &[SqliteRow]) -> Done<Vec<JobBrief>> {
    rows.iter().map(JobBrief::try_from).collect()
}

fn pairs(leases: &[LeaseRef]) -> Done<String> {
    let pairs: Vec<(i64, u32)> = leases.iter().map(|l| (l.seq, l.fence.hand_out())).collect();
    list(&pairs)
}

impl Session {
    /// The lane's virtual time, read once a transaction.
    async fn virtual_time(&mut self, lane: Lane) -> Done<i64> {
        if let Some(v) = self.virtual_time.get(&lane) {
            return Ok(*v);
        }
        let row = self.row(query(sql::VIRTUAL_TIME).bind(lane.as_str())).await?;
        let v = row.map_or(Ok(0), |r| r.try_get("v"))?;
        self.virtual_time.insert(lane, v);
        Ok(v)
    }

    /// Takes `n` consecutive turns of an org in a lane; answers the first.
    pub(crate) async fn take_turns(&mut self, org: &str, lane: Lane, n: i64) -> Done<i64> {
        let v = self.virtual_time(lane).await?;
        let at_least = v.saturating_add(n).saturating_sub(1);
        let statement = query(sql::TAKE_TURNS).bind(org).bind(lane.as_str()).bind(at_least).bind(n);
        let row = self.row(statement).await?;
        let last: i64 = row.map_or(Ok(at_least), |r| r.try_get("last_turn"))?;
        self.wakes();
        Ok(last.saturating_sub(n).saturating_add(1))
    }

    /// Which of these ids are stored.
    pub(crate) async fn present(&mut self, ids: &[JobId]) -> Done<HashSet<JobId>> {
        let ids: Vec<String> = ids.iter().map(|id| id.as_uuid().simple().to_string()).collect();
        let rows = self.rows(query(sql::PRESENT).bind(list(&ids)?)).await?;
        rows.iter().map(|r| Ok(JobId::from_uuid(r.try_get::<Uuid, _>("id")?))).collect()
    }

    /// The live jobs that have one of these (org, dedupe key).
    pub(crate) async fn survivors(&mut self, keys: &[(&str, &str)]) -> Done<Vec<Survivor>> {
        let rows = self.rows(query(sql::SURVIVORS).bind(list(keys)?)).await?;
        rows.iter()
            .map(|r| {
                let delayed = r.try_get::<&str, _>("state")? == JobState::Delayed.as_str();
                let place: i64 = r.try_get("place")?;
                Ok(Survivor {
                    org: r.try_get("org_id")?,
                    key: r.try_get("dedupe_key")?,
                    seq: r.try_get("seq")?,
                    id: JobId::from_uuid(r.try_get("id")?),
                    delayed_until: delayed.then_some(place),
                })
            })
            .collect()
    }

    /// Which of these (org, serial key) have a holder or a waiting job.
    pub(crate) async fn held(&mut self, keys: &[(&str, &str)]) -> Done<HashSet<(String, String)>> {
        let rows = self.rows(query(sql::HELD).bind(list(keys)?)).await?;
        rows.iter().map(|r| Ok((r.try_get("org_id")?, r.try_get("serial_key")?))).collect()
    }

    /// Stores rows in the order given.
    pub(crate) async fn insert_jobs(&mut self, rows: &[JobInsert<'_>]) -> Done<()> {
        let now = self.now().await?;
        self.exec(query(sql::INSERT).bind(list(rows)?).bind(now.as_micros())).await?;
        Ok(())
    }

    /// Makes a delayed job due at `due` if that is earlier.
    pub(crate) async fn bring_forward(&mut self, seq: i64, due: i64) -> Done<()> {
        if self.exec(query(sql::BRING_FORWARD).bind(seq).bind(due)).await? > 0 {
            self.wakes();
        }
        Ok(())
    }

    /// Leases the first `max` of a lane's line.
    pub(crate) async fn claim(&mut self, lane: Lane, max: u32, worker: &WorkerId, lease: Duration) -> Done<Vec<SqliteRow>> {
        let clock = self.clock();
        let statement = query(sql::CLAIM).bind(clock).bind(lane.as_str()).bind(max).bind(worker.as_str());
        self.rows(statement.bind(micros(lease))).await
    }

    /// Delays a claimed job that this release cannot read.
    pub(crate) async fn put_back(&mut self, seq: i64, after: Duration) -> Done<()> {
        let clock = self.clock();
        self.exec(query(sql::PUT_BACK).bind(clock).bind(seq).bind(micros(after))).await?;
        Ok(())
    }

    /// Parks a claimed job whose row is broken.
    pub(crate) async fn park_corrupt(&mut self, seq: i64, error: &str) -> Done<()> {
        let clock = self.clock();
        self.exec(query(sql::PARK_CORRUPT).bind(clock).bind(seq).bind(error)).await?;
        Ok(())
    }

    /// Prolongs leases; answers those that are held.
    pub(crate) async fn extend(&mut self, leases: &[LeaseRef], lease: Duration) -> Done<Vec<Prolonged>> {
        let clock = self.clock();
        let rows = self.rows(query(sql::EXTEND).bind(clock).bind(micros(lease)).bind(pairs(leases)?)).await?;
        rows.iter()
            .map(|r| {
                Ok(Prolonged {
                    seq: r.try_get("seq")?,
                    hand_out: r.try_get("fence")?,
                    cancel_asked: r.try_get::<i64, _>("cancel_asked")? != 0,
                })
            })
            .collect()
    }

    /// Ends held leases as done; answers each with its org and serial key.
    pub(crate) async fn finish_done(&mut self, leases: &[LeaseRef]) -> Done<Vec<(LeaseRef, String, Option<String>)>> {
        let clock = self.clock();
        let rows = self.rows(query(sql::FINISH_DONE).bind(clock).bind(pairs(leases)?)).await?;
        rows.iter()
            .map(|r| {
                let seq = r.try_get("seq")?;
                let lease = LeaseRef { seq, fence: Fence::of(seq, r.try_get("fence")?) };
                Ok((lease, r.try_get("org_id")?, r.try_get("serial_key")?))
            })
            .collect()
    }

    /// A job's kind.
    pub(crate) async fn kind_of(&mut self, seq: i64) -> Done<Option<String>> {
        let row = self.row(query(sql::KIND_OF).bind(seq)).await?;
        Ok(row.map(|r| r.try_get("kind")).transpose()?)
    }

    /// Writes decided steps; answers how many rows took them. A row that may give up its dedupe key is written by itself,
    /// since it must see what its predecessors in the list became.
    pub(crate) async fn step_jobs(&mut self, steps: &[Step]) -> Done<u64> {
        let now = self.now().await?.as_micros();
        let (alone, together): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|s| s.alone);
        let mut written = 0_u64;
        if !together.is_empty() {
            written = self.exec(query(sql::STEP).bind(list(&together)?).bind(now)).await?;
        }
        for step in alone {
            written = written.saturating_add(self.exec(query(sql::STEP).bind(list(&[step])?).bind(now)).await?);
        }
        Ok(written)
    }

    /// Asks the holder of a job to stop.
    pub(crate) async fn ask_cancel(&mut self, seq: i64) -> Done<()> {
        self.exec(query(sql::ASK_CANCEL).bind(seq)).await?;
        Ok(())
    }

    /// Jobs by sequence number.
    pub(crate) async fn briefs(&mut self, seqs: &[i64]) -> Done<Vec<JobBrief>> {
        briefs(&self.rows(query(sql::BRIEFS).bind(list(seqs)?)).await?)
    }

    /// Delayed jobs of a lane whose time has come, by due time.
    pub(crate) async fn due(&mut self, lane: Lane, limit: u32) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(query(sql::DUE).bind(lane.as_str()).bind(now).bind(limit)).await?)
    }

    /// One delayed job of a lane, if its time has come.
    pub(crate) async fn due_one(&mut self, lane: Lane, seq: i64) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(query(sql::DUE_ONE).bind(lane.as_str()).bind(now).bind(seq)).await?)
    }

    /// The sequence numbers of delayed jobs of a lane whose time has come: readable even where their rows are broken.
    pub(crate) async fn due_seqs(&mut self, lane: Lane, limit: u32) -> Done<Vec<i64>> {
        let now = self.now().await?.as_micros();
        let rows = self.rows(query(sql::DUE_SEQS).bind(lane.as_str()).bind(now).bind(limit)).await?;
        rows.iter().map(|r| Ok(r.try_get("seq")?)).collect()
    }

    /// Parks a delayed job whose row is broken.
    pub(crate) async fn park_delayed(&mut self, seq: i64, error: &str) -> Done<()> {
        let clock = self.clock();
        self.exec(query(sql::PARK_DELAYED).bind(clock).bind(seq).bind(error)).await?;
        Ok(())
    }

    /// What housekeeping would find to do.
    pub(crate) async fn housework(&mut self) -> Done<Housework> {
        let now = self.now().await?.as_micros();
        let row = self.row(query(sql::HOUSEWORK).bind(now)).await?;
        let Some(row) = row else { return Ok(Housework::default()) };
        let due: String = row.try_get("due")?;
        Ok(Housework {
            due: due.split(' ').filter_map(Lane::from_name).collect(),
            leased: row.try_get::<i64, _>("leased")? != 0,
            blocked: row.try_get::<i64, _>("blocked")? != 0,
        })
    }

    /// Leased jobs whose lease ran out, after `seq`.
    pub(crate) async fn expired(&mut self, after: i64, limit: u32) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(query(sql::EXPIRED).bind(now).bind(after).bind(limit)).await?)
    }

    /// The job that a free serial key goes to.
    pub(crate) async fn next_of_key(&mut self, org: &str, key: &str) -> Done<Option<JobBrief>> {
        let row = self.row(query(sql::NEXT_OF_KEY).bind(org).bind(key)).await?;
        row.as_ref().map(JobBrief::try_from).transpose()
    }

    /// The org's oldest jobs that wait for a build slot.
    pub(crate) async fn waiting_for_slot(&mut self, org: &str, limit: i64) -> Done<Vec<JobBrief>> {
        briefs(&self.rows(query(sql::WAITING_FOR_SLOT).bind(org).bind(limit)).await?)
    }

    /// Serial keys with waiting jobs and no holder.
    pub(crate) async fn orphans(&mut self) -> Done<Vec<(String, String)>> {
        let rows = self.rows(query(sql::ORPHANS)).await?;
        rows.iter().map(|r| Ok((r.try_get("org_id")?, r.try_get("serial_key")?))).collect()
    }

    /// Orgs with jobs that wait for a slot.
    pub(crate) async fn slot_lines(&mut self) -> Done<Vec<String>> {
        let rows = self.rows(query(sql::SLOT_LINES)).await?;
        rows.iter().map(|r| Ok(r.try_get("org_id")?)).collect()
    }

    /// Build jobs of an org that are about to ask for a slot.
    pub(crate) async fn on_the_way(&mut self, org: &str) -> Done<i64> {
        let row = self.row(query(sql::ON_THE_WAY).bind(org)).await?;
        Ok(row.map_or(Ok(0), |r| r.try_get("n"))?)
    }

    /// The live build, watch and deploy jobs of a revision.
    pub(crate) async fn jobs_of_revision(&mut self, org: &str, revision: Uuid) -> Done<Vec<JobBrief>> {
        briefs(&self.rows(query(sql::OF_REVISION).bind(org).bind(revision)).await?)
    }

    /// The live job of a dedupe key.
    pub(crate) async fn jobs_of_key(&mut self, org: &str, key: &str) -> Done<Vec<JobBrief>> {
        briefs(&self.rows(query(sql::OF_KEY).bind(org).bind(key)).await?)
    }

    /// A parked job of an org, with its dedupe key.
    pub(crate) async fn parked_job(&mut self, org: &str, id: JobId) -> Done<Option<(JobBrief, Option<String>)>> {
        let row = self.row(query(sql::PARKED_JOB).bind(org).bind(id.as_uuid())).await?;
        row.map(|r| Ok((JobBrief::try_from(&r)?, r.try_get("dedupe_key")?))).transpose()
    }

    /// Parked jobs of an org, newest first.
    pub(crate) async fn parked(&mut self, org: &str) -> Done<Vec<ParkedJob>> {
        self.rows(query(sql::PARKED).bind(org)).await?.iter().map(parked).collect()
    }

    /// Counts of live and parked jobs.
    pub(crate) async fn stats(&mut self) -> Done<Vec<StatRow>> {
        Ok(self.rows(query(sql::STATS)).await?.iter().filter_map(StatRow::read).collect())
    }

    /// When the next delayed job is due.
    pub(crate) async fn next_due(&mut self) -> Done<Option<Timestamp>> {
        let row = self.row(query(sql::NEXT_DUE)).await?;
        let due: Option<i64> = row.map_or(Ok(None), |r| r.try_get("due"))?;
        Ok(due.map(Timestamp::from_micros))
    }

    /// Deletes up to 500 jobs that ended in `state` before `cutoff`.
    pub(crate) async fn purge_jobs(&mut self, state: JobState, cutoff: Timestamp) -> Done<u64> {
        self.exec(query(sql::PURGE_JOBS).bind(state.as_str()).bind(cutoff.as_micros())).await
    }

    /// Deletes up to 500 idempotency rows made before `cutoff`.
    pub(crate) async fn purge_idempotency(&mut self, cutoff: Timestamp) -> Done<u64> {
        self.exec(query(sql_catalog::PURGE_IDEMPOTENCY).bind(cutoff.as_micros())).await
    }
}
