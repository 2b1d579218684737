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
//!
//! # Metrics
//!
//! Told to the `metrics` facade; `kind`, `lane`, `class` and `state` are the names of [`crate::domain`].
//!
//! | metric | type, unit | labels |
//! |---|---|---|
//! | `zopnight_jobs` | gauge, counted every 15 s; any one replica's answer is that of all | kind, state = ready, leased, delayed, blocked, parked |
//! | `zopnight_jobs_oldest_ready_seconds` | gauge, s, with it | lane |
//! | `zopnight_job_wait_seconds` | histogram, s: from ready to claimed, by the store's clock | kind, outcome |
//! | `zopnight_job_duration_seconds` | histogram, s | kind, outcome |
//! | `zopnight_job_outcomes_total` | counter | kind, outcome = ended, retried, snoozed, parked, cancelled, lost, stopped |
//! | `zopnight_job_lease_lost_total` | counter | kind |
//! | `zopnight_job_panics_total` | counter | kind |
//! | `zopnight_jobs_taken_back_total` | counter: expired leases that this process took back | - |
//! | `zopnight_jobs_mended_total` | counter, expected to stay 0 | - |
//! | `zopnight_jobs_folded_total` | counter: jobs that a live one of the same key stood for; told by the pipeline | kind |
//! | `zopnight_worker_slots` | gauge | class, state = free (what the class may still take), busy |
//!
//! Each run has a span `zopnight.job.run` with kind, job, attempt, deployment and revision.

mod claim;
mod config;
mod ending;
mod heartbeat;
mod house;
mod running;
mod shared;
mod slots;
mod supervise;
mod telemetry;

pub use claim::{Worker, WorkerBuilder};
pub use config::WorkerConfig;
pub use shared::{Drained, JobReport, WorkerHealth};
