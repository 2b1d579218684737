//! The revision's states and the one function that decides a transition.

use serde::{Deserialize, Serialize};

/// Where a revision stands.
///
/// ```text
/// queued → building → built → deploying → succeeded
///    any state before succeeded → failed | superseded | cancelled | timed_out
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionState {
    /// Accepted, waiting for its dispatch.
    Queued,
    /// Handed to the builder.
    Building,
    /// Has its image.
    Built,
    /// Being applied to the cluster.
    Deploying,
    /// Serves, or has served.
    Succeeded,
    /// Ended with a reason.
    Failed,
    /// A newer revision took its place.
    Superseded,
    /// Somebody cancelled it.
    Cancelled,
    /// Its build took too long.
    TimedOut,
}

impl RevisionState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Building,
        Self::Built,
        Self::Deploying,
        Self::Succeeded,
        Self::Failed,
        Self::Superseded,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// The name in the store, on the wire and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Built => "built",
            Self::Deploying => "deploying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// Whether it is one of the five that nothing leaves.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Superseded | Self::Cancelled | Self::TimedOut)
    }

    /// Whether the image is still to come.
    #[must_use]
    pub const fn is_before_built(self) -> bool {
        matches!(self, Self::Queued | Self::Building)
    }
}

/// What happens to a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevisionEvent {
    /// The builder took it, or may have.
    Dispatched,
    /// The image is there, by callback or by watching. It may overtake `Dispatched`.
    ImageReady,
    /// The build failed, or cannot be made.
    BuildFailed,
    /// The builder says the run was cancelled.
    BuildCancelled,
    /// The build's deadline passed.
    BuildTimedOut,
    /// The rollout begins.
    RolloutStarted,
    /// The rollout is ready.
    RolloutSucceeded,
    /// The rollout failed, or cannot be made.
    RolloutFailed,
    /// The cluster already runs a newer revision.
    Fenced,
    /// A newer revision was accepted.
    NewerAccepted,
    /// A newer revision has its image.
    NewerBuilt,
    /// Somebody cancels it.
    Cancel,
    /// Its job was given up, or its tenant lost the grant.
    Abandoned,
}

impl RevisionEvent {
    /// Every event.
    pub const ALL: [Self; 13] = [
        Self::Dispatched,
        Self::ImageReady,
        Self::BuildFailed,
        Self::BuildCancelled,
        Self::BuildTimedOut,
        Self::RolloutStarted,
        Self::RolloutSucceeded,
        Self::RolloutFailed,
        Self::Fenced,
        Self::NewerAccepted,
        Self::NewerBuilt,
        Self::Cancel,
        Self::Abandoned,
    ];
}

/// What a revision does about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Moves.
    To(RevisionState),
    /// The event does not concern this state; nothing changes.
    Stay,
    /// The revision has ended; nothing ever changes.
    Terminal,
}

/// Decides a transition. Pure and total: every state and every event has an answer, and no terminal state is left.
///
/// ```
/// use zopnight_core::domain::revision::{Next, RevisionEvent, RevisionState, next};
/// assert_eq!(next(RevisionState::Queued, RevisionEvent::ImageReady), Next::To(RevisionState::Built));
/// assert_eq!(next(RevisionState::Deploying, RevisionEvent::NewerAccepted), Next::Stay);
/// assert_eq!(next(RevisionState::Succeeded, RevisionEvent::Cancel), Next::Terminal);
/// ```
#[must_use]
pub const fn next(state: RevisionState, event: RevisionEvent) -> Next {
    use RevisionEvent as E;
    use RevisionState as S;
    if state.is_terminal() {
        return Next::Terminal;
    }
    match (event, state) {
        (E::Dispatched, S::Queued) => Next::To(S::Building),
        (E::ImageReady, S::Queued | S::Building) => Next::To(S::Built),
        (E::BuildFailed, S::Queued | S::Building) => Next::To(S::Failed),
        (E::BuildCancelled, S::Queued | S::Building) => Next::To(S::Cancelled),
        (E::BuildTimedOut, S::Queued | S::Building) => Next::To(S::TimedOut),
        (E::RolloutStarted, S::Built) => Next::To(S::Deploying),
        (E::RolloutSucceeded, S::Deploying) => Next::To(S::Succeeded),
        (E::RolloutFailed, S::Built | S::Deploying) => Next::To(S::Failed),
        (E::Fenced, S::Built | S::Deploying) => Next::To(S::Superseded),
        (E::NewerAccepted, S::Queued | S::Building | S::Built) => Next::To(S::Superseded),
        (E::NewerBuilt, _) => Next::To(S::Superseded),
        (E::Cancel, _) => Next::To(S::Cancelled),
        (E::Abandoned, _) => Next::To(S::Failed),
        _ => Next::Stay,
    }
}
