//! Housekeeping: promote, take back, mend, purge. Any process may do it at any time.

use std::collections::HashMap;

use tokio::time::Instant;
use zopnight_core::Result;
use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{Budget, JobError, Lane, Maintained};

use super::line::{self, advance, pass_on};
use super::plan::{Move, error_json};
use super::purge::purge;
use crate::database::{Database, Pools};
use crate::error::StoreError;
use crate::retry::{End, Work, write};
use crate::row::JobBrief;
use crate::session::Session;

const OPERATION: &str = "queue.maintain";
const PROMOTE: u32 = 500;
const TAKE_BACK: u32 = 200;

/// Does what is due within the budget's time; each batch is a transaction of its own.
pub(crate) async fn maintain<D: Database>(pools: &Pools<D>, budget: &Budget) -> Result<Maintained> {
    let until = Instant::now().checked_add(budget.time);
    let in_time = || until.is_none_or(|until| Instant::now() < until);
    let mut did = Maintained::default();
    let mut reader = pools.read(OPERATION).await.map_err(|e| e.into_core(OPERATION))?;
    let work = reader.housework().await.map_err(|e| e.into_core(OPERATION))?;
    drop(reader);
    for lane in Lane::ALL.into_iter().filter(|lane| work.due.contains(lane)) {
        did.promoted = did.promoted.saturating_add(promote(pools, lane, &in_time).await?);
    }
    if work.leased {
        let mut after = Some(0);
        while let Some(from) = after.filter(|_| in_time()) {
            let (taken, next) = match write(pools, OPERATION, &TakeBack { after: from, limit: TAKE_BACK }).await {
                Ok(batch) => batch,
                Err(error) if error.kind() == zopnight_core::ErrorKind::Internal => take_back_each(pools, from).await?,
                Err(error) => return Err(error),
            };
            did.taken_back = did.taken_back.saturating_add(taken);
            after = next;
        }
    }
    if work.blocked && in_time() {
        did.mended = mend(pools).await?;
    }
    if budget.purge && in_time() {
        did.purged = purge(pools, &in_time).await?;
    }
    let mut reader = pools.read(OPERATION).await.map_err(|e| e.into_core(OPERATION))?;
    let (now, due) = async { Ok((reader.now().await?, reader.next_due().await?)) }
        .await
        .map_err(|e: StoreError| e.into_core(OPERATION))?;
    did.next_due = due.map(|due| due.since(now));
    Ok(did)
}

async fn promote<D: Database>(pools: &Pools<D>, lane: Lane, in_time: &(dyn Fn() -> bool + Sync)) -> Result<u64> {
    let mut promoted = 0_u64;
    while in_time() {
        let batch = match write(pools, OPERATION, &Promote { lane, only: None }).await {
            Ok(batch) => batch,
            Err(error) if error.kind() == zopnight_core::ErrorKind::Internal => one_by_one(pools, lane).await?,
            Err(error) => return Err(error),
        };
        promoted = promoted.saturating_add(batch);
        if batch < u64::from(PROMOTE) {
            break;
        }
    }
    Ok(promoted)
}

/// A batch failed: each row by itself, so that one bad row holds up no other. The bad one is parked.
async fn one_by_one<D: Database>(pools: &Pools<D>, lane: Lane) -> Result<u64> {
    let mut reader = pools.read(OPERATION).await.map_err(|e| e.into_core(OPERATION))?;
    let due = reader.due_seqs(lane, PROMOTE).await.map_err(|e| e.into_core(OPERATION))?;
    drop(reader);
    let mut promoted = 0_u64;
    for seq in due {
        match write(pools, OPERATION, &Promote { lane, only: Some(seq) }).await {
            Ok(n) => promoted = promoted.saturating_add(n),
            Err(error) if error.kind() == zopnight_core::ErrorKind::Internal => {
                tracing::error!(seq, error = %error, "a job that cannot be promoted is parked");
                write(pools, OPERATION, &ParkDelayed { seq }).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(promoted)
}

/// Makes due jobs of a lane ready, or one of them.
struct Promote {
    lane: Lane,
    only: Option<i64>,
}

impl<D: Database> Work<D> for Promote {
    type Out = u64;

    async fn run(&self, s: &mut Session<D>) -> Result<End<u64>, StoreError> {
        let due = match self.only {
            None => s.due(self.lane, PROMOTE).await?,
            Some(seq) => s.due_one(self.lane, seq).await?,
        };
        let due = if D::EXCLUSIVE || due.is_empty() {
            due
        } else {
            line::lock(s, due.iter().map(|job| (job.org.as_str(), job.lane))).await?;
            let still = s.still_due(&seqs_of(&due)).await?;
            in_order_of(&due, still)
        };
        let moves: Vec<Move> = due.into_iter().map(|job| Move::new(job, JobEvent::Promote)).collect();
        Ok(End::Commit(advance(s, &moves).await?))
    }
}

struct ParkDelayed {
    seq: i64,
}

impl<D: Database> Work<D> for ParkDelayed {
    type Out = ();

    async fn run(&self, s: &mut Session<D>) -> Result<End<()>, StoreError> {
        let error = error_json(&JobError::new("store_corrupt", "the job's row cannot be promoted"))?;
        s.park_delayed(self.seq, &error).await?;
        Ok(End::Commit(()))
    }
}

/// A batch failed: its rows one by one, past those that cannot be read. Those stay as they are, and are told of.
async fn take_back_each<D: Database>(pools: &Pools<D>, from: i64) -> Result<(u64, Option<i64>)> {
    let (mut taken, mut after) = (0_u64, from);
    for _ in 0..TAKE_BACK {
        match write(pools, OPERATION, &TakeBack { after, limit: 1 }).await {
            Ok((n, next)) => {
                taken = taken.saturating_add(n);
                let Some(next) = next else { return Ok((taken, None)) };
                after = next;
            }
            Err(error) => {
                let stuck = error.context("key").and_then(|key| key.parse().ok()).filter(|seq| *seq > after);
                let Some(seq) = stuck else { return Err(error) };
                tracing::error!(seq, error = %error, "a job that cannot be read is not taken back");
                after = seq;
            }
        }
    }
    Ok((taken, Some(after)))
}

/// Takes a batch of expired leases back; answers where the next batch begins.
struct TakeBack {
    after: i64,
    limit: u32,
}

impl<D: Database> Work<D> for TakeBack {
    type Out = (u64, Option<i64>);

    async fn run(&self, s: &mut Session<D>) -> Result<End<Self::Out>, StoreError> {
        let expired = s.expired(self.after, self.limit).await?;
        let full = u32::try_from(expired.len()).is_ok_and(|n| n >= self.limit);
        let next = expired.last().map(|job| job.seq).filter(|_| full);
        let expired = if D::EXCLUSIVE || expired.is_empty() {
            expired
        } else {
            line::lock(s, expired.iter().map(|job| (job.org.as_str(), job.lane))).await?;
            s.still_expired(&seqs_of(&expired)).await?
        };
        let take = |job: JobBrief| {
            let cancel = job.cancel_asked;
            Move::new(job, JobEvent::TakeBack { cancel })
        };
        let moves: Vec<Move> = expired.into_iter().map(take).collect();
        Ok(End::Commit((advance(s, &moves).await?, next)))
    }
}

/// `jobs` as they stand in `line`: they are locked by number, and become ready by due time.
fn in_order_of(line: &[JobBrief], mut jobs: Vec<JobBrief>) -> Vec<JobBrief> {
    let places: HashMap<i64, usize> = line.iter().enumerate().map(|(place, job)| (job.seq, place)).collect();
    jobs.sort_by_key(|job| places.get(&job.seq).copied());
    jobs
}

/// Numbers in the order in which rows are locked.
fn seqs_of(jobs: &[JobBrief]) -> Vec<i64> {
    let mut seqs: Vec<i64> = jobs.iter().map(|job| job.seq).collect();
    seqs.sort_unstable();
    seqs
}

/// Unblocks what has no reason to be blocked. Freed slots and keys wake their next job in the commit that frees them, so
/// there is something to do only where a woken build job ended without asking for its slot, or after a defect.
async fn mend<D: Database>(pools: &Pools<D>) -> Result<u64> {
    let mut mended = write(pools, OPERATION, &MendKeys).await?;
    let mut reader = pools.read(OPERATION).await.map_err(|e| e.into_core(OPERATION))?;
    let orgs = reader.slot_lines().await.map_err(|e| e.into_core(OPERATION))?;
    drop(reader);
    for org in orgs {
        mended = mended.saturating_add(write(pools, OPERATION, &MendSlots { org: &org }).await?);
    }
    if mended > 0 {
        tracing::warn!(mended, "blocked jobs without a reason were unblocked");
    }
    Ok(mended)
}

struct MendKeys;

impl<D: Database> Work<D> for MendKeys {
    type Out = u64;

    async fn run(&self, s: &mut Session<D>) -> Result<End<u64>, StoreError> {
        let orphans = s.orphans().await?;
        line::lock(s, orphans.iter().map(|(org, lane, _)| (org.as_str(), *lane))).await?;
        let keys: Vec<(&str, &str)> = orphans.iter().map(|(org, _, key)| (org.as_str(), key.as_str())).collect();
        Ok(End::Commit(pass_on(s, &keys).await?))
    }
}

struct MendSlots<'a> {
    org: &'a str,
}

impl<D: Database> Work<D> for MendSlots<'_> {
    type Out = u64;

    async fn run(&self, s: &mut Session<D>) -> Result<End<u64>, StoreError> {
        s.lock_org(self.org).await?;
        s.lock_line(self.org, Lane::Build).await?;
        let open = i64::try_from(s.open_slots(self.org).await?).unwrap_or(i64::MAX);
        let taken = open.saturating_add(s.on_the_way(self.org).await?);
        let free = i64::from(s.options().build_slots_per_org).saturating_sub(taken);
        if free <= 0 {
            return Ok(End::RollBack(0));
        }
        let waiting = s.waiting_for_slot(self.org, free).await?;
        let moves: Vec<Move> = waiting.into_iter().map(|job| Move::new(job, JobEvent::Unblock)).collect();
        Ok(End::Commit(advance(s, &moves).await?))
    }
}
