//! What became of a change.

use crate::domain::id::{AttemptId, RevisionId};
use crate::domain::lease::Enqueued;
use crate::domain::revision::RevisionNumber;
use crate::domain::view::{IdempotencyRecord, RevisionView};

/// What became of a change. Anything but `Committed` left everything as it was.
#[derive(Clone, Debug)]
#[must_use]
pub enum Applied {
    /// Done.
    Committed(Committed),
    /// Something was not as expected: read again and decide again.
    Stale(Stale),
    /// The lease is no longer held. The worker stops at once.
    LeaseLost,
    /// This very lease was finished before: an answer was lost.
    AlreadyFinished,
    /// A revision of this id is there: a redelivery. The caller compares its digest.
    Exists(Box<RevisionView>),
    /// The same request was carried out before.
    Replayed(IdempotencyRecord),
    /// The same idempotency key came with another request.
    KeyReused,
    /// A live deployment of this name exists in the tenant.
    NameTaken,
    /// A limit of the tenant is reached.
    Quota(QuotaKind),
    /// The tenant's build slots are full; the job of `Hold` now waits for one.
    AtCapacity,
    /// The deployment is being removed.
    Deleting,
}

/// What a commit gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The deployment's new version.
    pub version: u64,
    /// The numbers given to new revisions, in the order of the operations.
    pub numbers: Vec<(RevisionId, RevisionNumber)>,
    /// The sequence numbers of the first and the last event, if any.
    pub events: Option<(u64, u64)>,
    /// What became of the follow-up jobs, in order.
    pub enqueued: Vec<Enqueued>,
}

/// What was not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The deployment's version.
    Version,
    /// The number of the newest revision.
    NewestNumber,
    /// The configuration's version.
    ConfigVersion,
    /// A revision's version or state.
    Revision(RevisionId),
    /// An attempt is closed, or not there.
    Attempt(AttemptId),
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKind {
    /// Live deployments of the tenant.
    Deployments,
}
