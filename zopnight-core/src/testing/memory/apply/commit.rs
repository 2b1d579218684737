//! Writes a plan.

use std::collections::BTreeSet;

use super::plan::Plan;
use crate::domain::job_state::JobEvent;
use crate::domain::{
    CancelJobs, Committed, DeploymentRef, Enqueued, IdempotencyRecord, JobKind, JobStep, RevisionChange, Scope,
};
use crate::testing::memory::catalog::{Catalog, DeploymentRow};
use crate::testing::memory::data::Data;
use crate::testing::memory::line::Op;

impl Data {
    pub(super) fn commit(&mut self, op: &mut Op, change: RevisionChange, plan: Plan) -> Committed {
        let scope = Scope::Org(change.org.clone());
        let freed = plan.closed.saturating_sub(plan.opened);
        let (version, numbers) = (plan.deployment.version, plan.numbers.clone());
        let events = plan.events.first().zip(plan.events.last()).map(|(first, last)| (first.seq, last.seq));
        if let Some(wanted) = &change.idempotency {
            let record = IdempotencyRecord {
                key: wanted.key,
                request_digest: wanted.request_digest,
                status: wanted.status,
                deployment: change.deployment,
                revision: numbers.first().map(|(id, _)| *id),
                created_at: plan.now,
            };
            self.catalog.idempotency.insert((change.org.clone(), wanted.key), record);
        }
        if let JobStep::Finish(lease, outcome) = change.job {
            self.line.step(op, lease.seq, &JobEvent::Finish(outcome));
        }
        self.catalog.write(plan);
        if let Some(log) = change.log {
            self.catalog.logs.insert((change.org, log.revision, log.source), log.tail);
        }
        self.cancel(op, &scope, &change.cancel);
        let enqueued: Vec<Enqueued> = change.jobs.into_iter().map(|job| self.line.add(op, job)).collect();
        self.line.free_slots(op, &scope, freed);
        Committed { version, numbers, events, enqueued }
    }

    /// In the order of enqueueing, whatever the order of the requests.
    fn cancel(&mut self, op: &mut Op, scope: &Scope, what: &[CancelJobs]) {
        let kinds = [JobKind::Build, JobKind::WatchBuild, JobKind::Deploy];
        let mut seqs = BTreeSet::new();
        for cancel in what {
            match cancel {
                CancelJobs::OfRevision(id) => {
                    let jobs = self.line.jobs.of_revision(*id);
                    let jobs = jobs.filter(|row| row.job.scope == *scope && kinds.contains(&row.job.kind));
                    seqs.extend(jobs.map(|row| row.seq));
                }
                CancelJobs::Key(key) => seqs.extend(self.line.jobs.survivor(scope, key)),
            }
        }
        for seq in seqs {
            self.line.cancel(op, seq);
        }
    }
}

impl Catalog {
    fn write(&mut self, plan: Plan) {
        let (org, id) = (plan.deployment.org.clone(), plan.deployment.id);
        for attempt in plan.attempts.into_values() {
            self.put_attempt(&org, attempt);
        }
        for row in plan.revisions.values() {
            self.places.insert((org.clone(), row.revision.id), (id, row.revision.number.get()));
        }
        let name = (org.clone(), plan.deployment.name.clone());
        let live = self.live.entry(org.clone()).or_default();
        if plan.created {
            *live = live.saturating_add(1);
            self.names.insert(name, id);
        } else if plan.gone {
            *live = live.saturating_sub(1);
            self.names.remove(&name);
        }
        let at = DeploymentRef { org, id };
        if let Some(old) = self.deployments.get(&at).map(|row| row.deployment.source.clone()) {
            self.follow(&at, &old, false);
        }
        let follows = plan.deployment.source.auto_deploy && plan.deployment.deleting_at.is_none() && !plan.gone;
        self.follow(&at, &plan.deployment.source, follows);
        let row = self.deployments.entry(at).or_insert_with(|| DeploymentRow {
            deployment: plan.deployment.clone(),
            deleted_at: None,
            revisions: std::collections::BTreeMap::new(),
            unfinished: std::collections::BTreeSet::new(),
            events: Vec::new(),
        });
        row.deployment = plan.deployment;
        row.deleted_at = plan.gone.then_some(plan.now);
        for (number, revision) in plan.revisions {
            if revision.revision.state.is_terminal() {
                row.unfinished.remove(&number);
            } else {
                row.unfinished.insert(number);
            }
            row.revisions.insert(number, revision);
        }
        row.events.extend(plan.events);
    }
}
