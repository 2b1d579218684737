//! The revisions and the events of a change.

use std::collections::BTreeMap;

use zopnight_core::domain::revision::{RevisionNumber, RevisionState};
use zopnight_core::domain::{
    Applied, Committed, NewRevision, RevisionChange, RevisionId, RevisionMove, RevisionOp, Stale, Timestamp,
};

use super::apply::{is_create, verdict};
use super::reads;
use crate::database::Database;
use crate::error::StoreError;
use crate::row::DeploymentRow;
use crate::session::{EventInsert, Session, json};

/// Events kept of one revision, but for those of the change that ends it.
const MAX_EVENTS: i64 = 500;

/// The first revision that a change creates.
pub(super) fn first_created(change: &RevisionChange) -> Option<RevisionId> {
    change.revisions.iter().find_map(|op| match op {
        RevisionOp::Create(new) => Some(new.id),
        RevisionOp::Move(_) => None,
    })
}

/// Creates and moves; answers the revisions that left queued and building.
pub(super) async fn write<D: Database>(
    s: &mut Session<D>,
    change: &RevisionChange,
    row: &mut DeploymentRow,
    committed: &mut Committed,
    now: Timestamp,
) -> Result<Vec<RevisionId>, StoreError> {
    let mut left = Vec::new();
    for op in &change.revisions {
        match op {
            RevisionOp::Create(new) => committed.numbers.push(create(s, change, row, new, now).await?),
            RevisionOp::Move(m) => {
                let number = step(s, change, m).await?;
                if m.from.is_before_built() && !m.to.is_before_built() {
                    left.push(m.id);
                }
                if m.to == RevisionState::Succeeded && number > row.deployment.current_number {
                    row.deployment.current_revision = Some(m.id);
                    row.deployment.current_number = number;
                }
            }
        }
    }
    Ok(left)
}

async fn create<D: Database>(
    s: &mut Session<D>,
    change: &RevisionChange,
    row: &mut DeploymentRow,
    new: &NewRevision,
    now: Timestamp,
) -> Result<(RevisionId, RevisionNumber), StoreError> {
    if let Some(view) = reads::view_of(s, &change.org, new.id).await? {
        return Err(verdict(Applied::Exists(Box::new(view))));
    }
    let d = &mut row.deployment;
    let number = d.newest_number.saturating_add(1);
    let events = change.events.iter().filter(|e| e.revision == Some(new.id)).count();
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    s.insert_revision(&change.org, change.deployment, number, new, events).await?;
    d.newest_number = number;
    d.newest_revision = new.id;
    if new.at_head {
        d.source_head = Some(new.commit.sha.clone());
        d.last_accepted_at = Some(now);
    }
    Ok((new.id, RevisionNumber::new(number)?))
}

async fn step<D: Database>(s: &mut Session<D>, change: &RevisionChange, m: &RevisionMove) -> Result<u32, StoreError> {
    let stale = || verdict(Applied::Stale(Stale::Revision(m.id)));
    let snapshot = match &m.patch.runtime {
        None => None,
        Some(runtime) => {
            let mut snapshot = s.snapshot(&change.org, m.id).await?.ok_or_else(stale)?;
            snapshot.runtime = runtime.clone();
            Some(snapshot)
        }
    };
    s.move_revision(&change.org, change.deployment, m, snapshot.as_ref()).await?.ok_or_else(stale)
}

/// Numbers the events and appends them.
pub(super) async fn tell<D: Database>(
    s: &mut Session<D>,
    change: &RevisionChange,
    row: &mut DeploymentRow,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    let mut room = room(s, change).await?;
    let mut rows = Vec::with_capacity(change.events.len());
    let first = row.next_seq;
    for event in &change.events {
        if let Some(left) = event.revision.and_then(|r| room.get_mut(&r)) {
            if *left == 0 {
                continue;
            }
            *left = left.saturating_sub(1);
        }
        rows.push(EventInsert(
            row.next_seq,
            event.kind.as_str(),
            event.revision.map(|r| r.as_uuid().simple().to_string()),
            event.actor.kind().as_str(),
            event.actor.id(),
            &event.message,
            json(&event.data)?,
        ));
        row.next_seq = row.next_seq.saturating_add(1);
    }
    if rows.is_empty() {
        return Ok(());
    }
    committed.events = Some((first, row.next_seq.saturating_sub(1)));
    s.insert_events(&change.org, change.deployment, &rows).await
}

/// How many more events each revision may have, where that is bounded. Counts what will be appended.
async fn room<D: Database>(s: &mut Session<D>, change: &RevisionChange) -> Result<BTreeMap<RevisionId, i64>, StoreError> {
    let is_new = |id| change.revisions.iter().any(|op| is_create(op) && matches!(op, RevisionOp::Create(n) if n.id == id));
    let ends = |id| change.revisions.iter().any(|op| matches!(op, RevisionOp::Move(m) if m.id == id && m.to.is_terminal()));
    let mut wanted: BTreeMap<RevisionId, i64> = BTreeMap::new();
    for id in change.events.iter().filter_map(|e| e.revision).filter(|id| !is_new(*id)) {
        let n = wanted.entry(id).or_default();
        *n = n.saturating_add(1);
    }
    let mut room = BTreeMap::new();
    for (id, n) in wanted {
        let Some(count) = s.count_events_of(&change.org, id, n).await? else { continue };
        let left = MAX_EVENTS.saturating_sub(count.saturating_sub(n)).max(0);
        if left < n && !ends(id) {
            s.count_events_of(&change.org, id, left.saturating_sub(n)).await?;
            room.insert(id, left);
        }
    }
    Ok(room)
}
