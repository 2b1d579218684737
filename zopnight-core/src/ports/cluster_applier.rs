//! Puts releases into clusters.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::release_progress::ReleaseProgress;
use crate::domain::{
    CommitSha, DeployedImage, Fence, ForcePolicy, LoadBalancerStatus, OnFailure, OnImmutable, ReleaseOutcome, ReleaseRef,
    ReleaseStatus, RevisionNumber, RuntimeSpec, Timestamp, UninstallOutcome, UninstallRequest,
};
use crate::error::Result;

/// Puts releases into clusters and says how their rollouts ended.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ClusterApplier: Debug + Send + Sync + 'static {
    /// Renders, applies and waits until a verdict or `request.deadline`, which the adapter enforces. Cancel-safe: dropping the
    /// future leaves a state that the next `apply` of the same or a newer revision resumes. A failed rollout is `Ok` with a
    /// failing verdict. An older revision never overwrites a newer one: `Verdict::Superseded`.
    ///
    /// # Errors
    /// No verdict was reached: `Unavailable` (the cluster), `Conflict` (`release_locked`), `Unauthenticated`, `Forbidden`,
    /// `Invalid` (what was rendered is refused), `NotFound` (`namespace_not_found`), `Timeout`.
    async fn apply(&self, request: &ReleaseRequest) -> Result<ReleaseOutcome>;

    /// What the cluster runs now, without changing anything.
    ///
    /// # Errors
    /// `Unavailable`, `Unauthenticated`, `Forbidden`.
    async fn status(&self, release: &ReleaseRef) -> Result<ReleaseStatus>;

    /// Addresses of the release's Service of type LoadBalancer and of its Ingress; empty while pending.
    ///
    /// # Errors
    /// As [`ClusterApplier::status`].
    async fn load_balancer(&self, release: &ReleaseRef) -> Result<LoadBalancerStatus>;

    /// Removes the release. An absent release is `Ok` with `nothing_to_do`. Idempotent.
    ///
    /// # Errors
    /// As [`ClusterApplier::apply`].
    async fn uninstall(&self, request: &UninstallRequest) -> Result<UninstallOutcome>;
}

/// One release to apply.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReleaseRequest {
    /// Where.
    pub target: ReleaseRef,
    /// The fence: it grows with each revision of a deployment; a rollback has a higher number than what it replaces.
    pub revision: RevisionNumber,
    /// Of the job's lease: goes into the lock holder's id.
    pub job_fence: Fence,
    /// The commit, for annotations.
    pub commit: CommitSha,
    /// The image, by digest.
    pub image: DeployedImage,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// What to do when the rollout fails.
    pub on_failure: OnFailure,
    /// What to do when a field may not change.
    pub on_immutable: OnImmutable,
    /// What to do when somebody else owns a field.
    pub force: ForcePolicy,
    /// When to give up. Absolute, by the injected clock.
    pub deadline: Timestamp,
    /// Hears how it goes.
    pub progress: Option<Arc<dyn ReleaseProgress>>,
}

impl ReleaseRequest {
    /// A request with the default policies and nobody listening.
    #[must_use]
    pub const fn new(
        target: ReleaseRef,
        revision: RevisionNumber,
        job_fence: Fence,
        commit: CommitSha,
        image: DeployedImage,
        runtime: RuntimeSpec,
        deadline: Timestamp,
    ) -> Self {
        Self {
            target,
            revision,
            job_fence,
            commit,
            image,
            runtime,
            on_failure: OnFailure::RollBack,
            on_immutable: OnImmutable::Refuse,
            force: ForcePolicy::TakeOver,
            deadline,
            progress: None,
        }
    }

    /// With this policy for failures.
    #[must_use]
    pub const fn with_on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// With this policy for immutable fields.
    #[must_use]
    pub const fn with_on_immutable(mut self, policy: OnImmutable) -> Self {
        self.on_immutable = policy;
        self
    }

    /// With this policy for owned fields.
    #[must_use]
    pub const fn with_force(mut self, policy: ForcePolicy) -> Self {
        self.force = policy;
        self
    }

    /// Telling this one how it goes.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn ReleaseProgress>) -> Self {
        self.progress = Some(progress);
        self
    }
}
