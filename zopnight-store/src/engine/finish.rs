//! Ending leases, and giving parked jobs another life.

use std::collections::HashSet;

use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{Finish, Finished, JobId, JobState, LeaseRef, Outcome, Scope};
use zopnight_core::{Error, Result};

use super::line::{advance, pass_on};
use super::plan::{Move, org_of};
use crate::error::StoreError;
use crate::retry::{End, Work};
use crate::row::JobBrief;
use crate::sqlite::Session;

const MAX_ITEMS: usize = 100;

/// Ends up to 100 leases.
#[derive(Debug)]
pub(crate) struct FinishAll {
    items: Vec<Finish>,
}

impl FinishAll {
    pub(crate) fn new(items: Vec<Finish>) -> Result<Self> {
        if items.len() > MAX_ITEMS {
            return Err(Error::invalid("queue.finish", "at most 100 items at once"));
        }
        items.iter().try_for_each(|item| check(&item.outcome))?;
        Ok(Self { items })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
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
        return Err(Error::invalid("queue.finish", "a pause must be at most 30 days"));
    }
    match payload.map(JobPayload::to_json).transpose()? {
        Some(json) if json.len() > JobPayload::MAX_BYTES => {
            Err(Error::invalid("queue.finish", "payload must be at most 16,384 bytes"))
        }
        _ => Ok(()),
    }
}

impl Work for FinishAll {
    type Out = Vec<Finished>;

    async fn run(&self, s: &mut Session) -> Result<End<Vec<Finished>>, StoreError> {
        let is_done = |f: &&Finish| matches!(f.outcome, Outcome::Done);
        let done: Vec<LeaseRef> = self.items.iter().filter(is_done).map(|f| f.lease).collect();
        let mut ended: HashSet<LeaseRef> = HashSet::new();
        if !done.is_empty() {
            let rows = s.finish_done(&done).await?;
            ended = rows.iter().map(|(lease, ..)| *lease).collect();
            let keys: Vec<(&str, &str)> = rows.iter().filter_map(|(_, org, key)| Some((&**org, key.as_deref()?))).collect();
            pass_on(s, &keys).await?;
        }
        let rest: Vec<i64> = self.items.iter().filter(|f| !ended.contains(&f.lease)).map(|f| f.lease.seq).collect();
        let rows = if rest.is_empty() { Vec::new() } else { s.briefs(&rest).await? };
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
pub(super) async fn check_kind(s: &mut Session, job: &JobBrief, outcome: &Outcome) -> Result<(), StoreError> {
    let Outcome::Snooze { payload: Some(payload), .. } = outcome else { return Ok(()) };
    if s.kind_of(job.seq).await?.as_deref() == Some(payload.kind().as_str()) {
        return Ok(());
    }
    Err(Error::invalid("queue.finish", "the payload is of another kind").into())
}

/// Makes a parked job ready again.
#[derive(Debug)]
pub(crate) struct Revive<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) job: JobId,
}

impl Work for Revive<'_> {
    type Out = ();

    async fn run(&self, s: &mut Session) -> Result<End<()>, StoreError> {
        let org = org_of(self.scope);
        let Some((job, dedupe)) = s.parked_job(org, self.job).await? else {
            return Err(Error::not_found("queue.revive", "job_not_found", "no such parked job").into());
        };
        let taken = Error::conflict("queue.revive", "key_taken", "a live job has its key");
        if let Some(key) = dedupe
            && !s.survivors(&[(org, &key)]).await?.is_empty()
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
