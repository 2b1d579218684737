//! Processes that work on one store while they are killed, frozen and cut off; then a judge.
//!
//! [`run`] starts producers and workers as processes of the same program (`ZOPNIGHT_CHAOS` tells them what to be, and
//! [`child`] is what they call), breaks things on a schedule drawn from a seed, waits until no job is left, and hands
//! history and tables to the checker. The schedule and the workload follow from the seed; how processes interleave does not.

mod crash;
mod database;
mod handler;
mod parent;
mod pipeline;
mod processes;
mod producer;
mod schedule;
mod settings;
mod worker;
mod workload;

pub(crate) use parent::run;
pub(crate) use settings::{Launch, Settings, child};
