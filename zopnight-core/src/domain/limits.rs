//! Bounds that more than one part keeps.

/// Bounds that a host may tighten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Deployments that one webhook serves in its own request; the rest is left to a sweep.
    pub fan_out: usize,
    /// Refused callbacks kept as events, for each attempt.
    pub callback_refusals_kept: u32,
    /// Callbacks of one revision in a minute, after their signature verified.
    pub callbacks_per_minute: u32,
    /// Callbacks worked on at once.
    pub callbacks_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fan_out: 500, callback_refusals_kept: 20, callbacks_per_minute: 30, callbacks_in_flight: 64 }
    }
}
