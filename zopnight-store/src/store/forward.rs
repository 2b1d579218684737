//! A store that a host names is one of all: its calls go on to what they have in common.

/// Both ports for a store around a [`SqlStore`](super::SqlStore).
macro_rules! forward {
    ($store:ty) => {
        const _: () = {
            use std::time::Duration;

            use zopnight_core::Result;
            use zopnight_core::domain::*;
            use zopnight_core::ports::{JobQueue, RevisionStore};

            #[async_trait::async_trait]
            impl JobQueue for $store {
                async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
                    self.inner.enqueue(jobs).await
                }

                async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Lease>> {
                    self.inner.claim(request).await
                }

                async fn extend(&self, leases: &[LeaseRef], lease: Duration) -> Result<Vec<Extended>> {
                    self.inner.extend(leases, lease).await
                }

                async fn finish(&self, items: Vec<Finish>) -> Result<Vec<Finished>> {
                    self.inner.finish(items).await
                }

                async fn maintain(&self, budget: &Budget) -> Result<Maintained> {
                    self.inner.maintain(budget).await
                }

                async fn wait(&self, at_most: Duration) {
                    self.inner.wait(at_most).await
                }

                async fn stats(&self) -> Result<QueueStats> {
                    self.inner.stats().await
                }

                async fn parked(&self, scope: &Scope) -> Result<Vec<ParkedJob>> {
                    self.inner.parked(scope).await
                }

                async fn revive(&self, scope: &Scope, job: JobId) -> Result<()> {
                    self.inner.revive(scope, job).await
                }
            }

            #[async_trait::async_trait]
            impl RevisionStore for $store {
                async fn apply(&self, change: RevisionChange) -> Result<Applied> {
                    self.inner.apply(change).await
                }

                async fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView> {
                    self.inner.deployment(org, id).await
                }

                async fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>> {
                    self.inner.deployments(org, query).await
                }

                async fn revision(&self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Result<RevisionView> {
                    self.inner.revision(org, deployment, id).await
                }

                async fn revisions(
                    &self,
                    org: &OrgId,
                    deployment: DeploymentId,
                    query: &RevisionQuery,
                ) -> Result<Page<RevisionView>> {
                    self.inner.revisions(org, deployment, query).await
                }

                async fn unfinished(&self, org: &OrgId, deployment: DeploymentId) -> Result<Vec<RevisionView>> {
                    self.inner.unfinished(org, deployment).await
                }

                async fn attempts(&self, org: &OrgId, revision: RevisionId) -> Result<Vec<BuildAttempt>> {
                    self.inner.attempts(org, revision).await
                }

                async fn events(&self, org: &OrgId, deployment: DeploymentId, query: &EventQuery) -> Result<Page<Event>> {
                    self.inner.events(org, deployment, query).await
                }

                async fn log(&self, org: &OrgId, revision: RevisionId, source: LogSource) -> Result<Option<LogTail>> {
                    self.inner.log(org, revision, source).await
                }

                async fn idempotency(&self, org: &OrgId, key: &IdempotencyRef) -> Result<Option<IdempotencyRecord>> {
                    self.inner.idempotency(org, key).await
                }

                async fn following(&self, key: &BranchKey, after: Option<DeploymentRef>) -> Result<Vec<DeploymentRef>> {
                    self.inner.following(key, after).await
                }

                async fn sweep_page(&self, query: &SweepQuery) -> Result<SweepPage> {
                    self.inner.sweep_page(query).await
                }
            }
        };
    };
}
pub(crate) use forward;
