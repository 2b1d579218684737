//! Copies of the rows a change touches, as they will be written.

use std::collections::BTreeMap;

use super::check::invalid;
use super::{Stop, answer};
use crate::domain::{
    Applied, AttemptId, BuildAttempt, Deployment, DeploymentOp, Event, RevisionChange, RevisionId, RevisionNumber,
    RevisionState, Timestamp,
};
use crate::testing::memory::catalog::RevisionRow;
use crate::testing::memory::data::Data;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) now: Timestamp,
    pub(super) deployment: Deployment,
    pub(super) created: bool,
    pub(super) gone: bool,
    /// Touched revisions, by number.
    pub(super) revisions: BTreeMap<u32, RevisionRow>,
    pub(super) numbers: Vec<(RevisionId, RevisionNumber)>,
    /// Revisions that leave queued and building in this change.
    pub(super) left_build: Vec<RevisionId>,
    pub(super) attempts: BTreeMap<AttemptId, BuildAttempt>,
    pub(super) closed: usize,
    pub(super) opened: usize,
    pub(super) events: Vec<Event>,
}

impl Plan {
    pub(super) const fn of(now: Timestamp, deployment: Deployment) -> Self {
        Self {
            now,
            deployment,
            created: false,
            gone: false,
            revisions: BTreeMap::new(),
            numbers: Vec::new(),
            left_build: Vec::new(),
            attempts: BTreeMap::new(),
            closed: 0,
            opened: 0,
            events: Vec::new(),
        }
    }
}

/// Events of a revision past which only the end is told.
const EVENTS_OF_REVISION: u32 = 500;

impl Data {
    /// A revision of the change's deployment as the plan leaves it.
    pub(super) fn planned<'a>(&'a self, plan: &'a Plan, id: RevisionId) -> Option<&'a RevisionRow> {
        let touched = plan.revisions.values().find(|row| row.revision.id == id);
        touched.or_else(|| {
            let stored = self.catalog.revision(&plan.deployment.org, id);
            stored.filter(|row| row.revision.deployment == plan.deployment.id)
        })
    }

    /// The rules over the whole, the log and the events.
    pub(super) fn plan_rest(&self, change: &RevisionChange, plan: &mut Plan) -> Result<(), Stop> {
        let unfinished = self.unfinished_after(plan);
        if matches!(change.deployment_op, DeploymentOp::Gone) && unfinished > 0 {
            return Err(invalid("a deployment is gone only when all its revisions have ended").into());
        }
        if !plan.numbers.is_empty()
            && unfinished > usize::try_from(self.options.unfinished_per_deployment).unwrap_or(usize::MAX)
        {
            return Err(invalid("too many revisions are under way").with("code", "too_many_unfinished").into());
        }
        if change.log.as_ref().is_some_and(|log| self.planned(plan, log.revision).is_none()) {
            return Err(invalid("the log is of a revision that is not the deployment's").into());
        }
        self.plan_events(change, plan);
        Ok(())
    }

    fn unfinished_after(&self, plan: &Plan) -> usize {
        let row = self.catalog.row(&plan.deployment.org, plan.deployment.id);
        let untouched = row.map_or(0, |r| r.unfinished.iter().filter(|n| !plan.revisions.contains_key(n)).count());
        let touched = plan.revisions.values().filter(|r| !r.revision.state.is_terminal()).count();
        untouched.saturating_add(touched)
    }

    /// Counts an event of a revision; `false` past its limit, unless the change ends the revision.
    fn counts(&self, change: &RevisionChange, plan: &mut Plan, id: RevisionId) -> bool {
        let touched = plan.revisions.values().find(|row| row.revision.id == id).map(|row| row.revision.number.get());
        let number = touched.or_else(|| {
            let row = self.planned(plan, id)?.clone();
            let number = row.revision.number.get();
            plan.revisions.insert(number, row);
            Some(number)
        });
        let Some(row) = number.and_then(|number| plan.revisions.get_mut(&number)) else { return true };
        let ends = super::revisions::moves(change).any(|step| step.id == id && step.to.is_terminal());
        let counted = row.events < EVENTS_OF_REVISION || ends;
        row.events = row.events.saturating_add(u32::from(counted));
        counted
    }

    fn plan_events(&self, change: &RevisionChange, plan: &mut Plan) {
        let row = self.catalog.row(&change.org, change.deployment);
        let mut seq = row.and_then(|r| r.events.last()).map_or(0, |e| e.seq);
        for event in &change.events {
            if let Some(id) = event.revision
                && !self.counts(change, plan, id)
            {
                continue;
            }
            seq = seq.saturating_add(1);
            plan.events.push(Event {
                seq,
                at: plan.now,
                kind: event.kind,
                revision: event.revision,
                actor: event.actor.clone(),
                message: event.message.clone(),
                data: event.data.clone(),
            });
        }
    }
}

pub(super) fn stale_revision(id: RevisionId) -> Stop {
    answer(Applied::Stale(crate::domain::Stale::Revision(id)))
}

pub(super) const fn needs_build(state: RevisionState) -> bool {
    state.is_before_built()
}
