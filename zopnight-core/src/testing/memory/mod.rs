//! The store in memory: both ports, every rule of the SQL stores, one lock around plain tables.
//!
//! ```
//! use std::sync::Arc;
//! use zopnight_core::clock::SystemClock;
//! use zopnight_core::ports::Store;
//! use zopnight_core::testing::memory::MemoryStore;
//!
//! let store = MemoryStore::new(Arc::new(SystemClock));
//! let other_process = store.clone();
//! assert_eq!(store.writes(), other_process.writes());
//! let _port: Arc<dyn Store> = Arc::new(store);
//! ```

mod apply;
mod catalog;
mod damage;
mod data;
mod jobs;
mod line;
mod options;
mod queue;
mod reads;
mod store;
mod upkeep;

pub use options::MemoryOptions;
pub use store::MemoryStore;
