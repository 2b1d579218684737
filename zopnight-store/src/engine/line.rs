//! Steps of jobs: turns for those that become ready, the serial key of those that end for the next.

use std::collections::{BTreeMap, BTreeSet};

use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{JobState, Lane};

use super::plan::Move;
use crate::database::Database;
use crate::error::StoreError;
use crate::session::Session;

/// Locks lines, in the order in which every transaction takes them.
pub(super) async fn lock<D: Database>(
    s: &mut Session<D>,
    lines: impl IntoIterator<Item = (&str, Lane)> + Send,
) -> Result<(), StoreError> {
    let lines: BTreeSet<(&str, Lane)> = lines.into_iter().collect();
    for (org, lane) in lines {
        s.lock_line(org, lane).await?;
    }
    Ok(())
}

/// Carries out `moves` in their order; answers how many rows moved. A freed serial key goes on in the same transaction.
pub(super) async fn advance<D: Database>(s: &mut Session<D>, moves: &[Move]) -> Result<u64, StoreError> {
    let moved = write(s, moves).await?;
    let mut freed: Vec<(&str, &str)> = Vec::new();
    for m in moves {
        if let (Some(key), Some(to)) = (&m.job.serial, m.decide())
            && to.state.is_ended()
            && !freed.contains(&(m.job.org.as_str(), key.as_str()))
        {
            freed.push((&m.job.org, key));
        }
    }
    pass_on(s, &freed).await?;
    Ok(moved)
}

/// Gives serial keys without a holder to the oldest job that waits for each; answers how many became ready.
pub(super) async fn pass_on<D: Database>(s: &mut Session<D>, keys: &[(&str, &str)]) -> Result<u64, StoreError> {
    let mut next = Vec::new();
    for (org, key) in keys {
        next.extend(s.next_of_key(org, key).await?.map(|job| Move::new(job, JobEvent::Unblock)));
    }
    write(s, &next).await
}

async fn write<D: Database>(s: &mut Session<D>, moves: &[Move]) -> Result<u64, StoreError> {
    if moves.is_empty() {
        return Ok(0);
    }
    let mut lines: BTreeMap<_, i64> = BTreeMap::new();
    for line in moves.iter().filter_map(Move::line) {
        let n = lines.entry(line).or_default();
        *n = n.saturating_add(1);
    }
    for ((org, lane), n) in &mut lines {
        *n = s.take_turns(org, *lane, *n).await?;
    }
    let now = s.now().await?;
    let mut steps = Vec::with_capacity(moves.len());
    for m in moves {
        let Some(to) = m.decide() else { continue };
        let turn = match m.line().and_then(|line| lines.get_mut(&line)) {
            Some(turn) => {
                let mine = *turn;
                *turn = turn.saturating_add(1);
                mine
            }
            None => 0,
        };
        if to.state == JobState::Delayed {
            s.wakes();
        }
        steps.push(m.step(to, turn, now)?);
    }
    s.step_jobs(steps).await
}
