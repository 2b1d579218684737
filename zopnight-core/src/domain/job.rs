//! Jobs: what there is to do, and the rules of each kind.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change::DeploymentRef;
use super::commit::CommitSha;
use super::delivery::DeliveryId;
use super::grammar::{bytes_of, rule, text_type};
use super::id::{AttemptId, DeploymentId, JobId, RevisionId};
use super::org::OrgId;
use super::time::Timestamp;
use crate::error::{Error, Result};

/// What a job does. A closed set: a new kind comes with a new lane, so that an older replica never claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Cancels a run at the builder.
    CancelRun,
    /// Looks after one build until it is settled.
    WatchBuild,
    /// Applies a built revision to its cluster.
    Deploy,
    /// Removes a deployment's release.
    Teardown,
    /// Dispatches a queued revision to the builder.
    Build,
    /// Tells the forge a revision's state.
    ReportStatus,
    /// Reconciles branch heads.
    Sweep,
}

/// A line that workers claim from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Cancelling runs.
    Control,
    /// Watching builds.
    Watch,
    /// Deploys and teardowns.
    Deploy,
    /// Dispatches.
    Build,
    /// Status reports.
    Status,
    /// Sweeps.
    Sweep,
}

/// Which share of a worker's slots a job takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobClass {
    /// First.
    Control,
    /// Second.
    Deploy,
    /// Third.
    Build,
    /// Last.
    Background,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::CancelRun, Self::WatchBuild, Self::Deploy, Self::Teardown, Self::Build, Self::ReportStatus, Self::Sweep];

    /// The name in the store, in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CancelRun => "cancel_run",
            Self::WatchBuild => "watch_build",
            Self::Deploy => "deploy",
            Self::Teardown => "teardown",
            Self::Build => "build",
            Self::ReportStatus => "report_status",
            Self::Sweep => "sweep",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == name)
    }

    /// The line it waits in.
    #[must_use]
    pub const fn lane(self) -> Lane {
        match self {
            Self::CancelRun => Lane::Control,
            Self::WatchBuild => Lane::Watch,
            Self::Deploy | Self::Teardown => Lane::Deploy,
            Self::Build => Lane::Build,
            Self::ReportStatus => Lane::Status,
            Self::Sweep => Lane::Sweep,
        }
    }

    /// The default rules of this kind.
    #[must_use]
    pub const fn policy(self) -> JobPolicy {
        let (give_up_after, power, cap, run_limit) = match self {
            Self::CancelRun => (8, 4, 600, 120),
            Self::WatchBuild => (100, 2, 60, 120),
            Self::Deploy => (5, 4, 600, 1_200),
            Self::Teardown => (30, 4, 3_600, 900),
            Self::Build => (8, 4, 3_600, 300),
            Self::ReportStatus => (8, 4, 1_800, 60),
            Self::Sweep => (10, 4, 300, 600),
        };
        JobPolicy { give_up_after, power, cap: Duration::from_secs(cap), run_limit: Duration::from_secs(run_limit) }
    }
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 6] = [Self::Control, Self::Watch, Self::Deploy, Self::Build, Self::Status, Self::Sweep];

    /// The name in the store and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Watch => "watch",
            Self::Deploy => "deploy",
            Self::Build => "build",
            Self::Status => "status",
            Self::Sweep => "sweep",
        }
    }

    /// The lane of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.as_str() == name)
    }

    /// The share of a worker's slots its jobs take.
    #[must_use]
    pub const fn class(self) -> JobClass {
        match self {
            Self::Control | Self::Watch => JobClass::Control,
            Self::Deploy => JobClass::Deploy,
            Self::Build => JobClass::Build,
            Self::Status | Self::Sweep => JobClass::Background,
        }
    }

    /// The prefixes (before the first `:`) that keys of this lane may have, so that a key lives in one lane only.
    #[must_use]
    pub const fn key_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Control => &["cancel"],
            Self::Watch => &["watch"],
            Self::Deploy => &["deploy", "teardown"],
            Self::Build => &["build"],
            Self::Status => &["status"],
            Self::Sweep => &["sweep"],
        }
    }
}

/// When a kind is given up, how long it backs off, how long one run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobPolicy {
    /// Failures after which the job is given up.
    pub give_up_after: u32,
    /// The pause after the n-th failure is n to this power, in seconds.
    pub power: u32,
    /// Longest pause.
    pub cap: Duration,
    /// Longest run; a deploy gets the deployment's rollout timeout and ten minutes instead.
    pub run_limit: Duration,
}

impl JobPolicy {
    /// The pause after `failures` failures (at least 1), without jitter.
    #[must_use]
    pub fn backoff(&self, failures: u32) -> Duration {
        Duration::from_secs(u64::from(failures.max(1)).saturating_pow(self.power)).min(self.cap)
    }
}

/// Whose a job is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Nobody's: housekeeping.
    System,
    /// A tenant's.
    Org(OrgId),
}

impl Scope {
    /// The tenant, if it is one's.
    #[must_use]
    pub const fn org(&self) -> Option<&OrgId> {
        match self {
            Self::System => None,
            Self::Org(org) => Some(org),
        }
    }
}

text_type! {
    /// A dedupe or serial key: 1..=160 of `[A-Za-z0-9._:/-]`, case-sensitive, unique within its scope. What stands before
    /// the first `:` names the lane.
    JobKey, "job key", |t| rule(
        bytes_of(t, 160, |b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b)),
        "must be 1 to 160 of A-Z a-z 0-9 . _ : / -",
    )
}

impl JobKey {
    fn of(prefix: &str, id: impl fmt::Display) -> Self {
        Self(format!("{prefix}:{id}").into())
    }

    /// The dedupe key of a one-deployment sweep, and so on: what stands before the first `:`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    /// Whether a job of `lane` may carry this key.
    #[must_use]
    pub fn belongs_to(&self, lane: Lane) -> bool {
        lane.key_prefixes().contains(&self.prefix())
    }
}

/// How long a dedupe key folds later jobs into this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DedupeUntil {
    /// Until it is claimed: a running job may be past the change and no longer folds.
    Started,
    /// Until it has ended.
    Finished,
}

/// At most one live job has this key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dedupe {
    /// The key.
    pub key: JobKey,
    /// For how long.
    pub until: DedupeUntil,
}

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
            Self::Sweep(SweepJob::Periodic { .. }) => (JobKey("sweep".into()), DedupeUntil::Finished),
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
            Self::Sweep(SweepJob::Periodic { .. }) => Some(JobKey("sweep".into())),
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

/// A job to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Made by the caller (UUIDv7), so that repeating an enqueue stores nothing twice.
    pub id: JobId,
    /// Whose it is.
    pub scope: Scope,
    /// What it does; equals `payload.kind()`.
    pub kind: JobKind,
    /// What it works on.
    pub payload: JobPayload,
    /// Not before this much time from now, 0 ..= 30 days.
    pub delay: Duration,
    /// At most one live job of this key.
    pub dedupe: Option<Dedupe>,
    /// At most one job of this key out of line at a time, in the order of enqueueing.
    pub serial: Option<JobKey>,
    /// The deployment it is about.
    pub deployment: Option<DeploymentId>,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
}

impl NewJob {
    /// Longest delay.
    pub const MAX_DELAY: Duration = Duration::from_secs(30 * 86_400);

    /// A job due now, with the keys of its kind.
    #[must_use]
    pub fn new(id: JobId, scope: Scope, deployment: Option<DeploymentId>, payload: JobPayload) -> Self {
        Self {
            id,
            scope,
            kind: payload.kind(),
            delay: Duration::ZERO,
            dedupe: payload.dedupe(),
            serial: payload.serial(deployment),
            deployment,
            revision: payload.revision(),
            payload,
        }
    }

    /// The same job, not before `delay` from now.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Checks the bounds that every store must keep: kind, delay, payload size and whether the keys belong to the lane.
    ///
    /// # Errors
    /// `Invalid`, naming what is wrong.
    pub fn check(&self) -> Result<()> {
        let lane = self.kind.lane();
        let keys = self.dedupe.iter().map(|d| &d.key).chain(&self.serial);
        if self.kind != self.payload.kind() {
            return Err(Error::invalid("queue.enqueue", "the payload is of another kind"));
        }
        if self.delay > Self::MAX_DELAY {
            return Err(Error::invalid("queue.enqueue", "delay must be at most 30 days"));
        }
        for key in keys {
            if !key.belongs_to(lane) {
                return Err(Error::invalid(
                    "queue.enqueue",
                    format!("key {key} belongs to another lane than {}", lane.as_str()),
                ));
            }
        }
        if self.payload.to_json()?.len() > JobPayload::MAX_BYTES {
            return Err(Error::invalid("queue.enqueue", "payload must be at most 16,384 bytes"));
        }
        Ok(())
    }
}
