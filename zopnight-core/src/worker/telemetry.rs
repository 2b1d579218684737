//! What a worker tells the `metrics` facade. Labels are kinds, lanes, classes and states, never an id.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shared::{JobReport, Shared};
use super::slots::Slots;
use crate::domain::{JobClass, JobKind, JobState, Lane, Lease, Maintained, QueueStats};

const JOBS: &str = "zopnight_jobs";
const OLDEST_READY: &str = "zopnight_jobs_oldest_ready_seconds";
const WAIT: &str = "zopnight_job_wait_seconds";
const DURATION: &str = "zopnight_job_duration_seconds";
const OUTCOMES: &str = "zopnight_job_outcomes_total";
const LEASE_LOST: &str = "zopnight_job_lease_lost_total";
const PANICS: &str = "zopnight_job_panics_total";
const TAKEN_BACK: &str = "zopnight_jobs_taken_back_total";
const MENDED: &str = "zopnight_jobs_mended_total";
const SLOTS: &str = "zopnight_worker_slots";

/// The states that are counted: live and parked.
const COUNTED: [JobState; 5] = [JobState::Ready, JobState::Leased, JobState::Delayed, JobState::Blocked, JobState::Parked];

/// A run is over.
pub(super) fn ended(lease: &Lease, report: &JobReport, ran: Duration) {
    let (kind, outcome) = (lease.kind.as_str(), outcome_name(report));
    metrics::counter!(OUTCOMES, "kind" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!(WAIT, "kind" => kind, "outcome" => outcome).record(lease.waited.as_secs_f64());
    metrics::histogram!(DURATION, "kind" => kind, "outcome" => outcome).record(ran.as_secs_f64());
}

pub(super) fn lease_lost(kind: JobKind) {
    metrics::counter!(LEASE_LOST, "kind" => kind.as_str()).increment(1);
}

pub(super) fn panicked(kind: JobKind) {
    metrics::counter!(PANICS, "kind" => kind.as_str()).increment(1);
}

pub(super) fn kept_house(done: &Maintained) {
    metrics::counter!(TAKEN_BACK).increment(done.taken_back);
    metrics::counter!(MENDED).increment(done.mended);
}

/// Every series is set each time, so that one whose jobs are gone falls to 0.
pub(super) fn counted(stats: &QueueStats) {
    let jobs: BTreeMap<(JobKind, JobState), u64> = stats.jobs.iter().map(|(kind, state, n)| ((*kind, *state), *n)).collect();
    for kind in JobKind::ALL {
        for state in COUNTED {
            let n = jobs.get(&(kind, state)).copied().unwrap_or(0);
            metrics::gauge!(JOBS, "kind" => kind.as_str(), "state" => state.as_str()).set(n as f64);
        }
    }
    let oldest: BTreeMap<Lane, Duration> = stats.oldest_ready.iter().copied().collect();
    for lane in Lane::ALL {
        let age = oldest.get(&lane).copied().unwrap_or_default();
        metrics::gauge!(OLDEST_READY, "lane" => lane.as_str()).set(age.as_secs_f64());
    }
}

impl Shared {
    /// Tells how many slots are in use and how many each class may still take.
    pub(super) fn tell_slots(&self) {
        let running = self.running.by_class();
        let slots = Slots { total: self.config.concurrency as usize, reserved: self.config.reserved_slots() as usize };
        for class in JobClass::ALL {
            let busy = running.get(&class).copied().unwrap_or(0);
            for (state, n) in [("busy", busy), ("free", slots.free(&running, class))] {
                metrics::gauge!(SLOTS, "class" => class.as_str(), "state" => state).set(n as f64);
            }
        }
    }
}

const fn outcome_name(report: &JobReport) -> &'static str {
    match report {
        JobReport::Ended => "ended",
        JobReport::Retried => "retried",
        JobReport::Snoozed => "snoozed",
        JobReport::Parked => "parked",
        JobReport::Cancelled => "cancelled",
        JobReport::Lost => "lost",
        JobReport::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_table_of_the_docs() {
        let table = include_str!("mod.rs");
        for name in [JOBS, OLDEST_READY, WAIT, DURATION, OUTCOMES, LEASE_LOST, PANICS, TAKEN_BACK, MENDED, SLOTS] {
            assert!(table.contains(&format!("//! | `{name}` |")), "{name}");
        }
        let told = table.lines().filter(|l| l.starts_with("//! | `zopnight_")).count();
        assert_eq!(told, 11, "ten of the worker and one of the pipeline");
    }
}
