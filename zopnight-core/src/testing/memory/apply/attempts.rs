//! Attempts: patch, close, close with their revision, open within the slots.

use super::plan::{Plan, stale_revision};
use super::{Stop, answer};
use crate::domain::{
    Applied, AttemptId, AttemptOp, AttemptPatch, BuildAttempt, DispatchState, NewAttempt, RevisionChange, Settled, Stale,
    Timestamp,
};
use crate::testing::memory::data::Data;

fn stale(jti: AttemptId) -> Stop {
    answer(Applied::Stale(Stale::Attempt(jti)))
}

impl Data {
    /// Patches see the attempt as it was before the change, so that one change may record a run and settle it.
    pub(super) fn plan_attempts(&self, change: &RevisionChange, plan: &mut Plan) -> Result<(), Stop> {
        for op in &change.attempts {
            if let AttemptOp::Patch { jti, patch } = op {
                let mut attempt = self.attempt(plan, *jti).ok_or_else(|| stale(*jti))?;
                revise(&mut attempt, patch, plan.now)?;
                plan.attempts.insert(*jti, attempt);
            }
        }
        for op in &change.attempts {
            if let AttemptOp::Close { jti, settled, outcome, body_digest } = op {
                let mut attempt = self.attempt(plan, *jti).filter(BuildAttempt::is_open).ok_or_else(|| stale(*jti))?;
                (attempt.outcome, attempt.body_digest) = (*outcome, *body_digest);
                plan.close(attempt, *settled);
            }
        }
        for id in plan.left_build.clone() {
            let stored: Vec<AttemptId> = self.catalog.attempts_of(&change.org, id).map(|a| a.jti).collect();
            for jti in stored {
                if let Some(attempt) = self.attempt(plan, jti).filter(BuildAttempt::is_open) {
                    plan.close(attempt, Settled::Ended);
                }
            }
        }
        for op in &change.attempts {
            if let AttemptOp::Open(new) = op {
                self.plan_open(new, plan)?;
            }
        }
        let open = self.catalog.open_attempts(&change.org).saturating_sub(plan.closed).saturating_add(plan.opened);
        let slots = usize::try_from(self.options.build_slots_per_org).unwrap_or(usize::MAX);
        if plan.opened > 0 && open > slots { Err(answer(Applied::AtCapacity)) } else { Ok(()) }
    }

    fn attempt(&self, plan: &Plan, jti: AttemptId) -> Option<BuildAttempt> {
        let stored = || self.catalog.attempts.get(&(plan.deployment.org.clone(), jti));
        let attempt = plan.attempts.get(&jti).or_else(stored)?;
        self.planned(plan, attempt.revision).map(|_| attempt.clone())
    }

    fn plan_open(&self, new: &NewAttempt, plan: &mut Plan) -> Result<(), Stop> {
        let builds = self.planned(plan, new.revision).is_some_and(|row| row.revision.state.is_before_built());
        if !builds {
            return Err(stale_revision(new.revision));
        }
        let org = &plan.deployment.org;
        let stored = self.catalog.attempts.contains_key(&(org.clone(), new.jti))
            || self.catalog.attempts_of(org, new.revision).any(|a| a.number == new.number);
        let planned = plan.attempts.values().any(|a| a.revision == new.revision && a.number == new.number);
        if stored || planned || plan.attempts.contains_key(&new.jti) {
            return Err(stale(new.jti));
        }
        plan.opened = plan.opened.saturating_add(1);
        plan.attempts.insert(new.jti, opened(new, plan.now));
        Ok(())
    }
}

impl Plan {
    fn close(&mut self, mut attempt: BuildAttempt, settled: Settled) {
        attempt.settled = Some(settled);
        attempt.closed_at = Some(self.now);
        self.closed = self.closed.saturating_add(1);
        self.attempts.insert(attempt.jti, attempt);
    }
}

fn revise(attempt: &mut BuildAttempt, patch: &AttemptPatch, now: Timestamp) -> Result<(), Stop> {
    if !attempt.is_open() && (patch.dispatch.is_some() || patch.run.is_some()) {
        return Err(stale(attempt.jti));
    }
    if let Some(dispatch) = patch.dispatch {
        attempt.dispatch = dispatch;
        if dispatch != DispatchState::Pending {
            attempt.dispatched_at = attempt.dispatched_at.or(Some(now));
        }
    }
    if let Some(run) = &patch.run {
        attempt.run = Some(run.clone());
    }
    if let Some(code) = patch.refusal {
        attempt.refusals = attempt.refusals.saturating_add(1);
        attempt.last_refusal = Some(code.to_owned());
    }
    Ok(())
}

fn opened(new: &NewAttempt, now: Timestamp) -> BuildAttempt {
    BuildAttempt {
        jti: new.jti,
        revision: new.revision,
        number: new.number,
        image_repository: new.image_repository.clone(),
        commit: new.commit.clone(),
        deadline: new.deadline,
        dispatch: DispatchState::Pending,
        run: None,
        settled: None,
        outcome: None,
        body_digest: None,
        refusals: 0,
        last_refusal: None,
        opened_at: now,
        dispatched_at: None,
        closed_at: None,
    }
}
