//! Ending leases, and giving parked jobs another life.

use std::collections::HashSet;

use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{Finish, Finished, JobId, JobState, Lane, LeaseRef, Outcome, Scope};
use zopnight_core::{Error, Result};

use super::line::{self, advance, pass_on};
use super::plan::{Move, org_of};
use crate::database::{Database, Pools};
use crate::error::StoreError;
use crate::retry::{End, Work, write};
use crate::row::JobBrief;
use crate::session::Session;

const OPERATION: &str = "queue.finish";
const MAX_ITEMS: usize = 100;

/// Ends up to 100 leases, in one transaction. Where transactions do not exclude each other and all is done, one statement is
/// tried first: nothing need be locked for what holds no serial key. If it does not end them all, nothing of it stays.
pub(crate) async fn finish<D: Database>(pools: &Pools<D>, items: Vec<Finish>) -> Result<Vec<Finished>> {
    if items.len() > MAX_ITEMS {
        return Err(Error::invalid(OPERATION, "at most 100 items at once"));
    }
    items.iter().try_for_each(|item| check(&item.outcome))?;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let work = FinishAll { items };
    let done = work.done();
    if !D::EXCLUSIVE && done.len() == work.items.len() && write(pools, OPERATION, &FinishDone { leases: done }).await? {
        return Ok(vec![Finished::Accepted; work.items.len()]);
    }
    write(pools, OPERATION, &work).await
}

/// Checks the bounds of an outcome.
pub(super) fn check(outcome: &Outcome) -> Result<()> {
    use zopnight_core::domain::{JobPayload, NewJob};
    let (after, payload) = match outcome {
        Outcome::Snooze { after, payload } => (*after, payload.as_ref()),
        Outcome::Retry { after, .. } => (*after, None),
        _ => return Ok(()),
    };
    if after > NewJob::MAX_DELAY {
        return Err(Error::invalid(OPERATION, "a pause must be at most 30 days"));
    }
    match payload.map(JobPayload::to_json).transpose()? {
        Some(json) if json.len() > JobPayload::MAX_BYTES => {
            Err(Error::invalid(OPERATION, "payload must be at most 16,384 bytes"))
        }
        _ => Ok(()),
    }
}

/// Ends what is done and holds no serial key; answers whether that was all.
#[derive(Debug)]
struct FinishDone {
    leases: Vec<LeaseRef>,
}

impl<D: Database> Work<D> for FinishDone {
    type Out = bool;

    async fn run(&self, s: &mut Session<D>) -> Result<End<bool>, StoreError> {
        let ended: HashSet<LeaseRef> = s.finish_done(&self.leases).await?.into_iter().map(|(lease, ..)| lease).collect();
        let all = self.leases.iter().all(|lease| ended.contains(lease));
        Ok(if all { End::Commit(true) } else { End::RollBack(false) })
    }
}

#[derive(Debug)]
struct FinishAll {
    items: Vec<Finish>,
}

impl FinishAll {
    fn done(&self) -> Vec<LeaseRef> {
        self.items.iter().filter(|f| matches!(f.outcome, Outcome::Done)).map(|f| f.lease).collect()
    }
}

impl<D: Database> Work<D> for FinishAll {
    type Out = Vec<Finished>;

    async fn run(&self, s: &mut Session<D>) -> Result<End<Vec<Finished>>, StoreError> {
        let mut ended = HashSet::new();
        let done = self.done();
        if D::EXCLUSIVE && !done.is_empty() {
            let rows = s.finish_done(&done).await?;
            ended = rows.iter().map(|(lease, ..)| *lease).collect();
            let keys: Vec<(&str, &str)> = rows.iter().filter_map(|(_, org, key)| Some((&**org, key.as_deref()?))).collect();
            pass_on(s, &keys).await?;
        }
        let rest: Vec<&Finish> = self.items.iter().filter(|f| !ended.contains(&f.lease)).collect();
        let rows = held(s, &rest).await?;
        let mut moves: Vec<Move> = Vec::new();
        let mut answers = Vec::with_capacity(self.items.len());
        for item in &self.items {
            if ended.contains(&item.lease) {
                answers.push(Finished::Accepted);
                continue;
            }
            let judged = judge(rows.iter().find(|r| r.seq == item.lease.seq), item.lease);
            answers.push(if matches!(judged, Held::No) { Finished::Lost } else { Finished::Accepted });
            if let Held::Yes(job) = judged
                && !moves.iter().any(|m| m.job.seq == job.seq)
            {
                check_kind(s, job, &item.outcome).await?;
                moves.push(Move::new(job.clone(), JobEvent::Finish(item.outcome.clone())));
            }
        }
        advance(s, &moves).await?;
        Ok(End::Commit(answers))
    }
}

/// The jobs of `items`, held in their state, after the lines that their ends move.
async fn held<D: Database>(s: &mut Session<D>, items: &[&Finish]) -> Result<Vec<JobBrief>, StoreError> {
    let seqs: Vec<i64> = items.iter().map(|f| f.lease.seq).collect();
    let rows = s.briefs(&seqs).await?;
    if D::EXCLUSIVE {
        return Ok(rows);
    }
    let of = |f: &&Finish| line_of(rows.iter().find(|r| r.seq == f.lease.seq)?, &f.outcome);
    line::lock(s, items.iter().filter_map(of)).await?;
    s.lock_jobs(&seqs).await
}

/// The line that the end of a job moves: it becomes ready there, or its serial key goes on.
pub(super) fn line_of<'j>(job: &'j JobBrief, outcome: &Outcome) -> Option<(&'j str, Lane)> {
    let to = Move::new(job.clone(), JobEvent::Finish(outcome.clone())).decide()?.state;
    let moves = to == JobState::Ready || (job.serial.is_some() && to.is_ended());
    moves.then_some((job.org.as_str(), job.lane))
}

/// How a lease stands.
#[derive(Debug)]
pub(super) enum Held<'a> {
    /// It holds the job.
    Yes(&'a JobBrief),
    /// It held the job and ended that itself.
    Ended,
    /// Another holds the job, or it was cancelled or taken back.
    No,
}

/// Judges a lease by the job's row.
pub(super) fn judge(row: Option<&JobBrief>, lease: LeaseRef) -> Held<'_> {
    match row {
        Some(job) if job.lease() != lease => Held::No,
        Some(job) if job.state == JobState::Leased => Held::Yes(job),
        Some(_) => Held::Ended,
        None => Held::No,
    }
}

/// A new payload must be of the job's own kind.
pub(super) async fn check_kind<D: Database>(
    s: &mut Session<D>,
    job: &JobBrief,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let Outcome::Snooze { payload: Some(payload), .. } = outcome else { return Ok(()) };
    if s.kind_of(job.seq).await?.as_deref() == Some(payload.kind().as_str()) {
        return Ok(());
    }
    Err(Error::invalid(OPERATION, "the payload is of another kind").into())
}

/// Makes a parked job ready again.
#[derive(Debug)]
pub(crate) struct Revive<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) job: JobId,
}

impl<D: Database> Work<D> for Revive<'_> {
    type Out = ();

    async fn run(&self, s: &mut Session<D>) -> Result<End<()>, StoreError> {
        let org = org_of(self.scope);
        let not_found = || Error::not_found("queue.revive", "job_not_found", "no such parked job");
        let job = s.parked_job(org, self.job).await?.ok_or_else(not_found)?;
        s.lock_line(org, job.lane).await?;
        let job = s.lock_jobs(&[job.seq]).await?.pop().filter(|job| job.state == JobState::Parked);
        let job = job.ok_or_else(not_found)?;
        let taken = Error::conflict("queue.revive", "key_taken", "a live job has its key");
        if let Some(key) = &job.dedupe
            && !s.survivors(&[(org, key)]).await?.is_empty()
        {
            return Err(taken.into());
        }
        if let Some(key) = &job.serial
            && !s.held(&[(org, key)]).await?.is_empty()
        {
            return Err(taken.into());
        }
        advance(s, &[Move::new(job, JobEvent::Revive)]).await?;
        Ok(End::Commit(()))
    }
}
