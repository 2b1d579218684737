//! What is kept of a revision.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::number::RevisionNumber;
use super::reason::Reason;
use super::state::RevisionState;
use crate::domain::actor::Actor;
use crate::domain::branch::BranchName;
use crate::domain::build::{BuildPlan, BuildSpec};
use crate::domain::commit::CommitInfo;
use crate::domain::id::{DeploymentId, RevisionId};
use crate::domain::image::DeployedImage;
use crate::domain::org::OrgId;
use crate::domain::runtime::RuntimeSpec;
use crate::domain::target::Target;
use crate::domain::time::Timestamp;

/// How a rollout goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutStatus {
    /// Not begun.
    #[default]
    None,
    /// Under way.
    Progressing,
    /// Ready.
    Ready,
    /// Failed, and left as it is.
    Failed,
    /// Failed, and the last good one was put back.
    RolledBack,
}

/// The rollout of a revision, as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// How it goes.
    pub status: RolloutStatus,
    /// The failure's class.
    pub reason: Option<String>,
    /// One sentence.
    pub message: Option<String>,
    /// Ready pods.
    pub ready: u32,
    /// Wanted pods.
    pub desired: u32,
}

/// A revision as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its tenant.
    pub org: OrgId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// Its id.
    pub id: RevisionId,
    /// Its place in the deployment.
    pub number: RevisionNumber,
    /// Where it stands.
    pub state: RevisionState,
    /// Grows with each change; compare-and-set by it.
    pub version: u64,
    /// Why it was made.
    pub cause: Cause,
    /// What is built.
    pub commit: CommitInfo,
    /// The branch it was taken from.
    pub branch: BranchName,
    /// Who made it.
    pub actor: Actor,
    /// How to build, as configured.
    pub build: BuildSpec,
    /// How it runs; gaps are filled from the analysis before the build.
    pub runtime: RuntimeSpec,
    /// Where it goes.
    pub target: Target,
    /// What the builder was told.
    pub plan: Option<BuildPlan>,
    /// What was built.
    pub image: Option<DeployedImage>,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// The revision that took its place.
    pub superseded_by: Option<RevisionId>,
    /// The rollout as last seen.
    pub rollout: Rollout,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it became `building`.
    pub build_started_at: Option<Timestamp>,
    /// When it became `built`.
    pub built_at: Option<Timestamp>,
    /// When it became `deploying`.
    pub deploy_started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Revision {
    /// Whether the image was taken over from an older revision, so that nothing was built.
    #[must_use]
    pub const fn reuses_image(&self) -> bool {
        self.image.is_some() && self.plan.is_none() && self.build_started_at.is_none()
    }
}
