//! Jobs: what there is to do, and the rules of each kind.

mod key;
mod kind;
mod new_job;
mod payload;

pub use key::{Dedupe, DedupeUntil, JobKey, Scope};
pub use kind::{JobClass, JobKind, JobPolicy, Lane};
pub use new_job::NewJob;
pub use payload::{CancelRunJob, JobPayload, RevisionJob, SweepJob, TeardownJob, WatchBuildJob};
