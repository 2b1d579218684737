//! Storing jobs, or folding them into those that are there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use zopnight_core::domain::{Enqueued, JobId, JobState, Lane, NewJob};
use zopnight_core::{Error, Result};

use super::line as lines_of;
use super::plan::{JobInsert, org_of};
use crate::database::Database;
use crate::error::StoreError;
use crate::retry::{End, Work};
use crate::session::Session;

const MAX_JOBS: usize = 500;
const MAX_BYTES: usize = 4 << 20;

/// A batch of jobs, all or none.
#[derive(Debug)]
pub(crate) struct Enqueue {
    jobs: Vec<NewJob>,
}

impl Enqueue {
    /// Checks every bound.
    pub(crate) fn new(jobs: Vec<NewJob>) -> Result<Self> {
        if jobs.len() > MAX_JOBS {
            return Err(Error::invalid("queue.enqueue", "at most 500 jobs at once"));
        }
        let mut bytes = 0_usize;
        for job in &jobs {
            job.check()?;
            bytes = bytes.saturating_add(job.payload.to_json()?.len());
        }
        if bytes > MAX_BYTES {
            return Err(Error::invalid("queue.enqueue", "at most 4 MiB at once"));
        }
        Ok(Self { jobs })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

impl<D: Database> Work<D> for Enqueue {
    type Out = Vec<Enqueued>;

    async fn run(&self, s: &mut Session<D>) -> Result<End<Self::Out>, StoreError> {
        Ok(End::Commit(store(s, &self.jobs).await?))
    }
}

type Key<'a> = (&'a str, &'a str);

/// What a job becomes.
enum Fate {
    Folded(JobId),
    /// In this state, delayed by so much.
    Stored(JobState, Duration),
}

/// Stores `jobs` in their order. They were checked.
pub(super) async fn store<D: Database>(s: &mut Session<D>, jobs: &[NewJob]) -> Result<Vec<Enqueued>, StoreError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    if !D::EXCLUSIVE && jobs.iter().any(|job| job.dedupe.is_some() || job.serial.is_some()) {
        lines_of::lock(s, jobs.iter().map(line)).await?;
    }
    let fates = fates(s, jobs).await?;
    let mut lines: BTreeMap<(&str, Lane), i64> = BTreeMap::new();
    for (job, fate) in jobs.iter().zip(&fates) {
        if matches!(fate, Fate::Stored(JobState::Ready, _)) {
            let n = lines.entry(line(job)).or_default();
            *n = n.saturating_add(1);
        }
    }
    for ((org, lane), n) in &mut lines {
        *n = s.take_turns(org, *lane, *n).await?;
    }
    let now = s.now().await?;
    let mut rows = Vec::with_capacity(jobs.len());
    let mut answers = Vec::with_capacity(jobs.len());
    for (job, fate) in jobs.iter().zip(fates) {
        let (state, delay) = match fate {
            Fate::Folded(id) => {
                answers.push(Enqueued { id, folded: true });
                continue;
            }
            Fate::Stored(state, delay) => (state, delay),
        };
        let place = match state {
            JobState::Ready => lines.get_mut(&line(job)).map_or(0, |turn| {
                let mine = *turn;
                *turn = turn.saturating_add(1);
                mine
            }),
            JobState::Delayed => {
                s.wakes();
                now.plus(delay).as_micros()
            }
            _ => 0,
        };
        rows.push(JobInsert::new(job, state, place)?);
        answers.push(Enqueued { id: job.id, folded: false });
    }
    if !rows.is_empty() {
        s.insert_jobs(&rows).await?;
    }
    Ok(answers)
}

pub(super) fn line(job: &NewJob) -> (&str, Lane) {
    (org_of(&job.scope), job.kind.lane())
}

/// A live job of a key: one that was there (with its place), or one of this batch.
enum Survivor {
    Stored { id: JobId, seq: i64, delayed_until: Option<i64> },
    New { index: usize },
}

async fn fates<D: Database>(s: &mut Session<D>, jobs: &[NewJob]) -> Result<Vec<Fate>, StoreError> {
    let ids: Vec<JobId> = jobs.iter().map(|j| j.id).collect();
    let mut known: HashSet<JobId> = s.present(&ids).await?;
    let dedupe: Vec<Key<'_>> = jobs.iter().filter_map(dedupe_key).collect();
    let serial: Vec<Key<'_>> = jobs.iter().filter_map(serial_key).collect();
    let mut survivors: HashMap<(String, String), Survivor> = HashMap::new();
    if !dedupe.is_empty() {
        for found in s.survivors(&dedupe).await? {
            let stored = Survivor::Stored { id: found.id, seq: found.seq, delayed_until: found.delayed_until };
            survivors.insert((found.org, found.key), stored);
        }
    }
    let mut held = if serial.is_empty() { HashSet::new() } else { s.held(&serial).await? };
    let mut fates: Vec<Fate> = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        if !known.insert(job.id) {
            fates.push(Fate::Folded(job.id));
            continue;
        }
        let key = dedupe_key(job).map(owned);
        match key.as_ref().and_then(|k| survivors.get_mut(k)) {
            Some(Survivor::Stored { id, seq, delayed_until }) => {
                fates.push(Fate::Folded(*id));
                let due = s.now().await?.plus(job.delay).as_micros();
                if delayed_until.is_some_and(|until| due < until) {
                    *delayed_until = Some(due);
                    s.bring_forward(*seq, due).await?;
                }
            }
            Some(Survivor::New { index }) => {
                if let Some(Fate::Stored(JobState::Delayed, delay)) = fates.get_mut(*index) {
                    *delay = job.delay.min(*delay);
                }
                fates.push(Fate::Folded(jobs.get(*index).map_or(job.id, |j| j.id)));
            }
            None => {
                if let Some(key) = key {
                    survivors.insert(key, Survivor::New { index });
                }
                let behind = serial_key(job).is_some_and(|k| !held.insert(owned(k)));
                let state = match (behind, job.delay.is_zero()) {
                    (true, _) => JobState::Blocked,
                    (false, true) => JobState::Ready,
                    (false, false) => JobState::Delayed,
                };
                fates.push(Fate::Stored(state, job.delay));
            }
        }
    }
    Ok(fates)
}

fn dedupe_key(job: &NewJob) -> Option<Key<'_>> {
    job.dedupe.as_ref().map(|d| (org_of(&job.scope), d.key.as_str()))
}

fn serial_key(job: &NewJob) -> Option<Key<'_>> {
    job.serial.as_ref().map(|k| (org_of(&job.scope), k.as_str()))
}

fn owned((org, key): Key<'_>) -> (String, String) {
    (org.to_owned(), key.to_owned())
}
