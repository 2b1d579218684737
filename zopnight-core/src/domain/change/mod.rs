//! The one kind of write to the catalog: a [`RevisionChange`], applied in one transaction.

mod applied;
mod deployment;
mod revision;
mod whole;

pub use applied::{Applied, Committed, QuotaKind, Stale};
pub use deployment::{ConfigPatch, DeploymentOp, NewDeployment, SourcePatch};
pub use revision::{AttemptOp, NewRevision, RevisionMove, RevisionOp, RevisionPatch};
pub use whole::{CancelJobs, DeploymentRef, Expect, Idempotency, JobStep, RevisionChange, RevisionLog};
