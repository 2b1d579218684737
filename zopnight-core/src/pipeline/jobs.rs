//! The pipeline's side of a job: which handler runs it, and what its writes may answer.

use crate::domain::{
    Applied, DeploymentId, DeploymentView, Enqueued, JobKind, JobPayload, JobStep, Lease, LeaseRef, NewJob, OrgId, Outcome,
    RevisionChange, RevisionId, RevisionJob, RevisionView, Scope,
};
use crate::error::{Error, ErrorKind, Result};

use super::Pipeline;

/// What a handler came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Handled {
    /// The lease is ended already: the handler's own write finished or blocked the job, or the lease was lost.
    Ended,
    /// The worker ends the lease like this.
    Finish(Outcome),
}

impl Handled {
    pub(super) const DONE: Self = Self::Finish(Outcome::Done);
}

/// What a write under a lease came to.
#[derive(Debug)]
pub(super) enum Step {
    /// Done.
    Committed,
    /// Decide again.
    Stale,
    /// The job is out of our hands.
    Over(Handled),
    /// A revision of that id is there.
    Exists,
}

/// A job with its tenant and deployment, which every handler but the sweep's needs.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) org: OrgId,
    pub(super) deployment: DeploymentId,
    pub(super) lease: LeaseRef,
}

impl Task {
    pub(super) fn of(lease: &Lease) -> Result<Self> {
        match (&lease.scope, lease.deployment) {
            (Scope::Org(org), Some(deployment)) => Ok(Self { org: org.clone(), deployment, lease: lease.job }),
            _ => Err(Error::internal("worker.job", "the job names no tenant or deployment")),
        }
    }

    pub(super) fn change(&self) -> RevisionChange {
        RevisionChange::new(self.org.clone(), self.deployment)
    }

    /// A change with which the job goes on.
    pub(super) fn hold(&self) -> RevisionChange {
        self.change().with_job(JobStep::Hold(self.lease))
    }

    /// A change that ends the job well.
    pub(super) fn finish(&self) -> RevisionChange {
        self.change().with_job(JobStep::Finish(self.lease, Outcome::Done))
    }

    /// A job of the same tenant and deployment.
    pub(super) fn job(&self, pipeline: &Pipeline, payload: JobPayload) -> NewJob {
        pipeline.job(&self.org, self.deployment, payload)
    }
}

impl Pipeline {
    /// Runs a job's handler. The worker calls it; so does a host with a queue of its own, by [`crate::worker::Worker::run`].
    ///
    /// # Errors
    /// What kept the job from being done; `retry()` says whether to try again. Errors about a revision that cannot be mended
    /// are written to the revision instead.
    pub async fn handle(&self, lease: &Lease) -> Result<Handled> {
        match &lease.payload {
            JobPayload::Build(job) => self.run_build(lease, *job).await,
            JobPayload::WatchBuild(job) => self.run_watch_build(lease, job).await,
            JobPayload::Deploy(job) => self.run_deploy(lease, *job).await,
            JobPayload::Teardown(_) => self.run_teardown(lease).await,
            JobPayload::ReportStatus(job) => self.run_report_status(lease, *job).await,
            JobPayload::CancelRun(job) => self.run_cancel_run(lease, *job).await,
            JobPayload::Sweep(job) => self.run_sweep(lease, job).await,
        }
    }

    /// Applies a change; counts those of its jobs that a live one stood for.
    pub(super) async fn commit(&self, change: RevisionChange) -> Result<Applied> {
        let kinds: Vec<JobKind> = change.jobs.iter().map(|job| job.kind).collect();
        let applied = self.store().apply(change).await?;
        if let Applied::Committed(done) = &applied {
            count_folded(&kinds, &done.enqueued);
        }
        Ok(applied)
    }

    /// Stores jobs that belong to no change.
    pub(super) async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<()> {
        let kinds: Vec<JobKind> = jobs.iter().map(|job| job.kind).collect();
        let enqueued = self.store().enqueue(jobs).await?;
        count_folded(&kinds, &enqueued);
        Ok(())
    }

    /// Applies a change under a lease.
    pub(super) async fn step(&self, change: RevisionChange) -> Result<Step> {
        match self.commit(change).await? {
            Applied::Committed(_) => Ok(Step::Committed),
            Applied::Stale(_) => Ok(Step::Stale),
            Applied::LeaseLost | Applied::AlreadyFinished | Applied::AtCapacity => Ok(Step::Over(Handled::Ended)),
            Applied::Exists(_) => Ok(Step::Exists),
            Applied::Deleting => Ok(Step::Over(Handled::DONE)),
            other => Err(super::decide::refusal("pipeline.step", &other)),
        }
    }

    /// A job of a tenant's deployment, due now.
    pub(super) fn job(&self, org: &OrgId, deployment: DeploymentId, payload: JobPayload) -> NewJob {
        NewJob::new(self.new_job_id(), Scope::Org(org.clone()), Some(deployment), payload)
    }

    /// The follow-up that tells the forge, if anybody does.
    pub(super) fn report_job(&self, org: &OrgId, deployment: DeploymentId, revision: RevisionId) -> Option<NewJob> {
        self.reporter()?;
        Some(self.job(org, deployment, JobPayload::ReportStatus(RevisionJob { revision })))
    }

    /// Adds [`Pipeline::report_job`] to a change.
    pub(super) fn reporting(&self, change: RevisionChange, revision: RevisionId) -> RevisionChange {
        match self.report_job(&change.org, change.deployment, revision) {
            Some(job) => change.with_follow_up(job),
            None => change,
        }
    }

    /// The revision a job is about; `None` if it or its deployment is gone.
    pub(super) async fn job_revision(&self, task: &Task, revision: RevisionId) -> Result<Option<RevisionView>> {
        absent_as_none(self.store().revision(&task.org, task.deployment, revision).await)
    }

    /// The deployment a job is about; `None` if it is gone.
    pub(super) async fn job_deployment(&self, task: &Task) -> Result<Option<DeploymentView>> {
        absent_as_none(self.store().deployment(&task.org, task.deployment).await)
    }
}

fn count_folded(kinds: &[JobKind], enqueued: &[Enqueued]) {
    for (kind, _) in kinds.iter().zip(enqueued).filter(|(_, job)| job.folded) {
        metrics::counter!("zopnight_jobs_folded_total", "kind" => kind.as_str()).increment(1);
    }
}

fn absent_as_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
