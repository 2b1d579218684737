//! A clock that moves with tokio's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// A clock that starts at a given instant and moves with tokio's time (so with its paused time, too) and by hand.
///
/// ```
/// use std::time::Duration;
/// use zopnight_core::domain::Timestamp;
/// use zopnight_core::ports::Clock;
/// use zopnight_core::testing::fakes::ManualClock;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
/// # runtime.block_on(async {
/// let clock = ManualClock::new(Timestamp::from_secs(1_000));
/// clock.advance(Duration::from_secs(5));
/// tokio::time::sleep(Duration::from_secs(60)).await; // paused: no real time passes
/// assert_eq!(clock.now().as_secs(), 1_065);
/// # });
/// ```
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    made: Instant,
    offset: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start` now. Make it inside the runtime whose time it shall follow.
    #[must_use]
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { start, made: Instant::now(), offset: AtomicI64::new(0) })
    }

    /// Moves this clock alone forward; tokio's timers do not notice.
    pub fn advance(&self, by: Duration) {
        self.offset.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Moves this clock alone backward, as a host's clock may be set.
    pub fn set_back(&self, by: Duration) {
        self.offset.fetch_sub(micros(by), Ordering::SeqCst);
    }
}

fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let moved = micros(self.made.elapsed()).saturating_add(self.offset.load(Ordering::SeqCst));
        Timestamp::from_micros(self.start.as_micros().saturating_add(moved))
    }
}
