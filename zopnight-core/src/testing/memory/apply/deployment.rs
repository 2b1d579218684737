//! The deployment's row: creation, expectations, operations.

use super::plan::Plan;
use super::{Stop, answer};
use crate::domain::{
    Applied, AttemptOp, ConfigPatch, Deployment, DeploymentOp, Expect, NewDeployment, QuotaKind, RevisionChange, RevisionOp,
    SourcePatch, Stale, Timestamp,
};
use crate::error::Error;
use crate::testing::memory::data::Data;

impl Data {
    pub(super) fn plan_deployment(&self, now: Timestamp, change: &RevisionChange) -> Result<Plan, Stop> {
        if let DeploymentOp::Create(new) = &change.deployment_op {
            self.check_free(change, new)?;
            let mut plan = Plan::of(now, first(now, change, new)?);
            plan.created = true;
            return Ok(plan);
        }
        let Some(row) = self.catalog.row(&change.org, change.deployment) else {
            return Err(Error::not_found("store.apply", "deployment_not_found", "no such deployment").into());
        };
        expected(&row.deployment, &change.expect)?;
        if row.deployment.deleting_at.is_some() && !is_farewell(change) {
            return Err(answer(Applied::Deleting));
        }
        let mut plan = Plan::of(now, row.deployment.clone());
        let d = &mut plan.deployment;
        d.version = d.version.saturating_add(1);
        d.updated_at = now;
        match &change.deployment_op {
            DeploymentOp::Keep | DeploymentOp::Create(_) => {}
            DeploymentOp::Configure(patch) => configure(d, patch),
            DeploymentOp::Source(patch) => resource(d, patch),
            DeploymentOp::Deleting => d.deleting_at = Some(now),
            DeploymentOp::Gone => plan.gone = true,
        }
        Ok(plan)
    }

    fn check_free(&self, change: &RevisionChange, new: &NewDeployment) -> Result<(), Stop> {
        for op in &change.revisions {
            if let RevisionOp::Create(revision) = op
                && let Some(row) = self.catalog.revision(&change.org, revision.id)
            {
                return Err(answer(Applied::Exists(Box::new(self.catalog.view(row)))));
            }
        }
        let limit = usize::try_from(self.options.deployments_per_org).unwrap_or(usize::MAX);
        if self.catalog.live.get(&change.org).is_some_and(|live| *live >= limit) {
            return Err(answer(Applied::Quota(QuotaKind::Deployments)));
        }
        if self.catalog.names.contains_key(&(change.org.clone(), new.name.clone())) {
            return Err(answer(Applied::NameTaken));
        }
        let key = crate::domain::DeploymentRef { org: change.org.clone(), id: change.deployment };
        if self.catalog.deployments.contains_key(&key) {
            return Err(super::check::invalid("the deployment's id is taken").into());
        }
        Ok(())
    }
}

fn first(now: Timestamp, change: &RevisionChange, new: &NewDeployment) -> Result<Deployment, Stop> {
    let newest = change.revisions.iter().find_map(|op| match op {
        RevisionOp::Create(revision) => Some(revision.id),
        RevisionOp::Move(_) => None,
    });
    Ok(Deployment {
        org: change.org.clone(),
        id: change.deployment,
        name: new.name.clone(),
        source: new.source.clone(),
        build: new.build.clone(),
        runtime: new.runtime.clone(),
        target: new.target.clone(),
        config_version: 1,
        version: 1,
        current_revision: None,
        current_number: 0,
        newest_revision: newest.ok_or_else(|| super::check::invalid("a deployment is created with its first revision"))?,
        newest_number: 0,
        source_head: None,
        skipped_head: None,
        branch_mark: None,
        last_accepted_at: None,
        deleting_at: None,
        created_at: now,
        updated_at: now,
    })
}

fn expected(d: &Deployment, expect: &Expect) -> Result<(), Stop> {
    let checks = [
        (expect.version.is_none_or(|v| v == d.version), Stale::Version),
        (expect.newest_number.is_none_or(|n| n == d.newest_number), Stale::NewestNumber),
        (expect.config_version.is_none_or(|v| v == d.config_version), Stale::ConfigVersion),
    ];
    match checks.into_iter().find(|(ok, _)| !ok) {
        Some((_, stale)) => Err(answer(Applied::Stale(stale))),
        None => Ok(()),
    }
}

/// Whether a deployment that is being removed still takes the change: ends, events and the removal itself.
fn is_farewell(change: &RevisionChange) -> bool {
    let op = matches!(change.deployment_op, DeploymentOp::Keep | DeploymentOp::Gone);
    let ends = |op: &RevisionOp| matches!(op, RevisionOp::Move(step) if step.to.is_terminal());
    let opens = change.attempts.iter().any(|op| matches!(op, AttemptOp::Open(_)));
    op && change.revisions.iter().all(ends) && !opens
}

fn configure(d: &mut Deployment, patch: &ConfigPatch) {
    d.config_version = d.config_version.saturating_add(1);
    if let Some(branch) = &patch.branch
        && *branch != d.source.branch
    {
        d.source.branch = branch.clone();
        (d.source_head, d.skipped_head, d.branch_mark) = (None, None, None);
    }
    if let Some(root) = &patch.root_path {
        d.source.root_path = root.clone();
    }
    if let Some(auto) = patch.auto_deploy {
        d.source.auto_deploy = auto;
    }
    if let Some(build) = &patch.build {
        d.build = build.clone();
    }
    if let Some(runtime) = &patch.runtime {
        d.runtime = runtime.clone();
    }
}

fn resource(d: &mut Deployment, patch: &SourcePatch) {
    if let Some((owner, name)) = &patch.renamed {
        d.source.owner = owner.clone();
        d.source.name = name.clone();
    }
    if let Some(mark) = patch.mark {
        d.branch_mark = mark;
    }
    if let Some(head) = &patch.skipped_head {
        d.skipped_head = Some(head.clone());
    }
}
