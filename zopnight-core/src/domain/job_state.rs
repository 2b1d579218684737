//! The pure rules by which a job's row moves. Stores carry them out; the memory store and the models call them.

use super::lease::Outcome;

/// The state of a job's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Not due yet.
    Delayed,
    /// Behind the holder of its serial key, or waiting for a build slot.
    Blocked,
    /// Claimable.
    Ready,
    /// Held by a worker.
    Leased,
    /// Ended well.
    Done,
    /// Ended by a cancel.
    Cancelled,
    /// Given up, kept for an operator.
    Parked,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Delayed, Self::Blocked, Self::Ready, Self::Leased, Self::Done, Self::Cancelled, Self::Parked];

    /// The name in the store and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// Whether the job has ended: done, cancelled or parked.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Parked)
    }
}

/// The counters of a job's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Hand-outs: the low part of the fence.
    pub fence: u32,
    /// Charged failures.
    pub failures: u32,
    /// Leases that ran out.
    pub losses: u32,
    /// Panics.
    pub panics: u32,
    /// Snoozes.
    pub snoozes: u32,
}

/// What happens to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// Its time has come.
    Promote,
    /// What it waited for is free.
    Unblock,
    /// No build slot: back into line.
    BlockOnSlot,
    /// A worker takes it.
    Claim,
    /// Its lease ran out; `cancel` if a cancel was asked meanwhile.
    TakeBack {
        /// A cancel was asked.
        cancel: bool,
    },
    /// Its holder ends it.
    Finish(Outcome),
    /// Cancelled from outside.
    Cancel,
    /// An operator wants it run again.
    Revive,
}

/// Where a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTransition {
    /// The new state.
    pub state: JobState,
    /// The new counters.
    pub counters: Counters,
}

/// Decides a transition; `None` if the event does not apply to the state. Total and pure.
#[must_use]
pub fn next(state: JobState, counters: Counters, event: &JobEvent) -> Option<JobTransition> {
    let mut c = counters;
    let to = match (state, event) {
        (JobState::Delayed, JobEvent::Promote) | (JobState::Blocked, JobEvent::Unblock) => JobState::Ready,
        (JobState::Leased, JobEvent::BlockOnSlot) => JobState::Blocked,
        (JobState::Ready, JobEvent::Claim) => {
            c.fence = c.fence.saturating_add(1);
            JobState::Leased
        }
        (JobState::Leased, JobEvent::TakeBack { cancel }) => {
            c.fence = c.fence.saturating_add(1);
            c.losses = c.losses.saturating_add(1);
            if *cancel { JobState::Cancelled } else { JobState::Ready }
        }
        (JobState::Leased, JobEvent::Finish(outcome)) => finish(&mut c, outcome),
        (JobState::Delayed | JobState::Blocked | JobState::Ready, JobEvent::Cancel) => {
            c.fence = c.fence.saturating_add(1);
            JobState::Cancelled
        }
        (JobState::Parked, JobEvent::Revive) => {
            c = Counters { fence: c.fence.saturating_add(1), ..Counters::default() };
            JobState::Ready
        }
        _ => return None,
    };
    Some(JobTransition { state: to, counters: c })
}

fn finish(c: &mut Counters, outcome: &Outcome) -> JobState {
    match outcome {
        Outcome::Done => JobState::Done,
        Outcome::Cancelled => JobState::Cancelled,
        Outcome::Park { .. } => JobState::Parked,
        Outcome::Release => {
            c.fence = c.fence.saturating_add(1);
            JobState::Ready
        }
        Outcome::Snooze { after, .. } => {
            c.failures = 0;
            c.snoozes = c.snoozes.saturating_add(1);
            if after.is_zero() { JobState::Ready } else { JobState::Delayed }
        }
        Outcome::Retry { panic, .. } => {
            c.failures = c.failures.saturating_add(1);
            c.panics = c.panics.saturating_add(u32::from(*panic));
            JobState::Delayed
        }
    }
}
