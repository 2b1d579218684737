//! Enqueue, claim, extend, finish.

use std::time::Duration;

use super::data::Data;
use super::jobs::{JobRow, Unreadable};
use super::line::{Held, Op};
use crate::domain::job_state::JobEvent;
use crate::domain::{
    ClaimRequest, Enqueued, Extended, Fence, Finish, Finished, JobError, JobState, Lease, LeaseRef, NewJob, Outcome,
    Timestamp,
};
use crate::error::{Error, Result};

const MAX_JOBS: usize = 500;
const MAX_BATCH_BYTES: usize = 4 << 20;
const MAX_FINISH: usize = 100;
/// How long a job of another release is left alone.
const FOREIGN: Duration = Duration::from_secs(60);
const LEASE: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3_600);

pub(super) fn check_jobs(jobs: &[NewJob], max: usize) -> Result<()> {
    if jobs.len() > max {
        return Err(Error::invalid("queue.enqueue", format!("at most {max} jobs")));
    }
    let mut bytes = 0_usize;
    for job in jobs {
        job.check()?;
        bytes = bytes.saturating_add(job.payload.to_json()?.len());
    }
    if bytes > MAX_BATCH_BYTES {
        return Err(Error::invalid("queue.enqueue", "payloads must be at most 4 MiB together"));
    }
    Ok(())
}

fn check_lease(operation: &'static str, lease: Duration) -> Result<()> {
    if LEASE.contains(&lease) { Ok(()) } else { Err(Error::invalid(operation, "a lease must last 5 s to 1 h")) }
}

/// Gives a broken row up, naming its column and never the value.
pub(super) fn park_corrupt(row: &mut JobRow, now: Timestamp, column: &str) {
    let message = format!("jobs.{column} of {} does not decode", row.seq);
    (row.state, row.place, row.finished_at) = (JobState::Parked, now.as_micros(), Some(now));
    row.last_error = Some(JobError::new("store_corrupt", &message));
}

impl Data {
    pub(super) fn enqueue(&mut self, op: &mut Op, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        check_jobs(&jobs, MAX_JOBS)?;
        Ok(jobs.into_iter().map(|job| self.line.add(op, job)).collect())
    }

    pub(super) fn claim(&mut self, op: &mut Op, request: &ClaimRequest) -> Result<Vec<Lease>> {
        check_lease("queue.claim", request.lease)?;
        if request.want.iter().any(|w| !(1..=100).contains(&w.max)) {
            return Err(Error::invalid("queue.claim", "max must be 1 to 100"));
        }
        let mut leases = Vec::new();
        for want in &request.want {
            let max = usize::try_from(want.max).unwrap_or(usize::MAX);
            let line = self.line.jobs.ready.get(&want.lane);
            let heads: Vec<i64> = line.into_iter().flatten().take(max).map(|(_, seq)| *seq).collect();
            for seq in heads {
                self.line.step(op, seq, &JobEvent::Claim);
                self.line.jobs.change(seq, |row| row.lease_until = Some(op.now.plus(request.lease)));
                match self.line.jobs.get(seq).and_then(|row| row.unreadable) {
                    None => leases.extend(self.lease(seq, op.now, request.lease)),
                    Some(why) => self.set_aside(seq, op.now, why),
                }
            }
        }
        Ok(leases)
    }

    /// What cannot be read here may be read by another release; a broken row is kept for an operator.
    fn set_aside(&mut self, seq: i64, now: Timestamp, why: Unreadable) {
        self.line.jobs.change(seq, |row| {
            row.lease_until = None;
            match why {
                Unreadable::Foreign => (row.state, row.place) = (JobState::Delayed, now.plus(FOREIGN).as_micros()),
                Unreadable::Serial => park_corrupt(row, now, "serial_key"),
                Unreadable::Counter => park_corrupt(row, now, "losses"),
            }
        });
    }

    fn lease(&self, seq: i64, now: Timestamp, lease: Duration) -> Option<Lease> {
        let row = self.line.jobs.get(seq)?;
        Some(Lease {
            job: LeaseRef { seq, fence: Fence::of(seq, row.counters.fence) },
            id: row.job.id,
            scope: row.job.scope.clone(),
            kind: row.job.kind,
            payload: row.job.payload.clone(),
            serial: row.job.serial.clone(),
            deployment: row.job.deployment,
            revision: row.job.revision,
            failures: row.counters.failures,
            losses: row.counters.losses,
            panics: row.counters.panics,
            snoozes: row.counters.snoozes,
            waited: now.since(row.ready_at),
            lease,
            cancel_asked: row.cancel_asked,
        })
    }

    pub(super) fn extend(&mut self, op: &Op, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
        check_lease("queue.extend", lease)?;
        let until = op.now.plus(lease);
        let answers = leases.iter().map(|held| {
            if self.line.held(*held) != Held::Yes {
                return Extended::Lost;
            }
            self.line.jobs.change(held.seq, |row| row.lease_until = Some(until));
            match self.line.jobs.get(held.seq) {
                Some(row) if row.cancel_asked => Extended::CancelAsked(lease),
                _ => Extended::Until(lease),
            }
        });
        Ok(answers.collect())
    }

    /// Refuses an outcome whose payload is of another kind than the job.
    pub(super) fn check_outcome(&self, lease: LeaseRef, outcome: &Outcome) -> Result<()> {
        let Outcome::Snooze { payload: Some(payload), .. } = outcome else { return Ok(()) };
        if payload.to_json()?.len() > crate::domain::JobPayload::MAX_BYTES {
            return Err(Error::invalid("queue.finish", "payload must be at most 16,384 bytes"));
        }
        match self.line.jobs.get(lease.seq) {
            Some(row) if row.job.kind != payload.kind() => {
                Err(Error::invalid("queue.finish", "the payload is of another kind"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn finish(&mut self, op: &mut Op, items: Vec<Finish>) -> Result<Vec<Finished>> {
        if items.len() > MAX_FINISH {
            return Err(Error::invalid("queue.finish", "at most 100 items"));
        }
        for item in &items {
            self.check_outcome(item.lease, &item.outcome)?;
        }
        Ok(items
            .into_iter()
            .map(|Finish { lease, outcome }| match self.line.held(lease) {
                Held::Yes => {
                    self.line.step(op, lease.seq, &JobEvent::Finish(outcome));
                    Finished::Accepted
                }
                Held::Ended => Finished::Accepted,
                Held::No => Finished::Lost,
            })
            .collect())
    }

    /// Seqs of the leases that ran out before `now`.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<i64> {
        let rows = self.line.jobs.leased.iter().filter_map(|seq| self.line.jobs.get(*seq));
        let readable = rows.filter(|row| row.unreadable != Some(Unreadable::Counter));
        readable
            .filter(|row| row.state == JobState::Leased && row.lease_until.is_some_and(|until| until < now))
            .map(|row| row.seq)
            .collect()
    }
}
