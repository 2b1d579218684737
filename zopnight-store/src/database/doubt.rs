//! Whether a connection that lay in a pool may be dead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A connection that lay still for longer is asked whether it is alive before it is used.
const STILL: Duration = Duration::from_secs(1);

/// When a connection was last found dead. What ended that one ended others with it, as a rule: those that lay in the pool at
/// that moment are asked before they are used.
#[derive(Debug)]
pub(crate) struct Doubt {
    begun: Instant,
    found: AtomicU64,
}

impl Doubt {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), found: AtomicU64::new(0) }
    }

    /// A connection was found dead.
    pub(crate) fn raise(&self) {
        self.found.store(micros(self.begun.elapsed()), Ordering::Release);
    }

    /// Whether one that has lain still for so long must be asked.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "postgres")),
        expect(dead_code, reason = "SQLite has no server that could go away")
    )]
    pub(crate) fn is_of(&self, idle_for: Duration) -> bool {
        let since = micros(self.begun.elapsed().saturating_sub(idle_for));
        idle_for > STILL || since < self.found.load(Ordering::Acquire)
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_in_the_pool_when_another_died_is_asked() {
        let doubt = Doubt::new();
        assert!(!doubt.is_of(Duration::ZERO));
        assert!(doubt.is_of(Duration::from_secs(2)));
        std::thread::park_timeout(Duration::from_millis(5));
        doubt.raise();
        assert!(doubt.is_of(Duration::from_millis(4)));
        std::thread::park_timeout(Duration::from_millis(5));
        assert!(!doubt.is_of(Duration::ZERO), "it came into the pool later");
    }
}
