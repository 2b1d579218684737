//! The attempts of a change, and the build slots they hold.

use zopnight_core::domain::{Applied, AttemptId, AttemptOp, NewAttempt, RevisionChange, RevisionId, Stale};

use super::apply::verdict;
use crate::database::Database;
use crate::error::StoreError;
use crate::session::Session;

/// Patches and closes, ends those of revisions that left queued and building, then opens; answers how many slots it freed.
pub(super) async fn write<D: Database>(
    s: &mut Session<D>,
    change: &RevisionChange,
    left: &[RevisionId],
) -> Result<u64, StoreError> {
    let of = (&change.org, change.deployment);
    let mut closed = 0_u64;
    // Patches see the attempt as it was before the change, so that one change may record a run and settle it.
    for op in &change.attempts {
        if let AttemptOp::Patch { jti, patch } = op
            && !s.patch_attempt(of.0, of.1, *jti, patch).await?
        {
            return Err(stale(*jti));
        }
    }
    for op in &change.attempts {
        if let AttemptOp::Close { jti, settled, outcome, body_digest } = op {
            if !s.close_attempt(of, *jti, *settled, *outcome, *body_digest).await? {
                return Err(stale(*jti));
            }
            closed = closed.saturating_add(1);
        }
    }
    for revision in left {
        closed = closed.saturating_add(s.end_attempts(of.0, *revision).await?);
    }
    let mut opened = 0_u64;
    for op in &change.attempts {
        if let AttemptOp::Open(new) = op {
            open(s, change, new).await?;
            opened = opened.saturating_add(1);
        }
    }
    if opened > 0 && s.open_slots(of.0.as_str()).await? > u64::from(s.options().build_slots_per_org) {
        return Err(verdict(Applied::AtCapacity));
    }
    Ok(closed.saturating_sub(opened))
}

async fn open<D: Database>(s: &mut Session<D>, change: &RevisionChange, new: &NewAttempt) -> Result<(), StoreError> {
    if !s.awaits_build(&change.org, change.deployment, new.revision).await? {
        return Err(verdict(Applied::Stale(Stale::Revision(new.revision))));
    }
    if s.insert_attempt(&change.org, change.deployment, new).await? { Ok(()) } else { Err(stale(new.jti)) }
}

fn stale(jti: AttemptId) -> StoreError {
    verdict(Applied::Stale(Stale::Attempt(jti)))
}
