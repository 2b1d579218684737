//! The one write to the catalog, in the order in which every transaction of the store takes its rows.

use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{
    Applied, Committed, ConfigPatch, Deployment, DeploymentOp, Expect, JobStep, Lane, LeaseRef, NewDeployment, OrgId,
    QuotaKind, RevisionChange, RevisionOp, SourcePatch, Stale, Timestamp,
};
use zopnight_core::{Error, Result};

use super::finish::{Held, check_kind, judge, line_of};
use super::line::{self, advance};
use super::plan::Move;
use super::{attempts, cancel, check, enqueue, reads, revisions};
use crate::database::Database;
use crate::error::StoreError;
use crate::retry::{End, Work};
use crate::row::DeploymentRow;
use crate::session::Session;

const OPERATION: &str = "store.apply";

/// A checked change.
#[derive(Debug)]
pub(crate) struct Apply {
    change: RevisionChange,
}

impl Apply {
    pub(crate) fn new(change: RevisionChange) -> Result<Self> {
        check::check(&change)?;
        Ok(Self { change })
    }

    /// The lease whose job waits when no build slot is free.
    pub(crate) const fn holder(&self) -> Option<LeaseRef> {
        match self.change.job {
            JobStep::Hold(lease) => Some(lease),
            _ => None,
        }
    }

    pub(crate) const fn org(&self) -> &OrgId {
        &self.change.org
    }
}

/// Ends the change with an answer that leaves everything as it was.
pub(super) fn verdict(answer: Applied) -> StoreError {
    StoreError::Verdict(Box::new(answer))
}

impl<D: Database> Work<D> for Apply {
    type Out = Applied;

    async fn run(&self, s: &mut Session<D>) -> Result<End<Applied>, StoreError> {
        match write(s, &self.change).await {
            Ok(committed) => Ok(End::Commit(Applied::Committed(committed))),
            Err(StoreError::Verdict(answer)) => Ok(End::RollBack(*answer)),
            Err(error) => Err(error),
        }
    }
}

async fn write<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<Committed, StoreError> {
    remember(s, change).await?;
    if check::touches_slots(change) {
        s.lock_org(change.org.as_str()).await?;
    }
    let (mut row, is_new) = deployment(s, change).await?;
    if !D::EXCLUSIVE {
        lock_jobs(s, change).await?;
    }
    step(s, change).await?;
    let mut committed = Committed::default();
    let now = s.now().await?;
    operate(&mut row, &change.deployment_op, now);
    let left = revisions::write(s, change, &mut row, &mut committed, now).await?;
    let freed = attempts::write(s, change, &left).await?;
    within_bounds(s, change).await?;
    revisions::tell(s, change, &mut row, &mut committed).await?;
    if let Some(log) = &change.log {
        s.put_log(&change.org, change.deployment, log).await?;
    }
    cancel::cancel(s, &change.org, &change.cancel).await?;
    committed.enqueued = enqueue::store(s, &change.jobs).await?;
    if freed > 0 {
        let waiting = s.waiting_for_slot(change.org.as_str(), i64::try_from(freed).unwrap_or(i64::MAX)).await?;
        let moves: Vec<Move> = waiting.into_iter().map(|job| Move::new(job, JobEvent::Unblock)).collect();
        advance(s, &moves).await?;
    }
    row.deployment.version = row.deployment.version.saturating_add(1);
    row.deployment.updated_at = now;
    committed.version = row.deployment.version;
    if is_new {
        s.insert_deployment(&row).await?
    } else {
        s.update_deployment(&row).await?
    }
    Ok(committed)
}

/// The rules over the whole.
async fn within_bounds<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<(), StoreError> {
    let gone = matches!(change.deployment_op, DeploymentOp::Gone);
    if gone || change.revisions.iter().any(is_create) {
        let unfinished = s.count_unfinished(&change.org, change.deployment).await?;
        if gone && unfinished > 0 {
            return Err(Error::invalid(OPERATION, "a deployment is gone only when all its revisions have ended").into());
        }
        if unfinished > u64::from(s.options().unfinished_per_deployment) {
            let error = Error::invalid(OPERATION, "too many revisions are under way");
            return Err(error.with("code", "too_many_unfinished").into());
        }
    }
    match &change.log {
        Some(log) if !s.has_revision(&change.org, change.deployment, log.revision).await? => {
            Err(Error::invalid(OPERATION, "the log is of a revision that is not the deployment's").into())
        }
        _ => Ok(()),
    }
}

/// Step 1: a request that was carried out before is answered as then.
async fn remember<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<(), StoreError> {
    let Some(request) = &change.idempotency else { return Ok(()) };
    let mut expired = None;
    if let Some(record) = s.idempotency(&change.org, request.key).await? {
        let expires = record.created_at.plus(s.options().idempotency_ttl);
        if s.now().await? <= expires {
            let same = record.request_digest == request.request_digest;
            return Err(verdict(if same { Applied::Replayed(record) } else { Applied::KeyReused }));
        }
        expired = Some(record.created_at);
    }
    s.put_idempotency(&change.org, request, change.deployment, revisions::first_created(change), expired).await
}

/// Step 3: the deployment's row, checked against what the change expects.
async fn deployment<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<(DeploymentRow, bool), StoreError> {
    let row = s.lock_deployment(&change.org, change.deployment).await?;
    if let DeploymentOp::Create(new) = &change.deployment_op {
        if row.is_some() {
            return Err(repeated(s, change).await?);
        }
        return Ok((create(s, change, new).await?, true));
    }
    let Some(row) = row.filter(|r| r.deleted_at.is_none()) else {
        return Err(reads::no_deployment(OPERATION).into());
    };
    if let Some(stale) = stale(&row.deployment, change.expect) {
        return Err(verdict(Applied::Stale(stale)));
    }
    if row.deployment.deleting_at.is_some() && !check::suits_deleting(change) {
        return Err(verdict(Applied::Deleting));
    }
    Ok((row, false))
}

/// A deployment is created twice: the answer to the first time was lost, or the id is not the caller's to give.
async fn repeated<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<StoreError, StoreError> {
    if let Some(first) = revisions::first_created(change)
        && let Some(view) = reads::view_of(s, &change.org, first).await?
    {
        return Ok(verdict(Applied::Exists(Box::new(view))));
    }
    Ok(Error::invalid(OPERATION, "the deployment exists").into())
}

async fn create<D: Database>(
    s: &mut Session<D>,
    change: &RevisionChange,
    new: &NewDeployment,
) -> Result<DeploymentRow, StoreError> {
    if s.count_deployments(&change.org).await? >= u64::from(s.options().deployments_per_org) {
        return Err(verdict(Applied::Quota(QuotaKind::Deployments)));
    }
    if s.name_taken(&change.org, new.name.as_str()).await? {
        return Err(verdict(Applied::NameTaken));
    }
    let now = s.now().await?;
    let newest_revision = revisions::first_created(change)
        .ok_or_else(|| Error::invalid(OPERATION, "a deployment is created with its first revision"))?;
    let deployment = Deployment {
        org: change.org.clone(),
        id: change.deployment,
        name: new.name.clone(),
        source: new.source.clone(),
        build: new.build.clone(),
        runtime: new.runtime.clone(),
        target: new.target.clone(),
        config_version: 1,
        version: 0,
        current_revision: None,
        current_number: 0,
        newest_revision,
        newest_number: 0,
        source_head: None,
        skipped_head: None,
        branch_mark: None,
        last_accepted_at: None,
        deleting_at: None,
        created_at: now,
        updated_at: now,
    };
    Ok(DeploymentRow { deployment, next_seq: 1, deleted_at: None })
}

fn stale(d: &Deployment, expect: Expect) -> Option<Stale> {
    if expect.version.is_some_and(|v| v != d.version) {
        return Some(Stale::Version);
    }
    if expect.newest_number.is_some_and(|n| n != d.newest_number) {
        return Some(Stale::NewestNumber);
    }
    expect.config_version.is_some_and(|v| v != d.config_version).then_some(Stale::ConfigVersion)
}

/// Step 4: the lines in which the change may make a job ready, and then all the jobs it touches, by number.
async fn lock_jobs<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<(), StoreError> {
    let org = change.org.as_str();
    let mut touched = cancel::candidates(s, &change.org, &change.cancel).await?;
    let mut lines: Vec<(&str, Lane)> = change.jobs.iter().map(enqueue::line).collect();
    lines.extend(touched.iter().filter(|job| job.serial.is_some()).map(|job| (org, job.lane)));
    if check::frees_slots(change) {
        lines.push((org, Lane::Build));
    }
    let job = match &change.job {
        JobStep::None => None,
        JobStep::Hold(lease) | JobStep::Finish(lease, _) => s.briefs(&[lease.seq]).await?.pop(),
    };
    if let (Some(job), JobStep::Finish(_, outcome)) = (&job, &change.job) {
        lines.extend(line_of(job, outcome));
    }
    line::lock(s, lines).await?;
    touched.extend(job.clone());
    let mut seqs: Vec<i64> = touched.iter().map(|job| job.seq).collect();
    seqs.sort_unstable();
    s.lock_jobs(&seqs).await?;
    Ok(())
}

/// Step 5: the lease must be held, on a job of the change's org or the system's; a finished job ends here, so that its keys
/// are free for the new jobs.
async fn step<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<(), StoreError> {
    let (lease, outcome) = match &change.job {
        JobStep::None => return Ok(()),
        JobStep::Hold(lease) => (*lease, None),
        JobStep::Finish(lease, outcome) => (*lease, Some(outcome)),
    };
    let row = s.briefs(&[lease.seq]).await?.pop();
    let row = row.filter(|job| job.org.is_empty() || job.org == change.org.as_str());
    match (judge(row.as_ref(), lease), outcome) {
        (Held::Yes(_), None) => Ok(()),
        (Held::Yes(job), Some(outcome)) => {
            check_kind(s, job, outcome).await?;
            advance(s, &[Move::new(job.clone(), JobEvent::Finish(outcome.clone()))]).await?;
            Ok(())
        }
        (Held::Ended, Some(_)) => Err(verdict(Applied::AlreadyFinished)),
        _ => Err(verdict(Applied::LeaseLost)),
    }
}

fn operate(row: &mut DeploymentRow, op: &DeploymentOp, now: Timestamp) {
    let d = &mut row.deployment;
    match op {
        DeploymentOp::Keep | DeploymentOp::Create(_) => {}
        DeploymentOp::Configure(patch) => configure(d, patch),
        DeploymentOp::Source(patch) => source(d, patch),
        DeploymentOp::Deleting => d.deleting_at = Some(now),
        DeploymentOp::Gone => {
            d.deleting_at = d.deleting_at.or(Some(now));
            row.deleted_at = Some(now);
        }
    }
}

fn configure(d: &mut Deployment, patch: &ConfigPatch) {
    let ConfigPatch { branch, root_path, auto_deploy, build, runtime } = patch.clone();
    if let Some(branch) = branch.filter(|b| *b != d.source.branch) {
        d.source.branch = branch;
        (d.source_head, d.skipped_head, d.branch_mark) = (None, None, None);
    }
    if let Some(root_path) = root_path {
        d.source.root_path = root_path;
    }
    if let Some(auto_deploy) = auto_deploy {
        d.source.auto_deploy = auto_deploy;
    }
    if let Some(build) = build {
        d.build = build;
    }
    if let Some(runtime) = runtime {
        d.runtime = runtime;
    }
    d.config_version = d.config_version.saturating_add(1);
}

fn source(d: &mut Deployment, patch: &SourcePatch) {
    if let Some((owner, name)) = patch.renamed.clone() {
        (d.source.owner, d.source.name) = (owner, name);
    }
    if let Some(mark) = patch.mark {
        d.branch_mark = mark;
    }
    if let Some(head) = patch.skipped_head.clone() {
        d.skipped_head = Some(head);
    }
}

/// What became of a job that found no build slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Blocked,
    Lost,
    /// A slot is free by now.
    Free,
}

/// Lets the holder of a lease wait for a build slot. The slots are counted again, in the transaction that blocks: one that
/// was freed meanwhile has woken nobody yet.
#[derive(Debug)]
pub(crate) struct WaitForSlot<'a> {
    pub(crate) org: &'a OrgId,
    pub(crate) lease: LeaseRef,
}

impl<D: Database> Work<D> for WaitForSlot<'_> {
    type Out = Waiting;

    async fn run(&self, s: &mut Session<D>) -> Result<End<Waiting>, StoreError> {
        s.lock_org(self.org.as_str()).await?;
        if s.open_slots(self.org.as_str()).await? < u64::from(s.options().build_slots_per_org) {
            return Ok(End::RollBack(Waiting::Free));
        }
        let row = s.lock_jobs(&[self.lease.seq]).await?.pop();
        let Held::Yes(job) = judge(row.as_ref(), self.lease) else { return Ok(End::RollBack(Waiting::Lost)) };
        advance(s, &[Move::new(job.clone(), JobEvent::BlockOnSlot)]).await?;
        Ok(End::Commit(Waiting::Blocked))
    }
}

/// Whether an operation creates a revision.
pub(super) const fn is_create(op: &RevisionOp) -> bool {
    matches!(op, RevisionOp::Create(_))
}
