//! A process killed at any store call of push → live, and restarted, ends where an undisturbed one does.

use std::sync::Arc;

use async_trait::async_trait;
use zopnight_core::domain::Timestamp;
use zopnight_core::ports::Store;
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::sim::{FreshStore, push_to_live};

struct Memory;

#[async_trait]
impl FreshStore for Memory {
    async fn fresh(&self) -> (Arc<dyn Store>, Arc<ManualClock>) {
        let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
        (Arc::new(MemoryStore::new(clock.clone())), clock)
    }
}

#[tokio::test(start_paused = true)]
async fn push_to_live_survives_every_fault_at_every_store_call() {
    let runs = push_to_live(&Memory).await;
    assert!(runs >= 4 * 25, "only {runs} runs: the path makes more store calls than that");
}
