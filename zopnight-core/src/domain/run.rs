//! A build as its builder sees it: a run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::build::BuildPlan;
use super::commit::CommitSha;
use super::forge::RepoRef;
use super::id::{DeploymentId, RevisionId};
use super::image::ImageRef;
use super::org::OrgId;
use super::repo_path::RepoPath;
use super::secret::Secret;
use super::time::Timestamp;
use super::url::HttpsUrl;

/// One build to dispatch. Sent at most once.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The tenant.
    pub org: OrgId,
    /// The revision.
    pub revision: RevisionId,
    /// 1, 2 …
    pub attempt: u32,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The repository, with its id.
    pub source: RepoRef,
    /// The commit; never a branch.
    pub commit: CommitSha,
    /// The app's directory.
    pub root: RepoPath,
    /// What to do.
    pub plan: BuildPlan,
    /// Repository and tag to push to, without digest.
    pub image: ImageRef,
    /// How long the build may take.
    pub timeout: Duration,
    /// Where the callback goes.
    pub callback_url: HttpsUrl,
    /// What it must present.
    pub callback_token: Secret<String>,
}

/// What became of a dispatch. A definite refusal is an error instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// The builder took it.
    Accepted {
        /// Its run, if the builder said.
        run: Option<RunRef>,
    },
    /// The answer was lost: it may or may not have been taken.
    Unknown {
        /// What was seen, for the timeline.
        cause: String,
    },
}

/// A run: the builder's opaque id, and the page a person may open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunRef {
    /// Opaque to us, 1..=128 bytes.
    pub id: String,
    /// Its page.
    pub url: HttpsUrl,
}

/// A run's state as the builder tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRun {
    /// The run.
    pub run: RunRef,
    /// Where it stands.
    pub state: RunState,
    /// The builder's own word for it.
    pub raw: String,
    /// By the builder's clock.
    pub created_at: Timestamp,
    /// By the builder's clock.
    pub updated_at: Timestamp,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Not started.
    Queued,
    /// Running.
    Running,
    /// Over.
    Finished(RunOutcome),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunOutcome {
    /// Well.
    Succeeded,
    /// Badly.
    Failed,
    /// Cancelled at the builder.
    Cancelled,
    /// The builder's own time limit.
    TimedOut,
}

impl RunOutcome {
    /// The name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// The outcome of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed, Self::Cancelled, Self::TimedOut].into_iter().find(|o| o.as_str() == name)
    }
}

/// Looks for the run of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunQuery {
    /// The revision.
    pub revision: RevisionId,
    /// The attempt's number.
    pub attempt: u32,
    /// It cannot be older than this.
    pub not_before: Timestamp,
}

/// Cancels a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// Which.
    pub run: RunRef,
    /// End a run that ignored the first request.
    pub force: bool,
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The builder was asked.
    Requested,
    /// There was nothing left to cancel.
    AlreadyFinished,
}

/// Asks for the end of a run's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Which run.
    pub run: RunRef,
    /// At most this many lines.
    pub max_lines: u32,
    /// At most this many bytes.
    pub max_bytes: u32,
}
