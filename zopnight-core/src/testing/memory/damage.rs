//! Rows written past every rule, and a look at all that is stored.

use std::fmt::Write as _;

use super::data::Data;
use super::jobs::Unreadable;
use crate::domain::{JobId, JobKey, JobKind, JobPayload, JobState, hex};
use crate::testing::peek::BlockedOn;
use crate::testing::suites::harness::Cell;

impl Data {
    /// A row is typed, so that a value that does not decode is kept as the mark that it does not.
    pub(super) fn set(&mut self, jobs: &[JobId], cell: &Cell) {
        let seqs: Vec<i64> = jobs.iter().filter_map(|id| self.line.jobs.seq_of(*id)).collect();
        for seq in seqs {
            self.line.jobs.change(seq, |row| match cell {
                Cell::Kind(kind) => {
                    let own = JobKind::from_name(kind) == Some(row.job.kind);
                    row.unreadable = (!own).then_some(Unreadable::Foreign);
                }
                Cell::Payload(json) => match JobPayload::from_json(row.job.kind, json) {
                    Ok(payload) => (row.job.payload, row.unreadable) = (payload, None),
                    Err(_) => row.unreadable = Some(Unreadable::Foreign),
                },
                Cell::Serial(key) => {
                    let parsed = key.map(JobKey::parse).transpose();
                    row.unreadable = parsed.is_err().then_some(Unreadable::Serial);
                    row.job.serial = parsed.ok().flatten();
                }
                Cell::Losses(losses) => match u32::try_from(*losses) {
                    Ok(losses) => (row.counters.losses, row.unreadable) = (losses, None),
                    Err(_) => row.unreadable = Some(Unreadable::Counter),
                },
                Cell::BlockedOnSerial => {
                    (row.state, row.place, row.blocked_on) = (JobState::Blocked, 0, Some(BlockedOn::Serial));
                }
            });
        }
    }

    pub(super) fn raw(&self) -> String {
        let mut text = format!("{self:?}\n");
        for record in self.catalog.idempotency.values() {
            let hashes = [record.key.scope_hash, record.key.key_hash, record.request_digest].map(|h| hex::encode(&h));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", hashes.join(" "));
        }
        text
    }
}
