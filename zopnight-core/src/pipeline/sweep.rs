//! The sweep: what webhooks, workers or a restart left undone is found and taken up again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{
    BranchName, BuildAttempt, DeploymentRef, IntegrationId, JobPayload, Lease, MissedRequest, NewJob, Outcome, RepositoryId,
    RevisionChange, RevisionId, RevisionJob, RevisionState, Scope, SweepJob, SweepPage, SweepQuery, Timestamp,
    TrackedBranch, WatchBuildJob,
};
use crate::error::{Error, Result, Retry};
use crate::ports::{Head, HeadsRequest};

use super::Pipeline;
use super::jobs::Handled;
use super::reconcile::Asked;

/// A head accepted this recently is left for the next run: its webhook may be on its way.
const YOUNG: Duration = Duration::from_secs(120);
/// Deliveries older than the newest by this much are looked at again.
const OVERLAP: Duration = Duration::from_secs(600);
/// How far back the first run looks.
const FIRST: Duration = Duration::from_secs(72 * 3_600);
/// Redeliveries asked for in one run.
const REDELIVERIES: u32 = 200;
/// How long until the next periodic run, if the worker does not say.
const INTERVAL: Duration = Duration::from_secs(300);

/// One branch of one repository, seen through one integration.
type BranchGroup = (IntegrationId, RepositoryId, BranchName);

impl Pipeline {
    /// Makes the periodic sweep due now; it is stored if it is not there.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ensure_sweep(&self) -> Result<()> {
        let payload = JobPayload::Sweep(SweepJob::Periodic { since: None, after: None });
        let job = NewJob::new(self.new_job_id(), Scope::System, None, payload);
        self.enqueue(vec![job]).await
    }

    /// Stores the periodic sweep if it is not there, without hurrying one that is.
    pub(crate) async fn ensure_sweep_row(&self) -> Result<()> {
        let payload = JobPayload::Sweep(SweepJob::Periodic { since: None, after: None });
        let job = NewJob::new(self.new_job_id(), Scope::System, None, payload).after(INTERVAL);
        self.enqueue(vec![job]).await
    }

    pub(super) async fn run_sweep(&self, lease: &Lease, job: &SweepJob) -> Result<Handled> {
        match (job, lease.scope.org()) {
            (SweepJob::One { deployment, delivery, head }, Some(org)) => {
                let asked = Asked { delivery: delivery.clone(), head: head.clone() };
                self.reconcile_one(org, *deployment, &asked).await?;
                Ok(Handled::DONE)
            }
            (SweepJob::One { .. }, None) => Err(Error::internal("sweep", "the job names no tenant")),
            (SweepJob::Periodic { since, .. }, _) => {
                let since = self.redeliver_missed(*since).await?;
                self.sweep_heads().await?;
                self.sweep_stalled().await?;
                let payload = JobPayload::Sweep(SweepJob::Periodic { since, after: None });
                Ok(Handled::Finish(Outcome::Snooze { after: INTERVAL, payload: Some(payload) }))
            }
        }
    }

    /// Part 1: asks the forge to send again what nobody answered well. Answers since when the next run must look.
    async fn redeliver_missed(&self, since: Option<Timestamp>) -> Result<Option<Timestamp>> {
        let Some(log) = self.deliveries() else { return Ok(since) };
        let from = since.unwrap_or_else(|| self.now().minus(FIRST));
        let missed = match log.missed(&MissedRequest { since: from, limit: REDELIVERIES }).await {
            Ok(missed) => missed,
            Err(error) => {
                // The branch heads, part 2, need nothing of this.
                tracing::warn!(%error, "the forge's delivery record could not be read");
                return Ok(since);
            }
        };
        for delivery in &missed.deliveries {
            match log.redeliver(delivery).await {
                Ok(()) => {}
                // Refused for good: the others are not held up by it.
                Err(error) if error.retry() == Retry::Never => {
                    tracing::warn!(%error, delivery = %delivery.id, "a redelivery was refused");
                }
                Err(error) => {
                    tracing::warn!(%error, delivery = %delivery.id, "a redelivery could not be asked for");
                    return Ok(since);
                }
            }
        }
        Ok(if missed.complete { missed.newest.map(|n| n.minus(OVERLAP)).or(since) } else { since })
    }

    /// Part 2: every tracked branch against its head, 100 heads a request.
    async fn sweep_heads(&self) -> Result<()> {
        let mut after = None;
        loop {
            let SweepPage::Tracked(page) = self.store().sweep_page(&SweepQuery::Tracked { after: after.clone() }).await?
            else {
                return Ok(());
            };
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.deployment.clone());
            let mut groups: BTreeMap<BranchGroup, Vec<TrackedBranch>> = BTreeMap::new();
            for tracked in page {
                let young = tracked.last_accepted_at.is_some_and(|at| self.now().since(at) < YOUNG);
                if let Some(id) = tracked.repo.id.filter(|_| !young) {
                    let key = (tracked.repo.integration.clone(), id, tracked.branch.clone());
                    groups.entry(key).or_default().push(tracked);
                }
            }
            self.sweep_groups(groups).await?;
        }
    }

    async fn sweep_groups(&self, groups: BTreeMap<BranchGroup, Vec<TrackedBranch>>) -> Result<()> {
        let mut by_integration: BTreeMap<IntegrationId, Vec<Vec<TrackedBranch>>> = BTreeMap::new();
        for ((integration, ..), tracked) in groups {
            by_integration.entry(integration).or_default().push(tracked);
        }
        for (integration, groups) in by_integration {
            for batch in groups.chunks(100) {
                let heads = batch.iter().filter_map(|g| g.first()).map(|t| (t.repo.clone(), t.branch.clone())).collect();
                let request = HeadsRequest { integration: integration.clone(), heads };
                let heads = match self.source().heads(&request).await {
                    Ok(heads) => heads,
                    Err(error) => {
                        tracing::warn!(%error, %integration, "an integration's branch heads could not be read");
                        break;
                    }
                };
                for (group, head) in batch.iter().zip(heads) {
                    self.sweep_group(group, &head).await;
                }
            }
        }
        Ok(())
    }

    async fn sweep_group(&self, group: &[TrackedBranch], head: &Head) {
        for tracked in group {
            if let Head::At { commit, owner, name } = head {
                let same_name = tracked.repo.owner.as_str() == owner.as_str() && tracked.repo.name.as_str() == name.as_str();
                let known =
                    tracked.source_head.as_ref() == Some(&commit.sha) || tracked.skipped_head.as_ref() == Some(&commit.sha);
                if same_name && known && tracked.mark.is_none() {
                    continue;
                }
            }
            let DeploymentRef { org, id } = &tracked.deployment;
            match self.check_integration(org, &tracked.repo.integration).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, deployment = %id, "a deployment's integration is not granted any more");
                    continue;
                }
            }
            // One with a newer revision than the page had is left for the next run.
            if let Err(error) = self.reconcile_head(org, *id, tracked.newest_number, head, &Asked::default()).await {
                tracing::warn!(%error, deployment = %id, "a deployment could not be brought to its branch's head");
            }
        }
    }

    /// Part 3: revisions that no live job will move get the job of their state anew.
    async fn sweep_stalled(&self) -> Result<()> {
        let mut after = None;
        loop {
            let query = SweepQuery::Stalled { idle: self.config().stalled_after, after: after.clone() };
            let SweepPage::Stalled(page) = self.store().sweep_page(&query).await? else { return Ok(()) };
            let Some((deployment, revision, _)) = page.last() else { return Ok(()) };
            after = Some((deployment.clone(), *revision));
            for (deployment, revision, state) in page {
                if let Err(error) = self.take_up(&deployment, revision, state).await {
                    tracing::warn!(%error, %revision, "a stalled revision could not be taken up");
                }
            }
        }
    }

    async fn take_up(&self, deployment: &DeploymentRef, revision: RevisionId, state: RevisionState) -> Result<()> {
        let view = self.store().revision(&deployment.org, deployment.id, revision).await?;
        if view.revision.state != state {
            return Ok(());
        }
        let open = view.attempt.as_ref().filter(|a| a.is_open());
        let payload = match (state, open) {
            (RevisionState::Building, Some(attempt)) => JobPayload::WatchBuild(watch(attempt)),
            (RevisionState::Queued | RevisionState::Building, _) => JobPayload::Build(RevisionJob { revision }),
            (RevisionState::Built | RevisionState::Deploying, _) => JobPayload::Deploy(RevisionJob { revision }),
            _ => return Ok(()),
        };
        let job = self.job(&deployment.org, deployment.id, payload);
        let change = RevisionChange::new(deployment.org.clone(), deployment.id).with_follow_up(job);
        self.write("sweep.stalled", change).await.map(|_| ())
    }
}

fn watch(attempt: &BuildAttempt) -> WatchBuildJob {
    WatchBuildJob { revision: attempt.revision, jti: attempt.jti, deadline: attempt.deadline, looks: 0, finished_at: None }
}
