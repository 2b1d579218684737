//! `apply`: everything is decided on copies of the touched rows first, then written; nothing written can fail.

mod attempts;
mod check;
mod commit;
mod deployment;
mod plan;
mod revisions;

use super::data::Data;
use super::jobs::JobRow;
use super::line::{Held, Op};
use crate::domain::job_state::JobEvent;
use crate::domain::{Applied, JobStep, RevisionChange};
use crate::error::{Error, Result};
use plan::Plan;

/// Why a change is not carried out.
#[derive(Debug)]
enum Stop {
    Answer(Box<Applied>),
    Failure(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failure(error)
    }
}

fn answer(applied: Applied) -> Stop {
    Stop::Answer(Box::new(applied))
}

impl Data {
    pub(super) fn apply(&mut self, op: &mut Op, change: RevisionChange) -> Result<Applied> {
        check::check(&change)?;
        if let JobStep::Finish(lease, outcome) = &change.job {
            self.check_outcome(*lease, outcome)?;
        }
        match self.plan(op, &change) {
            Ok(plan) => Ok(Applied::Committed(self.commit(op, change, plan))),
            Err(Stop::Failure(error)) => Err(error),
            Err(Stop::Answer(answer)) => {
                if let (Applied::AtCapacity, JobStep::Hold(lease)) = (&*answer, &change.job) {
                    self.line.step(op, lease.seq, &JobEvent::BlockOnSlot);
                }
                Ok(*answer)
            }
        }
    }

    fn plan(&self, op: &Op, change: &RevisionChange) -> Result<Plan, Stop> {
        self.replay(op, change)?;
        let mut plan = self.plan_deployment(op.now, change)?;
        self.job_step(change)?;
        self.plan_revisions(change, &mut plan)?;
        self.plan_attempts(change, &mut plan)?;
        self.plan_rest(change, &mut plan)?;
        Ok(plan)
    }

    fn replay(&self, op: &Op, change: &RevisionChange) -> Result<(), Stop> {
        let Some(wanted) = &change.idempotency else { return Ok(()) };
        let Some(record) = self.known(op.now, &change.org, &wanted.key) else { return Ok(()) };
        Err(answer(if record.request_digest == wanted.request_digest {
            Applied::Replayed(record.clone())
        } else {
            Applied::KeyReused
        }))
    }

    fn job_step(&self, change: &RevisionChange) -> Result<(), Stop> {
        let (lease, finish) = match &change.job {
            JobStep::None => return Ok(()),
            JobStep::Hold(lease) => (*lease, false),
            JobStep::Finish(lease, _) => (*lease, true),
        };
        let foreign = |job: &JobRow| job.job.scope.org().is_some_and(|org| *org != change.org);
        if self.line.jobs.get(lease.seq).is_some_and(foreign) {
            return Err(answer(Applied::LeaseLost));
        }
        match self.line.held(lease) {
            Held::Yes => Ok(()),
            Held::Ended if finish => Err(answer(Applied::AlreadyFinished)),
            Held::Ended | Held::No => Err(answer(Applied::LeaseLost)),
        }
    }
}
