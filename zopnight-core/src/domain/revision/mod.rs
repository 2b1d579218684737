//! A revision: an immutable commit, image and configuration snapshot of a deployment, and the state it is in.
//!
//! [`next`] is the only place in the project that decides a transition.

mod cause;
mod number;
mod reason;
mod record;
mod state;

pub use cause::Cause;
pub use number::RevisionNumber;
pub use reason::{Reason, ReasonCode};
pub use record::{Revision, Rollout, RolloutStatus};
pub use state::{Next, RevisionEvent, RevisionState, next};
