//! Housekeeping, counts and the operator's handle.

use std::collections::BTreeMap;
use std::time::Duration;

use super::data::Data;
use super::jobs::{ScopedKey, Unreadable};
use super::line::Op;
use super::queue::park_corrupt;
use crate::domain::job_state::JobEvent;
use crate::domain::{JobError, JobId, JobState, Lane, ParkedJob, QueueStats, Scope, Timestamp};
use crate::error::{Error, Result};

const PAGE: usize = 500;
const PARKED: usize = 100;

impl Data {
    /// Makes a batch of due jobs ready; answers how many rows it dealt with and how many became ready.
    pub(super) fn promote(&mut self, op: &mut Op) -> (usize, u64) {
        let now = op.now.as_micros();
        let due = self.line.jobs.delayed.iter().take_while(|(due, _)| *due <= now).take(PAGE);
        let due: Vec<i64> = due.map(|(_, seq)| *seq).collect();
        let mut promoted = 0_u64;
        for seq in &due {
            if self.line.jobs.get(*seq).is_some_and(|row| row.unreadable == Some(Unreadable::Counter)) {
                self.line.jobs.change(*seq, |row| park_corrupt(row, op.now, "losses"));
            } else {
                promoted = promoted.saturating_add(u64::from(self.line.step(op, *seq, &JobEvent::Promote)));
            }
        }
        (due.len(), promoted)
    }

    /// Takes expired leases back, and then lets those go on that waited for one that is cancelled.
    pub(super) fn take_back(&mut self, op: &mut Op) -> u64 {
        let expired = self.expired(op.now);
        let mut taken = 0_u64;
        for seq in &expired {
            let cancel = self.line.jobs.get(*seq).is_some_and(|row| row.cancel_asked);
            let moved = self.line.step_alone(op, *seq, &JobEvent::TakeBack { cancel });
            taken = taken.saturating_add(u64::from(moved));
        }
        for seq in expired {
            self.line.pass_on_of(op, seq);
        }
        taken
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<Duration> {
        self.line.jobs.delayed.first().map(|(due, _)| Timestamp::from_micros(*due).since(now))
    }

    /// Unblocks the next job of each serial key that nobody holds.
    pub(super) fn mend_keys(&mut self, op: &mut Op) -> u64 {
        let jobs = &self.line.jobs;
        let orphans: Vec<i64> = jobs
            .serial_waiting
            .iter()
            .filter(|(key, _)| jobs.holder(key).is_none())
            .filter_map(|(_, waiting)| waiting.first().copied())
            .collect();
        let mut mended = 0_u64;
        for seq in orphans {
            mended = mended.saturating_add(u64::from(self.line.step(op, seq, &JobEvent::Unblock)));
        }
        mended
    }

    /// Whose jobs wait for a build slot.
    pub(super) fn slot_lines(&self) -> Vec<Scope> {
        self.line.jobs.slot_waiting.keys().cloned().collect()
    }

    /// Unblocks as many of them as there are slots for.
    pub(super) fn mend_slots(&mut self, op: &mut Op, scope: &Scope) -> u64 {
        let free = self.unclaimed_slots(scope);
        self.line.free_slots(op, scope, free)
    }

    /// Free slots that no job on its way to open an attempt is about to take.
    fn unclaimed_slots(&self, scope: &Scope) -> usize {
        let jobs = &self.line.jobs;
        let ready = jobs.ready.get(&Lane::Build).into_iter().flatten().map(|(_, seq)| *seq);
        let rows = ready.chain(jobs.leased.iter().copied()).filter_map(|seq| jobs.get(seq));
        let on_the_way = rows.filter(|row| row.job.scope == *scope && row.lane() == Lane::Build);
        let open = scope.org().map_or(0, |org| self.catalog.open_attempts(org));
        let limit = usize::try_from(self.options.build_slots_per_org).unwrap_or(usize::MAX);
        limit.saturating_sub(open).saturating_sub(on_the_way.count())
    }

    /// Deletes a batch of what is past its retention.
    pub(super) fn purge(&mut self, now: Timestamp) -> u64 {
        let keep = [
            (JobState::Done, self.options.keep_done),
            (JobState::Cancelled, self.options.keep_cancelled),
            (JobState::Parked, self.options.keep_parked),
        ];
        let mut purged = 0_u64;
        for (state, keep) in keep {
            let cutoff = now.minus(keep).as_micros();
            let old = self.line.jobs.ended.get(&state).into_iter().flatten();
            let old: Vec<i64> = old.take_while(|(end, _)| *end < cutoff).take(PAGE).map(|(_, seq)| *seq).collect();
            for seq in old {
                self.line.jobs.remove(seq);
                purged = purged.saturating_add(1);
            }
        }
        purged.saturating_add(self.catalog.purge(now, &self.options))
    }

    pub(super) fn stats(&self, now: Timestamp) -> QueueStats {
        let shown = |state| !matches!(state, JobState::Done | JobState::Cancelled);
        let counts = self.line.jobs.counts.iter().filter(|((_, state), n)| shown(*state) && **n > 0);
        let oldest: BTreeMap<Lane, Duration> = self
            .line
            .jobs
            .ready
            .iter()
            .filter_map(|(lane, line)| {
                let waits = line.iter().filter_map(|(_, seq)| self.line.jobs.get(*seq)).map(|row| now.since(row.ready_at));
                waits.max().map(|wait| (*lane, wait))
            })
            .collect();
        QueueStats {
            jobs: counts.map(|((kind, state), n)| (*kind, *state, *n)).collect(),
            oldest_ready: oldest.into_iter().collect(),
        }
    }

    pub(super) fn parked(&self, scope: &Scope) -> Vec<ParkedJob> {
        let parked = self.line.jobs.ended.get(&JobState::Parked).into_iter().flatten().rev();
        parked
            .filter_map(|(_, seq)| self.line.jobs.get(*seq))
            .filter(|row| row.job.scope == *scope)
            .take(PARKED)
            .map(|row| ParkedJob {
                id: row.job.id,
                kind: row.job.kind,
                deployment: row.job.deployment,
                revision: row.job.revision,
                error: row.last_error.clone().unwrap_or_else(|| JobError::new("unknown", "")),
                parked_at: row.finished_at.unwrap_or_default(),
                failures: row.counters.failures,
                losses: row.counters.losses,
                panics: row.counters.panics,
            })
            .collect()
    }

    pub(super) fn revive(&mut self, op: &mut Op, scope: &Scope, id: JobId) -> Result<()> {
        let row = self.line.jobs.seq_of(id).and_then(|seq| self.line.jobs.get(seq));
        let Some(row) = row.filter(|row| row.job.scope == *scope && row.state == JobState::Parked) else {
            return Err(Error::not_found("queue.revive", "job_not_found", "no parked job of this id"));
        };
        let folded = row.job.dedupe.as_ref().is_some_and(|d| self.line.jobs.survivor(scope, &d.key).is_some());
        let queued =
            |key: &ScopedKey| self.line.jobs.holder(key).is_some() || self.line.jobs.serial_waiting.contains_key(key);
        if folded || row.serial().is_some_and(|key| queued(&key)) {
            return Err(Error::conflict("queue.revive", "key_taken", "a live job has its key"));
        }
        let seq = row.seq;
        self.line.step(op, seq, &JobEvent::Revive);
        Ok(())
    }
}
