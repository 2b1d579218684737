//! Whole pipelines on fakes, and what happens to them when processes die.
//!
//! A [`World`] survives: store, forge, builder, registry, cluster and clock. A process is a pipeline and a worker over it; killing
//! one drops its futures and its memory, and a new one over the same world goes on. [`CrashStore`] stands between a process and the
//! store, numbers every call and can kill the process before or after one.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use zopnight_core::domain::{RevisionState, Timestamp};
//! use zopnight_core::testing::fakes::ManualClock;
//! use zopnight_core::testing::memory::MemoryStore;
//! use zopnight_core::testing::sim::World;
//!
//! let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
//! let world = World::new(Arc::new(MemoryStore::new(clock.clone())), clock);
//! let pipeline = world.pipeline();
//! let created = world.create(&pipeline, "checkout").await;
//! world.settle(&pipeline).await;
//! let now = pipeline.deployment(&world.org, created.deployment.deployment.id).await.unwrap();
//! assert_eq!(now.newest.state, RevisionState::Succeeded);
//! # });
//! ```

mod builder;
mod crash;
mod crash_points;
mod invariants;
mod world;

pub use builder::{Builder, CallbackAnswer};
pub use crash::{CrashStore, Fault};
pub use crash_points::{FreshStore, push_to_live};
pub use invariants::check_at_rest;
pub use world::World;
