//! Values and pure rules. Nothing here does I/O, reads a clock or knows a port.
//!
//! Every name is a type that parses on construction, so that an invalid one cannot exist; the grammars are documented on
//! the types. [`revision::next`] decides every transition of a revision, [`job_state::next`] every one of a job,
//! [`push_order::order_push`] what a push means.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod actor;
pub mod analysis;
mod attempt;
mod branch;
mod build;
mod change;
mod commit;
mod delivery;
mod deployment;
mod egress;
mod event;
mod forge;
mod grammar;
pub mod hex;
mod id;
mod image;
mod job;
pub mod job_state;
mod lease;
mod limits;
mod log;
mod org;
pub mod push_order;
mod quantity;
mod queue;
mod redact;
mod release;
mod repo_path;
mod report;
pub mod revision;
mod run;
mod runtime;
mod secret;
mod target;
pub mod text;
mod time;
mod url;
mod view;
mod webhook;

pub use actor::{Actor, ActorKind};
pub use analysis::Analysis;
pub use attempt::{AttemptPatch, BuildAttempt, DispatchState, NewAttempt, Settled};
pub use branch::BranchName;
pub use build::{BuildMode, BuildPlan, BuildSpec};
pub use change::{
    Applied, AttemptOp, CancelJobs, Committed, ConfigPatch, DeploymentOp, DeploymentRef, Expect, Idempotency, JobStep,
    NewDeployment, NewRevision, QuotaKind, RevisionChange, RevisionLog, RevisionMove, RevisionOp, RevisionPatch,
    SourcePatch, Stale,
};
pub use commit::{CommitInfo, CommitSha};
pub use delivery::DeliveryId;
pub use deployment::{BranchMark, Deployment, DeploymentStatus, Source};
pub use egress::EgressPolicy;
pub use event::{Event, EventData, EventKind, EventValue, NewEvent};
pub use forge::{Branch, ForgeId, InstallationId, IntegrationId, OwnerName, RepoInfo, RepoName, RepoRef, RepositoryId};
pub use id::{AttemptId, DeploymentId, JobId, RevisionId, uuid_v7};
pub use image::{DeployedImage, Digest, ImageRef, ImageRepository, Tag};
pub use job::{
    CancelRunJob, Dedupe, DedupeUntil, JobClass, JobKey, JobKind, JobPayload, JobPolicy, Lane, NewJob, RevisionJob, Scope,
    SweepJob, TeardownJob, WatchBuildJob,
};
pub use job_state::JobState;
pub use lease::{
    ClaimRequest, Enqueued, Extended, Fence, Finish, Finished, JobError, Lease, LeaseRef, Outcome, Want, WorkerId,
};
pub use limits::Limits;
pub use log::{LogSource, LogTail};
pub use org::OrgId;
pub use quantity::Quantity;
pub use queue::{Budget, Maintained, ParkedJob, QueueStats};
pub use redact::Redactor;
pub use release::{
    Address, ChangeKind, Exposure, FailureClass, FieldIssue, ForcePolicy, LoadBalancerStatus, ObjectChange, OnFailure,
    OnImmutable, ProbeKind, ProgressLine, ReleaseOutcome, ReleaseStatus, ReplicaCounts, RolloutEvidence, RolloutFailure,
    UninstallOutcome, UninstallRequest, Verdict,
};
pub use repo_path::RepoPath;
pub use report::RevisionReport;
pub use revision::{Cause, Reason, Revision, RevisionNumber, RevisionState, Rollout, RolloutStatus};
pub use run::{
    BuildRequest, BuildRun, CancelOutcome, CancelRequest, Dispatch, LogRequest, RunOutcome, RunQuery, RunRef, RunState,
};
pub use runtime::{EnvName, HealthPath, Port, Replicas, Resources, RuntimeSpec, SecretKey, SecretName, SecretRef};
pub use secret::Secret;
pub use target::{
    AppName, Namespace, ReleaseName, ReleaseRef, SpaceId, Target, TargetRequest, check_image_template, fill_template,
};
pub use time::Timestamp;
pub use url::{HttpsUrl, percent_encode_segment};
pub use view::{
    BranchKey, DeploymentQuery, DeploymentSort, DeploymentView, EventQuery, IdempotencyRecord, IdempotencyRef, Page,
    PageRequest, RevisionQuery, RevisionSort, RevisionView, SweepPage, SweepQuery, TrackedBranch,
};
pub use webhook::{
    ChangedPaths, Delivery, ForkOrigin, IgnoreReason, InstallationEvent, Missed, MissedDelivery, MissedRequest,
    PullRequestAction, PullRequestEvent, PushEvent, RefEvent, RepoEvent, RepositoryEvent, SecretSlot, SkipToken,
};
