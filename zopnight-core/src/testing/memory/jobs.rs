//! The table of jobs and its indexes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::job_state::Counters;
use crate::domain::{DedupeUntil, JobError, JobId, JobKey, JobKind, JobState, Lane, NewJob, RevisionId, Scope, Timestamp};
use crate::testing::peek::{BlockedOn, JobPeek};

pub(super) type ScopedKey = (Scope, JobKey);

/// Why a row cannot be read, as a defect or another release may leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A kind or a payload of another release.
    Foreign,
    /// A serial key that is none.
    Serial,
    /// A counter that no release writes.
    Counter,
}

#[derive(Clone, Debug)]
pub(super) struct JobRow {
    pub(super) seq: i64,
    pub(super) job: NewJob,
    pub(super) state: JobState,
    /// Turn, due time or end time in microseconds; 0 when blocked.
    pub(super) place: i64,
    pub(super) counters: Counters,
    pub(super) lease_until: Option<Timestamp>,
    pub(super) cancel_asked: bool,
    pub(super) blocked_on: Option<BlockedOn>,
    pub(super) last_error: Option<JobError>,
    pub(super) ready_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) unreadable: Option<Unreadable>,
}

impl JobRow {
    pub(super) const fn lane(&self) -> Lane {
        self.job.kind.lane()
    }

    pub(super) fn serial(&self) -> Option<ScopedKey> {
        self.job.serial.clone().map(|key| (self.job.scope.clone(), key))
    }

    fn live_dedupe(&self) -> Option<ScopedKey> {
        let dedupe = self.job.dedupe.as_ref()?;
        let live = match self.state {
            JobState::Delayed | JobState::Blocked | JobState::Ready => true,
            JobState::Leased => dedupe.until == DedupeUntil::Finished,
            _ => false,
        };
        live.then(|| (self.job.scope.clone(), dedupe.key.clone()))
    }

    fn held_serial(&self) -> Option<ScopedKey> {
        let holds = matches!(self.state, JobState::Delayed | JobState::Ready | JobState::Leased);
        holds.then(|| self.serial()).flatten()
    }

    pub(super) fn peek(&self) -> JobPeek {
        JobPeek {
            seq: self.seq,
            id: self.job.id,
            scope: self.job.scope.clone(),
            kind: self.job.kind,
            state: self.state,
            place: self.place,
            counters: self.counters,
            cancel_asked: self.cancel_asked,
            blocked_on: self.blocked_on,
            dedupe: self.job.dedupe.clone(),
            serial: self.job.serial.clone(),
            revision: self.job.revision,
            last_error: self.last_error.clone(),
        }
    }
}

/// Rows by sequence number. Indexes follow every change made through [`Jobs::change`].
#[derive(Debug, Default)]
pub(super) struct Jobs {
    rows: BTreeMap<i64, JobRow>,
    last_seq: i64,
    by_id: HashMap<JobId, i64>,
    pub(super) ready: BTreeMap<Lane, BTreeSet<(i64, i64)>>,
    pub(super) delayed: BTreeSet<(i64, i64)>,
    pub(super) leased: BTreeSet<i64>,
    pub(super) ended: BTreeMap<JobState, BTreeSet<(i64, i64)>>,
    pub(super) serial_waiting: BTreeMap<ScopedKey, BTreeSet<i64>>,
    pub(super) slot_waiting: BTreeMap<Scope, BTreeSet<i64>>,
    pub(super) counts: BTreeMap<(JobKind, JobState), u64>,
    dedupe: HashMap<ScopedKey, i64>,
    holders: HashMap<ScopedKey, i64>,
    of_revision: HashMap<RevisionId, BTreeSet<i64>>,
}

impl Jobs {
    pub(super) fn get(&self, seq: i64) -> Option<&JobRow> {
        self.rows.get(&seq)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &JobRow> {
        self.rows.values()
    }

    pub(super) fn seq_of(&self, id: JobId) -> Option<i64> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn survivor(&self, scope: &Scope, key: &JobKey) -> Option<i64> {
        self.dedupe.get(&(scope.clone(), key.clone())).copied()
    }

    pub(super) fn holder(&self, key: &ScopedKey) -> Option<i64> {
        self.holders.get(key).copied()
    }

    /// Live jobs of a revision, oldest first.
    pub(super) fn of_revision(&self, revision: RevisionId) -> impl Iterator<Item = &JobRow> {
        self.of_revision.get(&revision).into_iter().flatten().filter_map(|seq| self.rows.get(seq))
    }

    pub(super) fn next_seq(&mut self) -> i64 {
        self.last_seq = self.last_seq.saturating_add(1);
        self.last_seq
    }

    pub(super) fn insert(&mut self, row: JobRow) {
        self.by_id.insert(row.job.id, row.seq);
        self.index(&row);
        self.rows.insert(row.seq, row);
    }

    pub(super) fn remove(&mut self, seq: i64) {
        if let Some(row) = self.rows.remove(&seq) {
            self.by_id.remove(&row.job.id);
            self.unindex(&row);
        }
    }

    /// Changes a row and its index entries. A row that comes back from a lease beside its successor gives up its dedupe key:
    /// a later signal folds into the successor, which has not begun.
    pub(super) fn change(&mut self, seq: i64, edit: impl FnOnce(&mut JobRow)) {
        let Some(mut row) = self.rows.remove(&seq) else { return };
        self.unindex(&row);
        edit(&mut row);
        if row.live_dedupe().is_some_and(|key| self.dedupe.contains_key(&key)) {
            row.job.dedupe = None;
        }
        self.index(&row);
        self.rows.insert(seq, row);
    }

    fn index(&mut self, row: &JobRow) {
        let seq = row.seq;
        match row.state {
            JobState::Ready => drop(self.ready.entry(row.lane()).or_default().insert((row.place, seq))),
            JobState::Delayed => drop(self.delayed.insert((row.place, seq))),
            JobState::Leased => drop(self.leased.insert(seq)),
            JobState::Blocked => match (row.blocked_on, row.serial()) {
                (Some(BlockedOn::Serial), Some(key)) => drop(self.serial_waiting.entry(key).or_default().insert(seq)),
                _ => drop(self.slot_waiting.entry(row.job.scope.clone()).or_default().insert(seq)),
            },
            ended => drop(self.ended.entry(ended).or_default().insert((row.place, seq))),
        }
        if let Some(key) = row.live_dedupe() {
            self.dedupe.insert(key, seq);
        }
        if let Some(key) = row.held_serial() {
            self.holders.insert(key, seq);
        }
        if let Some(revision) = row.job.revision.filter(|_| !row.state.is_ended()) {
            self.of_revision.entry(revision).or_default().insert(seq);
        }
        let count = self.counts.entry((row.job.kind, row.state)).or_default();
        *count = count.saturating_add(1);
    }

    fn unindex(&mut self, row: &JobRow) {
        let seq = row.seq;
        match row.state {
            JobState::Ready => drop(self.ready.entry(row.lane()).or_default().remove(&(row.place, seq))),
            JobState::Delayed => drop(self.delayed.remove(&(row.place, seq))),
            JobState::Leased => drop(self.leased.remove(&seq)),
            JobState::Blocked => match (row.blocked_on, row.serial()) {
                (Some(BlockedOn::Serial), Some(key)) => forget(&mut self.serial_waiting, &key, seq),
                _ => forget(&mut self.slot_waiting, &row.job.scope, seq),
            },
            ended => drop(self.ended.entry(ended).or_default().remove(&(row.place, seq))),
        }
        if let Some(key) = row.live_dedupe().filter(|key| self.dedupe.get(key) == Some(&seq)) {
            self.dedupe.remove(&key);
        }
        if let Some(key) = row.held_serial().filter(|key| self.holders.get(key) == Some(&seq)) {
            self.holders.remove(&key);
        }
        if let Some(revision) = row.job.revision
            && let Some(jobs) = self.of_revision.get_mut(&revision)
        {
            jobs.remove(&seq);
            if jobs.is_empty() {
                self.of_revision.remove(&revision);
            }
        }
        if let Some(count) = self.counts.get_mut(&(row.job.kind, row.state)) {
            *count = count.saturating_sub(1);
        }
    }
}

fn forget<K: Ord>(waiting: &mut BTreeMap<K, BTreeSet<i64>>, key: &K, seq: i64) {
    if let Some(jobs) = waiting.get_mut(key) {
        jobs.remove(&seq);
        if jobs.is_empty() {
            waiting.remove(key);
        }
    }
}
