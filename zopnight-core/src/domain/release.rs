//! What a cluster says of a release.

use std::net::IpAddr;
use std::time::Duration;

use super::image::{Digest, ImageRef};
use super::lease::Fence;
use super::revision::RevisionNumber;
use super::runtime::Port;
use super::target::ReleaseRef;
use super::time::Timestamp;

/// What to do when a rollout fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Leave it as it is.
    Keep,
    /// Put the last good one back.
    #[default]
    RollBack,
}

/// What to do when a field may not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnImmutable {
    /// Fail, naming the field.
    #[default]
    Refuse,
    /// Delete and create the workload again.
    Recreate,
}

/// What to do when somebody else owns a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForcePolicy {
    /// Take it over, with a warning.
    #[default]
    TakeOver,
    /// Fail, naming field and owner.
    Refuse,
}

/// What one apply did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseOutcome {
    /// How it ended.
    pub verdict: Verdict,
    /// The release record's number.
    pub helm_revision: u32,
    /// The revision that ran before.
    pub previous: Option<RevisionNumber>,
    /// What changed.
    pub changed: Vec<ObjectChange>,
    /// An interrupted apply was taken up again.
    pub resumed: bool,
    /// The record that was put back.
    pub rolled_back_to: Option<u32>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The digest that a ready pod of this revision runs.
    pub running_image: Option<Digest>,
    /// The credential used.
    pub audit_id: Option<String>,
    /// The record freed from a stale pending state.
    pub unlocked: Option<u32>,
}

impl ReleaseOutcome {
    /// An outcome with this verdict and nothing else.
    #[must_use]
    pub const fn of(verdict: Verdict, helm_revision: u32) -> Self {
        Self {
            verdict,
            helm_revision,
            previous: None,
            changed: Vec::new(),
            resumed: false,
            rolled_back_to: None,
            warnings: Vec::new(),
            running_image: None,
            audit_id: None,
            unlocked: None,
        }
    }
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every wanted pod runs the revision and is ready.
    Ready,
    /// It failed, and why.
    Failed(Box<RolloutFailure>),
    /// The cluster already runs a newer revision; nothing was written, or it was overtaken.
    Superseded {
        /// The newer one.
        by: RevisionNumber,
    },
}

/// Why a rollout failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutFailure {
    /// The class of cause.
    pub class: FailureClass,
    /// For users, at most 1 KiB.
    pub message: String,
    /// `Pod/ns/name`.
    pub object: String,
    /// What was seen.
    pub evidence: RolloutEvidence,
    /// How long after the apply.
    pub after: Duration,
}

/// The class of a rollout's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The image cannot be pulled.
    ImagePull,
    /// A container keeps ending.
    CrashLoop,
    /// A container cannot be created: a Secret or ConfigMap is missing.
    ConfigError,
    /// No node takes the pod.
    Unschedulable,
    /// A probe fails.
    ProbeFailing,
    /// A quota is exhausted.
    Quota,
    /// A policy or webhook refuses the objects.
    AdmissionDenied,
    /// Our own call was refused.
    Forbidden,
    /// Somebody else owns a field.
    FieldConflict,
    /// A field may not change.
    Immutable,
    /// The node threw the pod out.
    Evicted,
    /// The pods run another image.
    ImageMismatch,
    /// Time ran out without a better cause.
    DeadlineExceeded,
}

impl FailureClass {
    /// The reason code of the revision.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImagePull => "image_pull",
            Self::CrashLoop => "crash_loop",
            Self::ConfigError => "config_error",
            Self::Unschedulable => "unschedulable",
            Self::ProbeFailing => "probe_failing",
            Self::Quota => "quota",
            Self::AdmissionDenied => "admission_denied",
            Self::Forbidden => "forbidden",
            Self::FieldConflict => "field_conflict",
            Self::Immutable => "immutable",
            Self::Evicted => "evicted",
            Self::ImageMismatch => "image_mismatch",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }
}

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// Takes traffic or not.
    Readiness,
    /// Has come up or not.
    Startup,
    /// Is alive or not.
    Liveness,
}

/// What was seen; every field is empty unless the class fills it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutEvidence {
    /// The image.
    pub image: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// The cluster's own word.
    pub reason: Option<String>,
    /// The probe.
    pub probe: Option<ProbeKind>,
    /// The exit code.
    pub exit_code: Option<i32>,
    /// The signal.
    pub signal: Option<i32>,
    /// Out of memory.
    pub oom_killed: bool,
    /// Restarts.
    pub restarts: u32,
    /// The last lines of the container's log.
    pub log_lines: Vec<String>,
    /// Warning events.
    pub events: Vec<String>,
    /// Fields in conflict.
    pub fields: Vec<FieldIssue>,
    /// Replicas.
    pub counts: ReplicaCounts,
}

/// A field that could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldIssue {
    /// Its path.
    pub field: String,
    /// Who owns it.
    pub manager: String,
    /// What the server said.
    pub message: String,
}

/// Replicas of the workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaCounts {
    /// Wanted.
    pub desired: u32,
    /// Of this revision.
    pub updated: u32,
    /// Ready.
    pub ready: u32,
    /// Ready for long enough.
    pub available: u32,
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChange {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What happened.
    pub change: ChangeKind,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// New.
    Created,
    /// Changed.
    Updated,
    /// As it was.
    Unchanged,
    /// Removed.
    Deleted,
    /// Would have been removed, but says it must be kept.
    KeptByPolicy,
}

/// What the cluster runs now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseStatus {
    /// The last record's number.
    pub helm_revision: Option<u32>,
    /// The last record's status.
    pub helm_status: Option<String>,
    /// The revision of the live pod template.
    pub revision: Option<RevisionNumber>,
    /// Its image.
    pub image: Option<ImageRef>,
    /// Replicas.
    pub replicas: ReplicaCounts,
    /// The last record is not ours.
    pub foreign: bool,
    /// Somebody is applying it now.
    pub locked: bool,
}

/// How a release is reached from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Not at all.
    #[default]
    None,
    /// By a Service.
    Service,
    /// By an Ingress.
    Ingress,
}

impl Exposure {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Service => "service",
            Self::Ingress => "ingress",
        }
    }
}

/// An address of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// A host name.
    Hostname(String),
}

/// The addresses of a release; empty while pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancerStatus {
    /// How it is reached.
    pub exposed: Exposure,
    /// Where; ready as soon as there is one.
    pub addresses: Vec<Address>,
    /// On which ports.
    pub ports: Vec<Port>,
    /// Ready to open.
    pub urls: Vec<String>,
    /// Why there is none yet.
    pub pending: Option<String>,
}

/// Removes a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UninstallRequest {
    /// Which.
    pub target: ReleaseRef,
    /// The newest revision of the deployment: the fence.
    pub revision: RevisionNumber,
    /// Of the job's lease.
    pub job_fence: Fence,
    /// Keep the release records.
    pub keep_history: bool,
    /// When to give up. Absolute; enforced by the applier.
    pub deadline: Timestamp,
}

/// What an uninstall did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UninstallOutcome {
    /// There was no such release.
    pub nothing_to_do: bool,
    /// What was removed.
    pub changed: Vec<ObjectChange>,
}

/// A line of a rollout while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressLine {
    /// At most 200 characters.
    pub message: String,
    /// Replicas.
    pub counts: ReplicaCounts,
}
