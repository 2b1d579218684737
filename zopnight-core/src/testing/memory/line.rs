//! Lines and turns: every step of a job's row, and the place it gets.

use std::collections::{BTreeMap, HashMap};

use super::jobs::{JobRow, Jobs, ScopedKey};
use crate::domain::job_state::{Counters, JobEvent, next};
use crate::domain::{Enqueued, Fence, JobState, Lane, LeaseRef, NewJob, Outcome, Scope, Timestamp};
use crate::testing::peek::BlockedOn;

/// The last turns given: the memory of the fair queueing.
#[derive(Debug, Default)]
pub(super) struct Turns {
    of_org: HashMap<(Scope, Lane), i64>,
    of_lane: BTreeMap<Lane, i64>,
}

/// One operation: one reading of the clock, one reading of each lane's virtual time.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) now: Timestamp,
    virtual_time: BTreeMap<Lane, i64>,
    /// A job became ready, or will.
    pub(super) woke: bool,
}

impl Op {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { now, virtual_time: BTreeMap::new(), woke: false }
    }
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// This lease holds the job.
    Yes,
    /// It held the job and ended that itself.
    Ended,
    /// Another holds the job, or it was cancelled or taken back.
    No,
}

/// The jobs and the lines they wait in.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) jobs: Jobs,
    turns: Turns,
}

impl Line {
    fn turn(&mut self, op: &mut Op, scope: &Scope, lane: Lane) -> i64 {
        let head = self.jobs.ready.get(&lane).and_then(|l| l.first()).map(|(place, _)| *place);
        let last = self.turns.of_lane.get(&lane).copied();
        let now = *op.virtual_time.entry(lane).or_insert_with(|| head.or(last).unwrap_or(0));
        let own = self.turns.of_org.entry((scope.clone(), lane)).or_insert(i64::MIN);
        *own = now.max(own.saturating_add(1));
        let highest = self.turns.of_lane.entry(lane).or_insert(*own);
        *highest = (*highest).max(*own);
        op.woke = true;
        *own
    }

    /// Moves a row by the pure rules; `false` if they refuse. A serial key that becomes free goes to the next job.
    pub(super) fn step(&mut self, op: &mut Op, seq: i64, event: &JobEvent) -> bool {
        let moved = self.step_alone(op, seq, event);
        if moved {
            self.pass_on_of(op, seq);
        }
        moved
    }

    /// Lets the next job of a row's serial key go on, if nobody holds it any more.
    pub(super) fn pass_on_of(&mut self, op: &mut Op, seq: i64) {
        let ended = self.jobs.get(seq).filter(|row| row.state.is_ended());
        if let Some(key) = ended.and_then(JobRow::serial) {
            self.pass_on(op, &key);
        }
    }

    /// Moves a row by the pure rules, and leaves its serial key to [`Line::pass_on_of`].
    pub(super) fn step_alone(&mut self, op: &mut Op, seq: i64, event: &JobEvent) -> bool {
        let Some(row) = self.jobs.get(seq) else { return false };
        let Some(to) = next(row.state, row.counters, event) else { return false };
        let (scope, lane) = (row.job.scope.clone(), row.lane());
        let place = match to.state {
            JobState::Ready => self.turn(op, &scope, lane),
            JobState::Leased => row.place,
            JobState::Delayed => op.now.plus(pause(event)).as_micros(),
            JobState::Blocked => 0,
            JobState::Done | JobState::Cancelled | JobState::Parked => op.now.as_micros(),
        };
        let now = op.now;
        self.jobs.change(seq, |row| {
            (row.state, row.counters, row.place) = (to.state, to.counters, place);
            row.blocked_on = (to.state == JobState::Blocked).then_some(BlockedOn::Slot);
            row.finished_at = to.state.is_ended().then_some(now);
            row.lease_until = None;
            if to.state == JobState::Ready {
                row.ready_at = now;
            }
            note(row, event);
        });
        true
    }

    fn pass_on(&mut self, op: &mut Op, key: &ScopedKey) {
        let next = self.jobs.serial_waiting.get(key).and_then(|w| w.first()).copied();
        if let Some(next) = next.filter(|_| self.jobs.holder(key).is_none()) {
            self.step(op, next, &JobEvent::Unblock);
        }
    }

    /// Stores a job, or folds it into the one that has its id or its dedupe key.
    pub(super) fn add(&mut self, op: &mut Op, job: NewJob) -> Enqueued {
        if self.jobs.seq_of(job.id).is_some() {
            return Enqueued { id: job.id, folded: true };
        }
        let due = op.now.plus(job.delay).as_micros();
        let survivor = job.dedupe.as_ref().and_then(|d| self.jobs.survivor(&job.scope, &d.key));
        if let Some(survivor) = survivor.and_then(|seq| self.jobs.get(seq)) {
            let (id, seq) = (survivor.job.id, survivor.seq);
            if survivor.state == JobState::Delayed && due < survivor.place {
                self.jobs.change(seq, |row| row.place = due);
                op.woke = true;
            }
            return Enqueued { id, folded: true };
        }
        let id = job.id;
        let seq = self.jobs.next_seq();
        let key = job.serial.clone().map(|key| (job.scope.clone(), key));
        // A key passes on in the commit that frees it, so a waiting job without a holder is never overtaken here.
        let behind = key.is_some_and(|k| self.jobs.holder(&k).is_some() || self.jobs.serial_waiting.contains_key(&k));
        let (state, place) = if behind {
            (JobState::Blocked, 0)
        } else if job.delay.is_zero() {
            (JobState::Ready, self.turn(op, &job.scope, job.kind.lane()))
        } else {
            op.woke = true;
            (JobState::Delayed, due)
        };
        self.jobs.insert(JobRow {
            seq,
            job,
            state,
            place,
            counters: Counters::default(),
            lease_until: None,
            cancel_asked: false,
            blocked_on: behind.then_some(BlockedOn::Serial),
            last_error: None,
            ready_at: op.now,
            finished_at: None,
            unreadable: None,
        });
        Enqueued { id, folded: false }
    }

    /// Cancels a waiting job, asks a running one to stop.
    pub(super) fn cancel(&mut self, op: &mut Op, seq: i64) {
        if !self.step(op, seq, &JobEvent::Cancel) && self.jobs.leased.contains(&seq) {
            self.jobs.change(seq, |row| row.cancel_asked = true);
        }
    }

    pub(super) fn held(&self, lease: LeaseRef) -> Held {
        match self.jobs.get(lease.seq) {
            Some(row) if Fence::of(row.seq, row.counters.fence) != lease.fence => Held::No,
            Some(row) if row.state == JobState::Leased => Held::Yes,
            Some(_) => Held::Ended,
            None => Held::No,
        }
    }

    /// Lets up to `slots` jobs of the org that wait for a build slot go on, oldest first.
    pub(super) fn free_slots(&mut self, op: &mut Op, scope: &Scope, slots: usize) -> u64 {
        let waiting: Vec<i64> = self.jobs.slot_waiting.get(scope).into_iter().flatten().copied().take(slots).collect();
        waiting.iter().filter(|seq| self.step(op, **seq, &JobEvent::Unblock)).fold(0, |n: u64, _| n.saturating_add(1))
    }
}

const fn pause(event: &JobEvent) -> std::time::Duration {
    match event {
        JobEvent::Finish(Outcome::Snooze { after, .. } | Outcome::Retry { after, .. }) => *after,
        _ => std::time::Duration::ZERO,
    }
}

fn note(row: &mut JobRow, event: &JobEvent) {
    match event {
        JobEvent::Finish(Outcome::Snooze { payload: Some(payload), .. }) => row.job.payload = payload.clone(),
        JobEvent::Finish(Outcome::Retry { error, .. } | Outcome::Park { error }) => row.last_error = Some(error.clone()),
        JobEvent::Revive => row.cancel_asked = false,
        _ => {}
    }
}
