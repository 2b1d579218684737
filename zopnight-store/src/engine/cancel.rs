//! Cancelling jobs from outside.

use zopnight_core::domain::job_state::JobEvent;
use zopnight_core::domain::{CancelJobs, JobState, OrgId};

use super::line::advance;
use super::plan::Move;
use crate::error::StoreError;
use crate::sqlite::Session;

/// Cancels waiting jobs, asks running ones to stop.
pub(super) async fn cancel(s: &mut Session, org: &OrgId, what: &[CancelJobs]) -> Result<(), StoreError> {
    for cancel in what {
        let jobs = match cancel {
            CancelJobs::OfRevision(revision) => s.jobs_of_revision(org.as_str(), revision.as_uuid()).await?,
            CancelJobs::Key(key) => s.jobs_of_key(org.as_str(), key.as_str()).await?,
        };
        // One after another: cancelling a holder may have made its successor ready, which is cancelled as what it is now.
        for seq in jobs.iter().map(|j| j.seq) {
            let Some(job) = s.briefs(&[seq]).await?.pop() else { continue };
            if job.state == JobState::Leased {
                s.ask_cancel(seq).await?;
            } else {
                advance(s, &[Move::new(job, JobEvent::Cancel)]).await?;
            }
        }
    }
    Ok(())
}
