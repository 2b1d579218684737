//! The pure functions behind the callback route, for tests and benches outside this crate. A host has no use for them: the
//! pipeline calls them.

use super::{CallbackBody, CallbackClaims, CallbackKeys, CallbackRefusal, Decision, Verified};
use crate::domain::{BuildAttempt, HttpsUrl, ImageRef, ImageRepository, Revision, RevisionId, RunRef, Secret};
use crate::error::Result;

/// Mints the token of one attempt with the current key.
///
/// # Errors
/// `Invalid` for claims that [`verify`] could never accept.
pub fn mint(keys: &CallbackKeys, claims: &CallbackClaims) -> Result<Secret<String>> {
    super::mint(keys, claims)
}

/// Verifies a token that came with a report about `path_id` at `now` (seconds since the epoch).
///
/// # Errors
/// The first refusal, in the order of [`CallbackRefusal::ALL`].
pub fn verify(
    keys: &CallbackKeys,
    jwt: &str,
    path_id: RevisionId,
    now: i64,
) -> std::result::Result<Verified, CallbackRefusal> {
    super::verify(keys, jwt, path_id, now)
}

/// What a verified callback may do, given all attempts of its revision.
#[must_use]
pub fn decide<'a>(
    revision: &Revision,
    attempts: &'a [BuildAttempt],
    claims: &CallbackClaims,
    body: &CallbackBody,
) -> Decision<'a> {
    super::decide(revision, attempts, claims, body)
}

/// Whether the image of a [`BuildReport::Succeeded`](super::BuildReport::Succeeded) may be looked up for an attempt that was allotted `allotted`.
///
/// # Errors
/// `ImageRepository` or `DigestRequired`.
pub fn check_image(
    image: &ImageRef,
    allotted: &ImageRepository,
    require_digest: bool,
) -> std::result::Result<(), CallbackRefusal> {
    super::check_image(image, allotted, require_digest)
}

/// The log page of a report, if it may be shown.
#[must_use]
pub fn kept_log_url(reported: &str, run: Option<&RunRef>, run_url_prefix: Option<&HttpsUrl>) -> Option<HttpsUrl> {
    super::kept_log_url(reported, run, run_url_prefix)
}
