//! Keeps a worker's leases.

use tokio::time::{Instant, sleep};

use super::running::Signal;
use super::shared::Shared;
use crate::domain::Extended;

impl Shared {
    /// Prolongs all leases of the worker, again and again; never returns.
    pub(super) async fn keep_leases(&self) {
        loop {
            sleep(self.config.heartbeat).await;
            self.beat().await;
        }
    }

    async fn beat(&self) {
        let leases = self.running.leases();
        if leases.is_empty() {
            return;
        }
        // What is promised counts from before the question was sent.
        let asked = Instant::now();
        match self.queue.extend(&leases, self.config.lease).await {
            Ok(answers) => {
                for (lease, answer) in leases.into_iter().zip(answers) {
                    self.running.tell(lease, |control| match answer {
                        Extended::Until(d) => control.good_until = asked.checked_add(d).unwrap_or(asked),
                        Extended::CancelAsked(d) => {
                            control.good_until = asked.checked_add(d).unwrap_or(asked);
                            control.signal = Signal::Cancel;
                        }
                        Extended::Lost => control.signal = Signal::Lost,
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "leases could not be prolonged"),
        }
    }
}
