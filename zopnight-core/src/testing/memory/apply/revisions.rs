//! Revisions: creation, compare-and-set, which one serves.

use super::plan::{Plan, needs_build, stale_revision};
use super::{Stop, answer};
use crate::domain::revision::Revision;
use crate::domain::{
    Applied, NewRevision, RevisionChange, RevisionMove, RevisionNumber, RevisionOp, RevisionState, Rollout, Timestamp,
};
use crate::testing::memory::catalog::RevisionRow;
use crate::testing::memory::data::Data;

pub(super) fn moves(change: &RevisionChange) -> impl Iterator<Item = &RevisionMove> {
    change.revisions.iter().filter_map(|op| match op {
        RevisionOp::Move(step) => Some(&**step),
        RevisionOp::Create(_) => None,
    })
}

impl Data {
    pub(super) fn plan_revisions(&self, change: &RevisionChange, plan: &mut Plan) -> Result<(), Stop> {
        for op in &change.revisions {
            match op {
                RevisionOp::Create(new) => self.plan_create(new, plan)?,
                RevisionOp::Move(step) => self.plan_move(step, plan)?,
            }
        }
        Ok(())
    }

    fn plan_create(&self, new: &NewRevision, plan: &mut Plan) -> Result<(), Stop> {
        let d = &mut plan.deployment;
        if let Some(row) = self.catalog.revision(&d.org, new.id) {
            return Err(answer(Applied::Exists(Box::new(self.catalog.view(row)))));
        }
        let number = RevisionNumber::new(d.newest_number.saturating_add(1))?;
        (d.newest_number, d.newest_revision) = (number.get(), new.id);
        if new.at_head {
            d.source_head = Some(new.commit.sha.clone());
            d.last_accepted_at = Some(plan.now);
        }
        plan.numbers.push((new.id, number));
        let revision = Revision {
            org: d.org.clone(),
            deployment: d.id,
            id: new.id,
            number,
            state: new.state,
            version: 1,
            cause: new.cause.clone(),
            commit: new.commit.clone(),
            branch: new.branch.clone(),
            actor: new.actor.clone(),
            build: new.build.clone(),
            runtime: new.runtime.clone(),
            target: new.target.clone(),
            plan: None,
            image: new.image.clone(),
            reason: None,
            superseded_by: None,
            rollout: Rollout::default(),
            created_at: plan.now,
            build_started_at: None,
            built_at: (new.state == RevisionState::Built).then_some(plan.now),
            deploy_started_at: None,
            finished_at: None,
            updated_at: plan.now,
        };
        plan.revisions.insert(number.get(), RevisionRow { revision, delivery_digest: new.delivery_digest, events: 0 });
        Ok(())
    }

    fn plan_move(&self, step: &RevisionMove, plan: &mut Plan) -> Result<(), Stop> {
        let Some(row) = self.planned(plan, step.id) else { return Err(stale_revision(step.id)) };
        if row.revision.version != step.version || row.revision.state != step.from {
            return Err(stale_revision(step.id));
        }
        let mut row = row.clone();
        patch(&mut row.revision, step, plan.now);
        let (number, id) = (row.revision.number.get(), row.revision.id);
        if needs_build(step.from) && !needs_build(step.to) {
            plan.left_build.push(id);
        }
        if step.to == RevisionState::Succeeded && number > plan.deployment.current_number {
            plan.deployment.current_revision = Some(id);
            plan.deployment.current_number = number;
        }
        plan.revisions.insert(number, row);
        Ok(())
    }
}

fn patch(r: &mut Revision, step: &RevisionMove, now: Timestamp) {
    r.version = r.version.saturating_add(1);
    r.updated_at = now;
    if step.to != step.from {
        r.state = step.to;
        match step.to {
            RevisionState::Building => r.build_started_at = Some(now),
            RevisionState::Built => r.built_at = Some(now),
            RevisionState::Deploying => r.deploy_started_at = Some(now),
            _ => {}
        }
        r.finished_at = step.to.is_terminal().then_some(now);
    }
    let p = step.patch.clone();
    r.plan = p.plan.or_else(|| r.plan.take());
    r.image = p.image.or_else(|| r.image.take());
    r.reason = p.reason.or_else(|| r.reason.take());
    r.superseded_by = p.superseded_by.or(r.superseded_by);
    if let Some(runtime) = p.runtime {
        r.runtime = runtime;
    }
    if let Some(rollout) = p.rollout {
        r.rollout = rollout;
    }
}
