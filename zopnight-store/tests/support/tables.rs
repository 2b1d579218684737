//! What a database holds after a chaos run.

use std::collections::HashMap;

use uuid::Uuid;

/// A job's row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) seq: i64,
    pub(crate) state: String,
    pub(crate) hand_outs: i64,
    pub(crate) failures: i64,
    pub(crate) losses: i64,
    pub(crate) panics: i64,
}

impl Row {
    /// The fence of the last hand-out.
    pub(crate) const fn fence(&self) -> u64 {
        (self.seq << 20 | self.hand_outs).cast_unsigned()
    }
}

/// All rows that are judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) jobs: HashMap<Uuid, Row>,
    /// Job and fence of each row of the scratch table.
    pub(crate) effects: Vec<(Uuid, u64)>,
    /// Of each event that was written with the end of a job: the job, and the follow-up job.
    pub(crate) ended: Vec<(Uuid, Option<Uuid>)>,
}
