//! Wake-ups inside one process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Counts the commits that made work appear. A waiter that looked before such a commit does not sleep through it.
#[derive(Debug)]
pub(crate) struct Wake {
    commits: watch::Sender<u64>,
    /// Those of this process alone.
    #[cfg(feature = "postgres")]
    own: watch::Sender<u64>,
    looked: AtomicU64,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self {
            commits: watch::Sender::new(0),
            #[cfg(feature = "postgres")]
            own: watch::Sender::new(0),
            looked: AtomicU64::new(0),
        }
    }

    /// Work may have appeared.
    pub(crate) fn ring(&self) {
        self.commits.send_modify(|n| *n = n.wrapping_add(1));
        #[cfg(feature = "postgres")]
        self.own.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Work may have appeared by a commit of any process.
    #[cfg(feature = "postgres")]
    pub(crate) fn hear(&self) {
        self.commits.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Changes with each commit of this process that made work appear.
    #[cfg(feature = "postgres")]
    pub(crate) fn own(&self) -> watch::Receiver<u64> {
        self.own.subscribe()
    }

    /// Somebody looks for work now.
    pub(crate) fn look(&self) {
        self.looked.store(*self.commits.borrow(), Ordering::Release);
    }

    /// Returns when work may have appeared since the last look, or after `at_most`.
    pub(crate) async fn wait(&self, at_most: Duration) {
        let mut commits = self.commits.subscribe();
        let looked = self.looked.load(Ordering::Acquire);
        // Both a change and a time-out end the wait: there is nothing to tell apart.
        let _ = tokio::time::timeout(at_most, commits.wait_for(|n| *n != looked)).await;
        self.look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ring_after_the_look_ends_the_wait_at_once() {
        let wake = Wake::new();
        wake.look();
        wake.ring();
        let began = tokio::time::Instant::now();
        wake.wait(Duration::from_secs(9)).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        wake.wait(Duration::from_secs(9)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(9));
    }
}
