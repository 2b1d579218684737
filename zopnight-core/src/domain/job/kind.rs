//! Kinds, lanes and classes: what there is to do, where it waits, by which rules.

use std::time::Duration;

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

impl JobClass {
    /// Every class, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Control, Self::Deploy, Self::Build, Self::Background];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Deploy => "deploy",
            Self::Build => "build",
            Self::Background => "background",
        }
    }
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
