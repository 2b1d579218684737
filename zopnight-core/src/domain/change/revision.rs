//! What a change does to revisions and their attempts.

use crate::domain::actor::Actor;
use crate::domain::attempt::{AttemptPatch, NewAttempt, Settled};
use crate::domain::branch::BranchName;
use crate::domain::build::{BuildPlan, BuildSpec};
use crate::domain::commit::CommitInfo;
use crate::domain::id::{AttemptId, RevisionId};
use crate::domain::image::DeployedImage;
use crate::domain::revision::{Cause, Reason, RevisionState, Rollout};
use crate::domain::run::RunOutcome;
use crate::domain::runtime::RuntimeSpec;
use crate::domain::target::Target;

/// What happens to a revision.
#[derive(Clone, Debug)]
pub enum RevisionOp {
    /// It is made; its number is the next one.
    Create(Box<NewRevision>),
    /// It moves, or (with `to == from`) only its patch is recorded.
    Move(Box<RevisionMove>),
}

/// A revision to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevision {
    /// Its id.
    pub id: RevisionId,
    /// `Queued`, or `Built` where the image is reused.
    pub state: RevisionState,
    /// Why it is made.
    pub cause: Cause,
    /// SHA-256 of the delivery's body.
    pub delivery_digest: Option<[u8; 32]>,
    /// What is built.
    pub commit: CommitInfo,
    /// From which branch.
    pub branch: BranchName,
    /// By whom.
    pub actor: Actor,
    /// How it is built.
    pub build: BuildSpec,
    /// How it runs.
    pub runtime: RuntimeSpec,
    /// Where it goes.
    pub target: Target,
    /// The reused image.
    pub image: Option<DeployedImage>,
    /// Whether it is at the branch's head: then pushes are ordered against it.
    pub at_head: bool,
}

/// A compare-and-set of a revision.
#[derive(Clone, Debug)]
pub struct RevisionMove {
    /// Which.
    pub id: RevisionId,
    /// The version it must have.
    pub version: u64,
    /// The state it must be in.
    pub from: RevisionState,
    /// The state decided by `domain::revision::next`, or `from` again.
    pub to: RevisionState,
    /// What else changes.
    pub patch: RevisionPatch,
}

/// What else changes with a revision; absent parts stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevisionPatch {
    /// What the builder is told.
    pub plan: Option<BuildPlan>,
    /// The runtime with its gaps filled.
    pub runtime: Option<RuntimeSpec>,
    /// What was built.
    pub image: Option<DeployedImage>,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// What took its place.
    pub superseded_by: Option<RevisionId>,
    /// The rollout as last seen.
    pub rollout: Option<Rollout>,
}

impl RevisionPatch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens to an attempt.
#[derive(Clone, Debug)]
pub enum AttemptOp {
    /// It is persisted; needs a free build slot of the tenant.
    Open(Box<NewAttempt>),
    /// It is patched.
    Patch {
        /// Which.
        jti: AttemptId,
        /// How.
        patch: AttemptPatch,
    },
    /// It is settled.
    Close {
        /// Which.
        jti: AttemptId,
        /// By what.
        settled: Settled,
        /// How the run ended, if that is known.
        outcome: Option<RunOutcome>,
        /// SHA-256 of the callback body that settled it.
        body_digest: Option<[u8; 32]>,
    },
}
