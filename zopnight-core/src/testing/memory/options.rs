//! The limits and retentions of the memory store.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Limits and retentions, with the defaults of the SQL stores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Open build attempts an org may have at once. Default 4.
    pub build_slots_per_org: u32,
    /// Live deployments an org may have. Default 1,000.
    pub deployments_per_org: u32,
    /// Revisions of one deployment that may be under way. Default 50.
    pub unfinished_per_deployment: u32,
    /// How long a repeated request is recognised. Default 24 h.
    pub idempotency_ttl: Duration,
    /// How long done jobs are kept. Default 2 d.
    pub keep_done: Duration,
    /// How long cancelled jobs are kept. Default 2 d.
    pub keep_cancelled: Duration,
    /// How long parked jobs are kept. Default 30 d.
    pub keep_parked: Duration,
    /// How long deployments are kept after their removal. Default 30 d.
    pub keep_deleted: Duration,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            build_slots_per_org: 4,
            deployments_per_org: 1_000,
            unfinished_per_deployment: 50,
            idempotency_ttl: DAY,
            keep_done: DAY.saturating_mul(2),
            keep_cancelled: DAY.saturating_mul(2),
            keep_parked: DAY.saturating_mul(30),
            keep_deleted: DAY.saturating_mul(30),
        }
    }
}

macro_rules! knobs {
    ($($(#[$doc:meta])* $with:ident, $field:ident: $type:ty;)+) => {
        impl MemoryOptions {
            $($(#[$doc])*
            #[must_use]
            pub const fn $with(mut self, value: $type) -> Self {
                self.$field = value;
                self
            })+
        }
    };
}

knobs! {
    /// Open build attempts an org may have at once.
    with_build_slots_per_org, build_slots_per_org: u32;
    /// Live deployments an org may have.
    with_deployments_per_org, deployments_per_org: u32;
    /// Revisions of one deployment that may be under way.
    with_unfinished_per_deployment, unfinished_per_deployment: u32;
    /// How long a repeated request is recognised.
    with_idempotency_ttl, idempotency_ttl: Duration;
    /// How long done jobs are kept.
    with_keep_done, keep_done: Duration;
    /// How long cancelled jobs are kept.
    with_keep_cancelled, keep_cancelled: Duration;
    /// How long parked jobs are kept.
    with_keep_parked, keep_parked: Duration;
    /// How long deployments are kept after their removal.
    with_keep_deleted, keep_deleted: Duration;
}
