//! A process killed at any store call of push → live, and restarted, ends where an undisturbed one does.

use std::sync::Arc;

use async_trait::async_trait;
use zopnight_core::domain::Timestamp;
use zopnight_core::ports::{Clock, Store};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::sim::{Fault, FreshStore, push_to_live};

struct Memory;

#[async_trait]
impl FreshStore for Memory {
    async fn fresh(&self) -> (Arc<dyn Store>, Arc<ManualClock>) {
        let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
        let driven: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        (Arc::new(MemoryStore::new(driven)), clock)
    }
}

async fn survives(fault: Fault) {
    let runs = push_to_live(&Memory, fault).await;
    assert!(runs >= 25, "only {runs} runs: the path makes more store calls than that");
}

#[tokio::test(start_paused = true)]
async fn push_to_live_survives_a_kill_before_each_store_call() {
    survives(Fault::Before).await;
}

#[tokio::test(start_paused = true)]
async fn push_to_live_survives_a_kill_after_each_store_call() {
    survives(Fault::After).await;
}

#[tokio::test(start_paused = true)]
async fn push_to_live_survives_an_error_at_each_store_call() {
    survives(Fault::Error).await;
}

#[tokio::test(start_paused = true)]
async fn push_to_live_survives_a_lost_answer_at_each_store_call() {
    survives(Fault::Lost).await;
}
