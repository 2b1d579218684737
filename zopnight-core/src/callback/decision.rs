//! What a verified callback may do, decided from what is stored.

use super::body::{BuildReport, CallbackBody};
use super::claims::CallbackClaims;
use super::refusal::CallbackRefusal as Refusal;
use crate::domain::{BuildAttempt, DeployedImage, ImageRef, ImageRepository, Revision, RevisionState, Settled};

/// What a verified callback may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It settles this open attempt, if its content is in order.
    Proceed(&'a BuildAttempt),
    /// It is a repetition of what settled the attempt: the recorded outcome is the answer, and nothing changes.
    Replay,
    /// It changes nothing but the record of refusals.
    Refused(Refusal),
}

/// Decides for a token that verified. `revision` was read by the claims' tenant, deployment and revision; `attempts` are all
/// of its attempts. Pure, so that losing a compare-and-set only means to read and ask again.
pub(crate) fn decide<'a>(
    revision: &Revision,
    attempts: &'a [BuildAttempt],
    claims: &CallbackClaims,
    body: &CallbackBody,
) -> Decision<'a> {
    let attempt = attempts.iter().find(|a| a.jti == claims.attempt);
    if !is_bound(revision, attempt, claims) {
        return Decision::Refused(Refusal::BindingMismatch);
    }
    let Some(attempt) = attempt.filter(|a| a.number == claims.number) else {
        return Decision::Refused(Refusal::AttemptUnknown);
    };
    if attempts.iter().any(|other| other.number > attempt.number) {
        return Decision::Refused(Refusal::AttemptStale);
    }
    if attempt.settled == Some(Settled::Callback) {
        return replay_if(attempt.body_digest == Some(body.digest()));
    }
    match revision.state {
        RevisionState::Superseded | RevisionState::Cancelled | RevisionState::TimedOut | RevisionState::Failed => {
            Decision::Refused(Refusal::RevisionTerminal)
        }
        RevisionState::Built | RevisionState::Deploying | RevisionState::Succeeded => {
            replay_if(attempt.settled == Some(Settled::Watch) && reports(body, revision.image.as_ref()))
        }
        RevisionState::Queued | RevisionState::Building if attempt.is_open() => Decision::Proceed(attempt),
        // Refused by the builder or given up, and not dispatched again yet: it can settle nothing any more.
        RevisionState::Queued | RevisionState::Building => Decision::Refused(Refusal::AttemptStale),
    }
}

/// Whether `image` may be looked up for this attempt: it lies in the allotted repository, and has the digest that the host's
/// policy may ask for.
///
/// # Errors
/// `ImageRepository` or `DigestRequired`.
pub(crate) fn check_image(image: &ImageRef, allotted: &ImageRepository, require_digest: bool) -> Result<(), Refusal> {
    if image.repository() != allotted {
        Err(Refusal::ImageRepository)
    } else if require_digest && image.digest().is_none() {
        Err(Refusal::DigestRequired)
    } else {
        Ok(())
    }
}

/// Whether the claims name what was recorded of the revision, and of the attempt if there is one.
fn is_bound(revision: &Revision, attempt: Option<&BuildAttempt>, claims: &CallbackClaims) -> bool {
    revision.org == claims.org
        && revision.deployment == claims.deployment
        && revision.id == claims.revision
        && revision.commit.sha == claims.commit
        && attempt.map_or(&revision.target.image_repository, |a| &a.image_repository) == &claims.image_repository
        && attempt.is_none_or(|a| a.revision == claims.revision && a.commit == claims.commit)
}

const fn replay_if(same: bool) -> Decision<'static> {
    if same { Decision::Replay } else { Decision::Refused(Refusal::ReplayConflict) }
}

/// Whether the report is a success with the very image that the revision got by watching. A tag alone proves nothing here.
fn reports(body: &CallbackBody, image: Option<&DeployedImage>) -> bool {
    match (body.report(), image) {
        (Ok(BuildReport::Succeeded { image: reported }), Some(image)) => {
            *reported.repository() == image.repository && reported.digest() == Some(&image.digest)
        }
        _ => false,
    }
}
