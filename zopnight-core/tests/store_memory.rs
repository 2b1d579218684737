//! The conformance suites of a store, run for the memory store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zopnight_core::domain::{JobId, Timestamp};
use zopnight_core::ports::{Clock as _, Store};
use zopnight_core::store_suite;
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::hook::Hook;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::peek::Peek;
use zopnight_core::testing::suites::fixtures;
use zopnight_core::testing::suites::harness::{Cell, Lock, Metered, Server, StoreHarness};

struct Harness {
    clock: Arc<ManualClock>,
    store: MemoryStore,
}

async fn harness() -> Harness {
    let clock = ManualClock::new(fixtures::start());
    let store = MemoryStore::new(Arc::<ManualClock>::clone(&clock));
    Harness { clock, store }
}

#[async_trait]
impl StoreHarness for Harness {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn other(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn hooked(&self, hook: Arc<dyn Hook>) -> Arc<dyn Store> {
        Arc::new(self.store.clone().with_hook(hook))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn peek(&self) -> Peek {
        self.store.peek()
    }

    async fn raw(&self) -> String {
        self.store.raw()
    }

    async fn set(&self, jobs: &[JobId], cell: Cell) {
        self.store.set(jobs, &cell);
    }

    async fn lock(&self, _job: JobId) -> Lock {
        Lock::None
    }

    fn connections(&self) -> Option<usize> {
        None
    }

    async fn read_only(&self) -> Option<Arc<dyn Store>> {
        None
    }

    async fn metered(&self) -> Option<Box<dyn Metered>> {
        None
    }

    async fn cut(&self) -> bool {
        false
    }

    async fn server(&self) -> Option<Box<dyn Server>> {
        None
    }

    fn rings_across(&self) -> bool {
        true
    }
}

store_suite!(memory, harness);
