//! Cancelling jobs from outside.

use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{CancelJobs, JobState, OrgId};

use super::line::advance;
use super::plan::Move;
use crate::database::Database;
use crate::error::StoreError;
use crate::row::JobBrief;
use crate::session::Session;

/// Cancels waiting jobs, asks running ones to stop.
pub(super) async fn cancel<D: Database>(s: &mut Session<D>, org: &OrgId, what: &[CancelJobs]) -> Result<(), StoreError> {
    // One after another: cancelling a holder may have made its successor ready, which is cancelled as what it is now.
    for seq in candidates(s, org, what).await?.iter().map(|j| j.seq) {
        let Some(job) = s.lock_jobs(&[seq]).await?.pop() else { continue };
        if job.state == JobState::Leased {
            s.ask_cancel(seq).await?;
        } else {
            advance(s, &[Move::new(job, JobEvent::Cancel)]).await?;
        }
    }
    Ok(())
}

/// The live jobs that are meant, as they are at this moment.
pub(super) async fn candidates<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    what: &[CancelJobs],
) -> Result<Vec<JobBrief>, StoreError> {
    let mut jobs = Vec::new();
    for cancel in what {
        jobs.extend(match cancel {
            CancelJobs::OfRevision(revision) => s.jobs_of_revision(org.as_str(), revision.as_uuid()).await?,
            CancelJobs::Key(key) => s.jobs_of_key(org.as_str(), key.as_str()).await?,
        });
    }
    jobs.sort_by_key(|job| job.seq);
    jobs.dedup_by_key(|job| job.seq);
    Ok(jobs)
}
