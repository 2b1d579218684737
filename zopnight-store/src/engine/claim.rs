//! Handing out and prolonging leases.

use std::time::Duration;

use zopnight_core::domain::{ClaimRequest, Extended, JobError, Lease, LeaseRef, Want};
use zopnight_core::{Error, Result};

use super::plan::error_json;
use crate::database::Database;
use crate::error::StoreError;
use crate::retry::{End, Work};
use crate::row::{Claimed, lease as read};
use crate::session::Session;

/// How long a job of another release is left alone.
const FOREIGN: Duration = Duration::from_secs(60);

fn check_lease(lease: Duration) -> Result<()> {
    if (Duration::from_secs(5)..=Duration::from_secs(3_600)).contains(&lease) {
        return Ok(());
    }
    Err(Error::invalid("queue.claim", "a lease must be 5 s to 1 h"))
}

/// A claim on lanes that have something ready.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    request: &'a ClaimRequest,
    lanes: Vec<Want>,
}

impl<'a> Claim<'a> {
    /// Checks the bounds of a request.
    pub(crate) fn check(request: &ClaimRequest) -> Result<()> {
        if request.want.iter().any(|w| !(1..=100).contains(&w.max)) {
            return Err(Error::invalid("queue.claim", "max must be 1 to 100"));
        }
        check_lease(request.lease)
    }

    pub(crate) const fn new(request: &'a ClaimRequest, lanes: Vec<Want>) -> Self {
        Self { request, lanes }
    }
}

impl<D: Database> Work<D> for Claim<'_> {
    type Out = Vec<Lease>;

    async fn run(&self, s: &mut Session<D>) -> Result<End<Vec<Lease>>, StoreError> {
        let mut leases = Vec::new();
        for want in &self.lanes {
            let mut line = Vec::new();
            for row in s.claim(want.lane, want.max, &self.request.worker, self.request.lease).await? {
                let (seq, place, claimed) = read(&row, self.request.lease)?;
                match claimed {
                    Claimed::Lease(lease) => line.push(((place, seq), *lease)),
                    Claimed::Foreign { org, regains } => {
                        tracing::warn!(seq, "a job of a kind or version unknown here is left to another release");
                        s.put_back(&org, regains.as_deref(), seq, FOREIGN).await?;
                    }
                    Claimed::Corrupt(error) => {
                        tracing::error!(seq, error = %error, "a job that cannot be read is parked");
                        let error = error_json(&JobError::new("store_corrupt", &error.to_string()))?;
                        s.park_corrupt(seq, &error).await?;
                    }
                }
            }
            line.sort_by_key(|(turn, _)| *turn);
            leases.extend(line.into_iter().map(|(_, lease)| lease));
        }
        Ok(End::Commit(leases))
    }
}

/// Prolongs leases.
#[derive(Debug)]
pub(crate) struct Extend<'a> {
    leases: &'a [LeaseRef],
    lease: Duration,
}

impl<'a> Extend<'a> {
    pub(crate) fn new(leases: &'a [LeaseRef], lease: Duration) -> Result<Self> {
        check_lease(lease)?;
        Ok(Self { leases, lease })
    }
}

impl<D: Database> Work<D> for Extend<'_> {
    type Out = Vec<Extended>;

    async fn run(&self, s: &mut Session<D>) -> Result<End<Vec<Extended>>, StoreError> {
        let held = s.extend(self.leases, self.lease).await?;
        let answer = |lease: &LeaseRef| {
            let row = held.iter().find(|p| p.seq == lease.seq && p.hand_out == lease.fence.hand_out());
            match row {
                None => Extended::Lost,
                Some(row) if row.cancel_asked => Extended::CancelAsked(self.lease),
                Some(_) => Extended::Until(self.lease),
            }
        };
        Ok(End::Commit(self.leases.iter().map(answer).collect()))
    }
}
