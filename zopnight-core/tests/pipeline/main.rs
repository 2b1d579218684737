//! The pipeline and the worker on the fakes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod complete;
mod crash_points;
mod flow;
mod races;
mod rate_limits;
mod schedules;
mod spy;
mod stage;
mod telemetry;
mod worker;
