//! Read, decide, apply; and again when the rows changed meanwhile.

use std::future::Future;

use crate::domain::{Applied, Deployment, QuotaKind, RevisionChange};
use crate::error::{Error, ErrorKind, Result, Retry};

use super::Pipeline;

/// How often a decision is taken anew before it is given up to the caller's retry.
const ROUNDS: u32 = 8;

/// Runs `round` until it gives an answer; `None` means that what it decided on was stale.
pub(super) async fn until_settled<T, F, Fut>(operation: &'static str, mut round: F) -> Result<T>
where
    T: Send,
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<Option<T>>> + Send,
{
    for _ in 0..ROUNDS {
        if let Some(answer) = round().await? {
            return Ok(answer);
        }
    }
    Err(Error::unavailable(operation, "others kept changing the same rows").with_retry(Retry::Backoff))
}

/// What a request from outside needs to know of an `apply`.
#[derive(Debug)]
pub(super) enum Written {
    /// Done.
    Committed,
    /// Decide again.
    Stale,
    /// The same request was carried out before.
    Replayed(Option<crate::domain::RevisionId>, crate::domain::DeploymentId),
}

impl Pipeline {
    /// Applies a change that comes from outside, with every refusal as an error.
    pub(super) async fn write(&self, operation: &'static str, change: RevisionChange) -> Result<Written> {
        match self.commit(change).await? {
            Applied::Committed(_) => Ok(Written::Committed),
            Applied::Stale(_) | Applied::Exists(_) => Ok(Written::Stale),
            Applied::Replayed(record) => Ok(Written::Replayed(record.revision, record.deployment)),
            refused => Err(refusal(operation, &refused)),
        }
    }
}

/// Refuses what is asked of a deployment that is being removed.
pub(super) fn check_not_deleting(operation: &'static str, deployment: &Deployment) -> Result<()> {
    if deployment.deleting_at.is_some() {
        return Err(refusal(operation, &Applied::Deleting));
    }
    Ok(())
}

/// An answer other than those above as an error.
pub(super) fn refusal(operation: &'static str, applied: &Applied) -> Error {
    match applied {
        Applied::KeyReused => {
            let message = "this Idempotency-Key was used for another request";
            Error::conflict(operation, "idempotency_key_reused", message)
        }
        Applied::NameTaken => Error::conflict(operation, "name_taken", "a deployment of this name exists"),
        Applied::Quota(QuotaKind::Deployments) => Error::conflict(operation, "quota", "the limit of deployments is reached"),
        Applied::Deleting => Error::conflict(operation, "deployment_deleting", "the deployment is being deleted"),
        other => Error::new(ErrorKind::Internal, operation, format!("the store answered {}", name(other))),
    }
}

const fn name(applied: &Applied) -> &'static str {
    match applied {
        Applied::Committed(_) => "Committed",
        Applied::Stale(_) => "Stale",
        Applied::LeaseLost => "LeaseLost",
        Applied::AlreadyFinished => "AlreadyFinished",
        Applied::Exists(_) => "Exists",
        Applied::Replayed(_) => "Replayed",
        Applied::KeyReused => "KeyReused",
        Applied::NameTaken => "NameTaken",
        Applied::Quota(_) => "Quota",
        Applied::AtCapacity => "AtCapacity",
        Applied::Deleting => "Deleting",
    }
}
