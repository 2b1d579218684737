//! The runtime that claims and runs jobs: leases with heartbeats, abandoned before they expire; panics caught; retries and
//! parking by what an error's `retry()` says; a graceful stop that gives leases back.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use zopnight_core::{pipeline::Pipeline, ports::Store, worker::Worker};
//! # async fn start(store: Arc<dyn Store>, pipeline: Pipeline, stop: tokio::sync::oneshot::Receiver<()>) -> zopnight_core::Result<()> {
//! let worker = Worker::builder(store, pipeline).build()?;
//! let drained = worker.run_until(async { stop.await.unwrap_or(()) }).await;
//! println!("{} jobs were given back", drained.released);
//! # Ok(())
//! # }
//! ```

mod claim;
mod config;
mod ending;
mod heartbeat;
mod running;
mod shared;
mod slots;
mod supervise;

pub use claim::{Worker, WorkerBuilder};
pub use config::WorkerConfig;
pub use shared::{Drained, JobReport, WorkerHealth};
