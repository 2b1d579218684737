//! What a forge tells by a webhook.

use super::branch::BranchName;
use super::commit::{CommitInfo, CommitSha};
use super::delivery::DeliveryId;
use super::forge::{ForgeId, InstallationId, RepoInfo, RepositoryId};
use super::repo_path::RepoPath;
use super::time::Timestamp;

/// Which of the live secrets verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretSlot {
    /// The current one.
    Current,
    /// An older one, during a rotation.
    Previous,
}

impl SecretSlot {
    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

/// A verified and decoded webhook delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The forge instance, by the decoder that verified.
    pub forge: ForgeId,
    /// The delivery's id. It is not covered by the signature.
    pub id: DeliveryId,
    /// SHA-256 of the raw body.
    pub body_sha256: [u8; 32],
    /// Which secret verified.
    pub secret: SecretSlot,
    /// What it tells.
    pub event: RepoEvent,
}

/// What a delivery tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepoEvent {
    /// The forge tries the connection.
    Ping,
    /// A branch moved or was created.
    Push(PushEvent),
    /// A branch is gone.
    BranchDeleted(RefEvent),
    /// A tag moved or was created.
    TagPushed(PushEvent),
    /// A tag is gone.
    TagDeleted(RefEvent),
    /// A pull request changed.
    PullRequest(PullRequestEvent),
    /// An App installation changed.
    Installation(InstallationEvent),
    /// A repository changed.
    Repository(RepositoryEvent),
    /// Nothing we use.
    Ignored {
        /// The event's name.
        event: String,
        /// Its action, or empty.
        action: String,
        /// Why.
        reason: IgnoreReason,
    },
}

/// Why a delivery is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoreReason {
    /// We do not know the event.
    UnknownEvent,
    /// We do not use the action.
    UnusedAction,
    /// It names too many refs.
    TooManyRefs,
}

impl IgnoreReason {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEvent => "unknown_event",
            Self::UnusedAction => "unused_action",
            Self::TooManyRefs => "too_many_refs",
        }
    }
}

/// A push to a branch or tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    /// The repository.
    pub repository: RepoInfo,
    /// The App installation, if any.
    pub installation: Option<InstallationId>,
    /// The full ref.
    pub git_ref: String,
    /// The ref without `refs/heads/` or `refs/tags/`.
    pub name: String,
    /// Where it pointed; `None` if it is new.
    pub before: Option<CommitSha>,
    /// Where it points.
    pub after: CommitSha,
    /// The ref is new.
    pub created: bool,
    /// History was rewritten.
    pub forced: bool,
    /// The head commit, if the forge described it.
    pub head: Option<CommitInfo>,
    /// Which files changed.
    pub changed: ChangedPaths,
    /// The author asked for no build.
    pub skip: Option<SkipToken>,
}

/// Which files a push changed. A filter must build on `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedPaths {
    /// All of them, sorted.
    Known(Vec<RepoPath>),
    /// Not told completely, and why.
    Unknown(&'static str),
}

/// The words by which an author asked for no build, as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipToken(pub String);

/// What a pull request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullRequestAction {
    /// Opened.
    Opened,
    /// New commits.
    Synchronize,
    /// Reopened.
    Reopened,
    /// No longer a draft.
    ReadyForReview,
    /// A draft again.
    ConvertedToDraft,
    /// Closed or merged.
    Closed,
    /// A label was added.
    Labeled,
    /// A label was removed.
    Unlabeled,
}

/// A pull request. None builds in this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestEvent {
    /// What it did.
    pub action: PullRequestAction,
    /// Its number.
    pub number: u64,
    /// The base repository.
    pub repository: RepoInfo,
    /// The App installation, if any.
    pub installation: Option<InstallationId>,
    /// The branch it wants to join.
    pub base: BranchName,
    /// The branch it comes from, as text: it may be anyone's.
    pub head_branch: String,
    /// Its head.
    pub head: CommitSha,
    /// Whose code it is, by numeric ids only.
    pub fork: ForkOrigin,
    /// A draft.
    pub draft: bool,
    /// Merged.
    pub merged: bool,
}

/// Whose code a pull request brings, by numeric repository ids only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkOrigin {
    /// The base repository's own.
    SameRepository,
    /// Another repository's.
    Fork {
        /// Its id.
        repository: RepositoryId,
    },
    /// A repository that no longer exists.
    Gone,
}

/// A ref that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEvent {
    /// The repository.
    pub repository: RepoInfo,
    /// The ref without its prefix.
    pub name: String,
}

/// An App installation changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallationEvent {
    /// The forge's word.
    pub action: String,
    /// Which.
    pub installation: InstallationId,
}

/// A repository was renamed, transferred, archived, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryEvent {
    /// The forge's word.
    pub action: String,
    /// The repository as it is now.
    pub repository: RepoInfo,
}

/// Asks for the deliveries that nobody answered well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedRequest {
    /// Since then.
    pub since: Timestamp,
    /// At most this many.
    pub limit: u32,
}

/// The deliveries that nobody answered well, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// The deliveries.
    pub deliveries: Vec<MissedDelivery>,
    /// Nothing was left out.
    pub complete: bool,
    /// The newest delivery seen, answered or not.
    pub newest: Option<Timestamp>,
}

/// A delivery that nobody answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedDelivery {
    /// The forge's id of its newest attempt.
    pub attempt: String,
    /// The delivery's id.
    pub id: DeliveryId,
    /// The event's name.
    pub event: String,
    /// When it was first sent.
    pub at: Timestamp,
    /// The last answer; `None` = no connection.
    pub last_status: Option<u16>,
    /// How often it was sent again.
    pub redeliveries: u32,
}
