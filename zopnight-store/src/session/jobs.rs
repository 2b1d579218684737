//! The primitive statements on jobs, one a method.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;
use zopnight_core::domain::{Fence, JobId, JobState, Lane, LeaseRef, ParkedJob, Timestamp, WorkerId};

use super::Session;
use crate::database::{AnyRow, Bind, Database, Sql, binds};
use crate::engine::plan::{JobInsert, Step};
use crate::error::StoreError;
use crate::row::{Cells, JobBrief, StatRow, parked};

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

/// A list as one parameter.
pub(crate) fn list<T: Serialize>(items: &[T]) -> Done<String> {
    let text = serde_json::to_string(items);
    text.map_err(|e| zopnight_core::Error::internal("store.bind", "a list cannot be written").with_source(e).into())
}

pub(crate) fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

fn cells(row: &dyn AnyRow) -> Cells<'_> {
    Cells::of(row, "jobs", "seq")
}

fn briefs<R: AnyRow>(rows: &[R]) -> Done<Vec<JobBrief>> {
    rows.iter().map(|row| JobBrief::read(row)).collect()
}

/// Leases as pairs of a job's number and its hand-out.
pub(crate) fn pairs(leases: &[LeaseRef]) -> Done<String> {
    let pairs: Vec<(i64, u32)> = leases.iter().map(|l| (l.seq, l.fence.hand_out())).collect();
    list(&pairs)
}

impl<D: Database> Session<D> {
    /// The lane's virtual time, read once a transaction.
    async fn virtual_time(&mut self, lane: Lane) -> Done<i64> {
        if let Some(v) = self.virtual_time.get(&lane) {
            return Ok(*v);
        }
        let row = self.row(D::JOBS.virtual_time, binds![lane.as_str()]).await?;
        let v = row.map_or(Ok(0), |r| cells(&r).get("v"))?;
        self.virtual_time.insert(lane, v);
        Ok(v)
    }

    /// Holds a line until the end of the transaction: nobody else makes a job ready in it, adds one with a key, or ends one
    /// with a serial key.
    pub(crate) async fn lock_line(&mut self, org: &str, lane: Lane) -> Done<()> {
        if D::EXCLUSIVE || !self.locked.insert((org.to_owned(), lane)) {
            return Ok(());
        }
        if self.row(D::JOBS.lock_line, binds![org, lane.as_str()]).await?.is_some() {
            return Ok(());
        }
        self.exec(D::JOBS.make_line, binds![org, lane.as_str()]).await?;
        self.row(D::JOBS.lock_line, binds![org, lane.as_str()]).await?;
        Ok(())
    }

    /// Takes `n` consecutive turns of an org in a lane; answers the first.
    pub(crate) async fn take_turns(&mut self, org: &str, lane: Lane, n: i64) -> Done<i64> {
        let v = self.virtual_time(lane).await?;
        let at_least = v.saturating_add(n).saturating_sub(1);
        let mut row = self.rows(D::JOBS.take_turns, binds![org, lane.as_str(), at_least, n]).await?.pop();
        if !D::RETURNING {
            row = self.row(D::JOBS.last_turn, binds![org, lane.as_str()]).await?;
        }
        let last: i64 = row.map_or(Ok(at_least), |r| cells(&r).get("last_turn"))?;
        self.wakes();
        Ok(last.saturating_sub(n).saturating_add(1))
    }

    /// Which of these ids are stored.
    pub(crate) async fn present(&mut self, ids: &[JobId]) -> Done<HashSet<JobId>> {
        let ids: Vec<String> = ids.iter().map(|id| id.as_uuid().simple().to_string()).collect();
        let rows = self.rows(D::JOBS.present, binds![&list(&ids)?]).await?;
        rows.iter().map(|r| Ok(JobId::from_uuid(cells(r).get("id")?))).collect()
    }

    /// The live jobs that have one of these (org, dedupe key), held in their state until the end of the transaction.
    pub(crate) async fn survivors(&mut self, keys: &[(&str, &str)]) -> Done<Vec<Survivor>> {
        let rows = self.rows(D::JOBS.survivors, binds![&list(keys)?]).await?;
        let mut found: Vec<Survivor> = rows.iter().map(survivor).collect::<Done<_>>()?;
        if !D::EXCLUSIVE && !found.is_empty() {
            let seqs: Vec<i64> = found.iter().map(|s| s.seq).collect();
            let held = self.lock_jobs(&seqs).await?;
            found.retain(|s| held.iter().any(|job| job.seq == s.seq && job.is_live()));
        }
        Ok(found)
    }

    /// Which of these (org, serial key) have a holder or a waiting job.
    pub(crate) async fn held(&mut self, keys: &[(&str, &str)]) -> Done<HashSet<(String, String)>> {
        let rows = self.rows(D::JOBS.held, binds![&list(keys)?]).await?;
        rows.iter().map(|r| Ok((cells(r).get("org_id")?, cells(r).get("serial_key")?))).collect()
    }

    /// Stores rows in the order given.
    pub(crate) async fn insert_jobs(&mut self, rows: &[JobInsert<'_>]) -> Done<()> {
        let now = self.now().await?.as_micros();
        D::insert_jobs(self, rows, now).await
    }

    /// Makes a delayed job due at `due` if that is earlier.
    pub(crate) async fn bring_forward(&mut self, seq: i64, due: i64) -> Done<()> {
        if self.exec(D::JOBS.bring_forward, binds![seq, due]).await? > 0 {
            self.wakes();
        }
        Ok(())
    }

    /// Leases the first `max` of a lane's line, skipping what others are claiming.
    pub(crate) async fn claim(&mut self, lane: Lane, max: u32, worker: &WorkerId, lease: Duration) -> Done<Vec<D::Row>> {
        D::claim(self, lane, max, worker, micros(lease)).await
    }

    /// Whether another live job has this dedupe key.
    async fn has_rival(&mut self, org: &str, key: Option<&str>, seq: i64) -> Done<bool> {
        let Some(key) = key else { return Ok(false) };
        Ok(self.row(D::JOBS.rival, binds![org, key, seq]).await?.is_some())
    }

    /// Delays a claimed job that this release cannot read, as if it was never handed out.
    pub(crate) async fn put_back(&mut self, org: &str, key: Option<&str>, seq: i64, after: Duration) -> Done<()> {
        let gives_up_key = self.has_rival(org, key, seq).await?;
        self.exec(D::JOBS.put_back, binds![self.clock(), seq, micros(after), gives_up_key]).await?;
        Ok(())
    }

    /// Parks a claimed job whose row is broken.
    pub(crate) async fn park_corrupt(&mut self, seq: i64, error: &str) -> Done<()> {
        self.exec(D::JOBS.park_corrupt, binds![self.clock(), seq, error]).await?;
        Ok(())
    }

    /// Prolongs leases; answers those that are held.
    pub(crate) async fn extend(&mut self, leases: &[LeaseRef], lease: Duration) -> Done<Vec<Prolonged>> {
        let rows = D::extend(self, leases, micros(lease)).await?;
        let read = |r: &D::Row| {
            let c = cells(r);
            Ok(Prolonged { seq: c.get("seq")?, hand_out: c.int("fence")?, cancel_asked: c.flag("cancel_asked")? })
        };
        rows.iter().map(read).collect()
    }

    /// Ends held leases as done; answers each with its org and serial key. Where others write at the same time, those with a
    /// serial key are left out: they need the lock of their line first.
    pub(crate) async fn finish_done(&mut self, leases: &[LeaseRef]) -> Done<Vec<(LeaseRef, String, Option<String>)>> {
        let rows = D::finish_done(self, leases).await?;
        let read = |r: &D::Row| {
            let c = cells(r);
            let seq = c.get("seq")?;
            let lease = LeaseRef { seq, fence: Fence::of(seq, c.int("fence")?) };
            Ok((lease, c.get("org_id")?, c.opt("serial_key")?))
        };
        rows.iter().map(read).collect()
    }

    /// A job's kind.
    pub(crate) async fn kind_of(&mut self, seq: i64) -> Done<Option<String>> {
        let row = self.row(D::JOBS.kind_of, binds![seq]).await?;
        row.map(|r| cells(&r).get("kind")).transpose()
    }

    /// Writes decided steps; answers how many rows took them. A row that comes back from a lease beside its successor gives
    /// up its dedupe key; it is written by itself, since it must see what its predecessors in the list became.
    pub(crate) async fn step_jobs(&mut self, steps: Vec<Step>) -> Done<u64> {
        let now = self.now().await?.as_micros();
        let (alone, together): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|s| s.regains.is_some());
        let mut written = 0_u64;
        if !together.is_empty() {
            written = self.exec(D::JOBS.step, binds![&list(&together)?, now]).await?;
        }
        for mut step in alone {
            if let Some((org, key)) = &step.regains {
                step.drops_key = self.has_rival(org, Some(key), step.seq).await?;
            }
            written = written.saturating_add(self.exec(D::JOBS.step, binds![&list(&[step])?, now]).await?);
        }
        Ok(written)
    }

    /// Asks the holder of a job to stop.
    pub(crate) async fn ask_cancel(&mut self, seq: i64) -> Done<()> {
        self.exec(D::JOBS.ask_cancel, binds![seq]).await?;
        Ok(())
    }

    /// Jobs by sequence number, as they are at this moment.
    pub(crate) async fn briefs(&mut self, seqs: &[i64]) -> Done<Vec<JobBrief>> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        briefs(&self.rows(D::JOBS.briefs, binds![&list(seqs)?]).await?)
    }

    /// Jobs by sequence number, held in their state until the end of the transaction.
    pub(crate) async fn lock_jobs(&mut self, seqs: &[i64]) -> Done<Vec<JobBrief>> {
        if D::EXCLUSIVE || seqs.is_empty() {
            return self.briefs(seqs).await;
        }
        briefs(&self.rows(D::JOBS.lock_jobs, binds![&list(seqs)?]).await?)
    }

    /// Delayed jobs of a lane whose time has come, by due time.
    pub(crate) async fn due(&mut self, lane: Lane, limit: u32) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(D::JOBS.due, binds![lane.as_str(), now, limit]).await?)
    }

    /// Which of these delayed jobs are due, held in their state until the end of the transaction.
    pub(crate) async fn still_due(&mut self, seqs: &[i64]) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(D::JOBS.still_due, binds![&list(seqs)?, now]).await?)
    }

    /// One delayed job of a lane, if its time has come.
    pub(crate) async fn due_one(&mut self, lane: Lane, seq: i64) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(D::JOBS.due_one, binds![lane.as_str(), now, seq]).await?)
    }

    /// The sequence numbers of delayed jobs of a lane whose time has come: readable even where their rows are broken.
    pub(crate) async fn due_seqs(&mut self, lane: Lane, limit: u32) -> Done<Vec<i64>> {
        let now = self.now().await?.as_micros();
        let rows = self.rows(D::JOBS.due_seqs, binds![lane.as_str(), now, limit]).await?;
        rows.iter().map(|r| cells(r).get("seq")).collect()
    }

    /// Parks a delayed job whose row is broken.
    pub(crate) async fn park_delayed(&mut self, seq: i64, error: &str) -> Done<()> {
        self.exec(D::JOBS.park_delayed, binds![self.clock(), seq, error]).await?;
        Ok(())
    }

    /// What housekeeping would find to do.
    pub(crate) async fn housework(&mut self) -> Done<Housework> {
        let now = self.now().await?.as_micros();
        let mut work = Housework::default();
        for row in self.rows(D::JOBS.housework, binds![now]).await? {
            match cells(&row).get("what")? {
                "leased" => work.leased = true,
                "blocked" => work.blocked = true,
                lane => work.due.extend(Lane::from_name(lane)),
            }
        }
        Ok(work)
    }

    /// Leased jobs whose lease ran out, after `seq`.
    pub(crate) async fn expired(&mut self, after: i64, limit: u32) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(D::JOBS.expired, binds![now, after, limit]).await?)
    }

    /// Which of these leases have run out, held in their state until the end of the transaction.
    pub(crate) async fn still_expired(&mut self, seqs: &[i64]) -> Done<Vec<JobBrief>> {
        let now = self.now().await?.as_micros();
        briefs(&self.rows(D::JOBS.still_expired, binds![&list(seqs)?, now]).await?)
    }

    /// The job that a free serial key goes to.
    pub(crate) async fn next_of_key(&mut self, org: &str, key: &str) -> Done<Option<JobBrief>> {
        Ok(self.blocked(D::JOBS.next_of_key, binds![org, key]).await?.pop())
    }

    /// The blocked jobs that a statement answers, held in their state until the end of the transaction. They are locked by
    /// number, and looked for again where another transaction took one meanwhile.
    async fn blocked(&mut self, sql: Sql, binds: &[Bind<'_>]) -> Done<Vec<JobBrief>> {
        loop {
            let found = briefs(&self.rows(sql, binds).await?)?;
            if D::EXCLUSIVE || found.is_empty() {
                return Ok(found);
            }
            let mut seqs: Vec<i64> = found.iter().map(|job| job.seq).collect();
            seqs.sort_unstable();
            let mut held = self.lock_jobs(&seqs).await?;
            held.retain(|job| job.state == JobState::Blocked);
            if held.len() == found.len() {
                held.sort_unstable_by_key(|job| job.seq);
                return Ok(held);
            }
        }
    }

    /// The org's oldest jobs that wait for a build slot.
    pub(crate) async fn waiting_for_slot(&mut self, org: &str, limit: i64) -> Done<Vec<JobBrief>> {
        self.blocked(D::JOBS.waiting_for_slot, binds![org, limit]).await
    }

    /// Serial keys with waiting jobs and no holder: the org, the lane, the key.
    pub(crate) async fn orphans(&mut self) -> Done<Vec<(String, Lane, String)>> {
        let rows = self.rows(D::JOBS.orphans, &[]).await?;
        let read = |r: &D::Row| {
            let c = cells(r);
            Ok((c.get("org_id")?, c.name("lane", Lane::from_name)?, c.get("serial_key")?))
        };
        rows.iter().map(read).collect()
    }

    /// Orgs with jobs that wait for a slot.
    pub(crate) async fn slot_lines(&mut self) -> Done<Vec<String>> {
        let rows = self.rows(D::JOBS.slot_lines, &[]).await?;
        rows.iter().map(|r| cells(r).get("org_id")).collect()
    }

    /// Build jobs of an org that are about to ask for a slot.
    pub(crate) async fn on_the_way(&mut self, org: &str) -> Done<i64> {
        let row = self.row(D::JOBS.on_the_way, binds![org]).await?;
        row.map_or(Ok(0), |r| cells(&r).get("n"))
    }

    /// The live build, watch and deploy jobs of a revision.
    pub(crate) async fn jobs_of_revision(&mut self, org: &str, revision: Uuid) -> Done<Vec<JobBrief>> {
        briefs(&self.rows(D::JOBS.of_revision, binds![org, revision]).await?)
    }

    /// The live job of a dedupe key.
    pub(crate) async fn jobs_of_key(&mut self, org: &str, key: &str) -> Done<Vec<JobBrief>> {
        briefs(&self.rows(D::JOBS.of_key, binds![org, key]).await?)
    }

    /// A parked job of an org.
    pub(crate) async fn parked_job(&mut self, org: &str, id: JobId) -> Done<Option<JobBrief>> {
        let row = self.row(D::JOBS.parked_job, binds![org, id.as_uuid()]).await?;
        row.as_ref().map(|row| JobBrief::read(row)).transpose()
    }

    /// Parked jobs of an org, newest first.
    pub(crate) async fn parked(&mut self, org: &str) -> Done<Vec<ParkedJob>> {
        self.rows(D::JOBS.parked, binds![org]).await?.iter().map(|r| parked(r)).collect()
    }

    /// Counts of live and parked jobs.
    pub(crate) async fn stats(&mut self) -> Done<Vec<StatRow>> {
        Ok(self.rows(D::JOBS.stats, &[]).await?.iter().filter_map(|r| StatRow::read(r)).collect())
    }

    /// When the next delayed job is due.
    pub(crate) async fn next_due(&mut self) -> Done<Option<Timestamp>> {
        let row = self.row(D::JOBS.next_due, &[]).await?;
        row.map_or(Ok(None), |r| cells(&r).time_opt("due"))
    }

    /// Deletes up to 500 jobs of a lane that ended in `state` before `cutoff`.
    pub(crate) async fn purge_jobs(&mut self, lane: Lane, state: JobState, cutoff: Timestamp, limit: u32) -> Done<u64> {
        let past = binds![lane.as_str(), state.as_str(), cutoff.as_micros(), limit];
        let rows = self.rows(D::JOBS.purgeable_jobs, past).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let seqs: Vec<i64> = rows.iter().map(|r| cells(r).get("seq")).collect::<Done<_>>()?;
        self.exec(D::JOBS.purge_jobs, binds![&list(&seqs)?, state.as_str()]).await
    }

    /// Deletes up to 500 idempotency rows made before `cutoff`.
    pub(crate) async fn purge_idempotency(&mut self, cutoff: Timestamp) -> Done<u64> {
        self.exec(D::CATALOG.purge_idempotency, binds![cutoff.as_micros()]).await
    }
}

fn survivor<R: AnyRow>(row: &R) -> Done<Survivor> {
    let c = cells(row);
    let delayed = c.name("state", JobState::from_name)? == JobState::Delayed;
    let place: i64 = c.get("place")?;
    Ok(Survivor {
        org: c.get("org_id")?,
        key: c.get("dedupe_key")?,
        seq: c.get("seq")?,
        id: JobId::from_uuid(c.get("id")?),
        delayed_until: delayed.then_some(place),
    })
}
