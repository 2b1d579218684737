//! What a job works on: ids and marks only, versioned, since it is persisted.

use serde::{Deserialize, Serialize};

use super::key::{Dedupe, DedupeUntil, JobKey};
use super::kind::JobKind;
use crate::domain::change::DeploymentRef;
use crate::domain::commit::CommitSha;
use crate::domain::delivery::DeliveryId;
use crate::domain::id::{AttemptId, DeploymentId, RevisionId};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// The payload of build, deploy and report_status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionJob {
    /// The revision to work on.
    pub revision: RevisionId,
}

/// The payload of watch_build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchBuildJob {
    /// The revision whose build is watched.
    pub revision: RevisionId,
    /// The attempt.
    pub jti: AttemptId,
    /// When the revision times out. Enforced by this job, also after a restart.
    pub deadline: Timestamp,
    /// How many looks have been taken; it spaces them.
    #[serde(default)]
    pub looks: u32,
    /// When the run was first seen finished without a callback.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

/// The payload of cancel_run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRunJob {
    /// The revision whose run is cancelled.
    pub revision: RevisionId,
    /// The attempt.
    pub jti: AttemptId,
    /// End a run that ignored the first request.
    #[serde(default)]
    pub force: bool,
}

/// The payload of teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeardownJob {
    /// The deployment to remove.
    pub deployment: DeploymentId,
}

/// The payload of sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum SweepJob {
    /// All deployments, a page after another.
    Periodic {
        /// Deliveries since then are looked at; `None` = the first run.
        since: Option<Timestamp>,
        /// Where the last run stopped.
        after: Option<DeploymentRef>,
    },
    /// One deployment's branch head.
    One {
        /// The deployment.
        deployment: DeploymentId,
        /// The delivery that asked for it.
        delivery: Option<DeliveryId>,
        /// The commit that delivery named.
        head: Option<CommitSha>,
    },
}

/// What a job is to do: ids and marks only, no content. JSON with a version, at most 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobPayload {
    /// See [`JobKind::Build`].
    Build(RevisionJob),
    /// See [`JobKind::WatchBuild`].
    WatchBuild(WatchBuildJob),
    /// See [`JobKind::Deploy`].
    Deploy(RevisionJob),
    /// See [`JobKind::Teardown`].
    Teardown(TeardownJob),
    /// See [`JobKind::ReportStatus`].
    ReportStatus(RevisionJob),
    /// See [`JobKind::CancelRun`].
    CancelRun(CancelRunJob),
    /// See [`JobKind::Sweep`].
    Sweep(SweepJob),
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    v: u8,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Deserialize)]
struct Version {
    v: u8,
}

impl JobPayload {
    /// The version written by this release.
    pub const VERSION: u8 = 1;
    /// Largest JSON form, in bytes.
    pub const MAX_BYTES: usize = 16 * 1_024;

    /// The kind it belongs to.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Build(_) => JobKind::Build,
            Self::WatchBuild(_) => JobKind::WatchBuild,
            Self::Deploy(_) => JobKind::Deploy,
            Self::Teardown(_) => JobKind::Teardown,
            Self::ReportStatus(_) => JobKind::ReportStatus,
            Self::CancelRun(_) => JobKind::CancelRun,
            Self::Sweep(_) => JobKind::Sweep,
        }
    }

    /// The JSON form kept by stores.
    ///
    /// # Errors
    /// `Internal` if it cannot be written, which no value of this type causes.
    pub fn to_json(&self) -> Result<String> {
        fn json<T: Serialize>(body: &T) -> serde_json::Result<String> {
            serde_json::to_string(&Versioned { v: JobPayload::VERSION, body })
        }
        match self {
            Self::Build(b) | Self::Deploy(b) | Self::ReportStatus(b) => json(b),
            Self::WatchBuild(b) => json(b),
            Self::Teardown(b) => json(b),
            Self::CancelRun(b) => json(b),
            Self::Sweep(b) => json(b),
        }
        .map_err(|e| Error::internal("job.payload", "cannot be written").with_source(e))
    }

    /// Reads the JSON form of a job of `kind` back.
    ///
    /// # Errors
    /// `Invalid` if the version is newer than ours or the content does not fit the kind.
    pub fn from_json(kind: JobKind, json: &str) -> Result<Self> {
        fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
            serde_json::from_str(json).map_err(|e| Error::invalid("job.payload", "does not fit its kind").with_source(e))
        }
        let Version { v } = read(json)?;
        if v != Self::VERSION {
            return Err(Error::invalid("job.payload", format!("version {v} is not known here")));
        }
        Ok(match kind {
            JobKind::Build => Self::Build(read(json)?),
            JobKind::WatchBuild => Self::WatchBuild(read(json)?),
            JobKind::Deploy => Self::Deploy(read(json)?),
            JobKind::Teardown => Self::Teardown(read(json)?),
            JobKind::ReportStatus => Self::ReportStatus(read(json)?),
            JobKind::CancelRun => Self::CancelRun(read(json)?),
            JobKind::Sweep => Self::Sweep(read(json)?),
        })
    }

    /// The dedupe key of a job with this payload, if its kind has one.
    #[must_use]
    pub fn dedupe(&self) -> Option<Dedupe> {
        let (key, until) = match self {
            Self::CancelRun(b) => (JobKey::of("cancel", b.jti), DedupeUntil::Finished),
            Self::WatchBuild(b) => (JobKey::of("watch", b.revision), DedupeUntil::Finished),
            Self::Deploy(b) => (JobKey::of("deploy", b.revision), DedupeUntil::Finished),
            Self::Teardown(b) => (JobKey::of("teardown", b.deployment), DedupeUntil::Finished),
            Self::Build(b) => (JobKey::of("build", b.revision), DedupeUntil::Finished),
            Self::ReportStatus(b) => (JobKey::of("status", b.revision), DedupeUntil::Started),
            Self::Sweep(SweepJob::Periodic { .. }) => (JobKey::periodic_sweep(), DedupeUntil::Finished),
            Self::Sweep(SweepJob::One { deployment, .. }) => (JobKey::of("sweep", deployment), DedupeUntil::Started),
        };
        Some(Dedupe { key, until })
    }

    /// The serial key of a job with this payload for `deployment`: of its jobs only one is out of line at a time.
    #[must_use]
    pub fn serial(&self, deployment: Option<DeploymentId>) -> Option<JobKey> {
        match self {
            Self::Deploy(_) | Self::Teardown(_) => deployment.map(|d| JobKey::of("deploy", d)),
            Self::ReportStatus(b) => Some(JobKey::of("status", b.revision)),
            Self::Sweep(SweepJob::Periodic { .. }) => Some(JobKey::periodic_sweep()),
            Self::Sweep(SweepJob::One { deployment, .. }) => Some(JobKey::of("sweep", deployment)),
            Self::CancelRun(_) | Self::WatchBuild(_) | Self::Build(_) => None,
        }
    }

    /// The revision it is about, if one.
    #[must_use]
    pub const fn revision(&self) -> Option<RevisionId> {
        match self {
            Self::Build(b) | Self::Deploy(b) | Self::ReportStatus(b) => Some(b.revision),
            Self::WatchBuild(b) => Some(b.revision),
            Self::CancelRun(b) => Some(b.revision),
            Self::Teardown(_) | Self::Sweep(_) => None,
        }
    }
}
