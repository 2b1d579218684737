//! What a token says.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keys::CallbackKeys;
use super::refusal::CallbackRefusal;
use crate::domain::{AttemptId, CommitSha, DeploymentId, ImageRepository, OrgId, RevisionId, SecretSlot};

/// Seconds by which clocks may disagree.
const LEEWAY: i64 = 30;
/// Longest life of a token, in seconds.
const MAX_LIFE: i64 = 21_600;
/// What a build gets besides its queue allowance and its timeout, in seconds.
const GRACE: i64 = 600;
/// Largest integer that every JSON reader keeps exact.
pub(super) const MAX_NUMBER: i64 = 1 << 53;

/// What a token says besides issuer and audience, which belong to the keys. It lets its holder settle this one attempt,
/// once, with an image of this one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackClaims {
    /// The tenant (`org`).
    pub org: OrgId,
    /// The deployment (`dep`).
    pub deployment: DeploymentId,
    /// The revision (`sub`).
    pub revision: RevisionId,
    /// The attempt (`jti`).
    pub attempt: AttemptId,
    /// The attempt's number in the revision, at least 1 (`att`).
    pub number: u32,
    /// Where the image must lie (`img`).
    pub image_repository: ImageRepository,
    /// The commit that is built (`sha`).
    pub commit: CommitSha,
    /// When it was minted, and from when it holds: seconds since the epoch (`iat`, `nbf`).
    pub issued_at: i64,
    /// When it ends: seconds since the epoch, at most six hours after `issued_at` (`exp`).
    pub expires_at: i64,
}

impl CallbackClaims {
    /// When a token minted at `issued_at` (seconds since the epoch) ends: after the queue allowance, the build's timeout
    /// and ten minutes more, at most six hours.
    #[must_use]
    pub fn expiry(issued_at: i64, queue_allowance: Duration, build_timeout: Duration) -> i64 {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(MAX_LIFE);
        let life = seconds(queue_allowance).saturating_add(seconds(build_timeout)).saturating_add(GRACE);
        issued_at.saturating_add(life.min(MAX_LIFE))
    }

    /// Whether these claims may be minted at all.
    pub(super) fn is_mintable(&self) -> bool {
        self.number >= 1
            && (0..=MAX_NUMBER).contains(&self.issued_at)
            && (0..=MAX_NUMBER).contains(&self.expires_at)
            && is_life(self.issued_at, self.expires_at)
    }

    /// The checks against the clock, in the order of the verdicts.
    fn check_times(&self, not_before: i64, now: i64) -> Result<(), CallbackRefusal> {
        let horizon = now.saturating_add(LEEWAY);
        if now > self.expires_at.saturating_add(LEEWAY) {
            Err(CallbackRefusal::Expired)
        } else if not_before > horizon {
            Err(CallbackRefusal::NotYetValid)
        } else if self.issued_at > horizon {
            Err(CallbackRefusal::IssuedInFuture)
        } else if not_before != self.issued_at || !is_life(self.issued_at, self.expires_at) {
            Err(CallbackRefusal::Lifetime)
        } else {
            Ok(())
        }
    }
}

const fn is_life(from: i64, to: i64) -> bool {
    from < to && to.saturating_sub(from) <= MAX_LIFE
}

/// A token that verified: what it says, and which key signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says. Nothing of it was looked up yet.
    pub claims: CallbackClaims,
    /// Whether the current key signed it, or one on its way out.
    pub slot: SecretSlot,
}

/// The claims as they are written, in this order. All are required and there are no others.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireClaims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    sub: RevisionId,
    jti: AttemptId,
    iat: u64,
    nbf: u64,
    exp: u64,
    org: Cow<'a, OrgId>,
    dep: DeploymentId,
    img: Cow<'a, ImageRepository>,
    sha: Cow<'a, CommitSha>,
    att: u32,
}

impl<'a> WireClaims<'a> {
    /// `None` for a negative time.
    pub(super) fn of(keys: &'a CallbackKeys, claims: &'a CallbackClaims) -> Option<Self> {
        let issued_at = u64::try_from(claims.issued_at).ok()?;
        Some(Self {
            iss: keys.issuer().into(),
            aud: keys.audience().into(),
            sub: claims.revision,
            jti: claims.attempt,
            iat: issued_at,
            nbf: issued_at,
            exp: u64::try_from(claims.expires_at).ok()?,
            org: Cow::Borrowed(&claims.org),
            dep: claims.deployment,
            img: Cow::Borrowed(&claims.image_repository),
            sha: Cow::Borrowed(&claims.commit),
            att: claims.number,
        })
    }

    /// The claims, if their numbers are in bounds, they are from and for us, hold now and are about `path_id`.
    pub(super) fn check(
        self,
        keys: &CallbackKeys,
        path_id: RevisionId,
        now: i64,
    ) -> Result<CallbackClaims, CallbackRefusal> {
        let (from_us, for_us) = (self.iss == keys.issuer(), self.aud == keys.audience());
        let (not_before, claims) = self.bounded().ok_or(CallbackRefusal::ClaimsMalformed)?;
        if !from_us {
            return Err(CallbackRefusal::Issuer);
        }
        if !for_us {
            return Err(CallbackRefusal::Audience);
        }
        claims.check_times(not_before, now)?;
        if claims.revision != path_id {
            return Err(CallbackRefusal::SubjectMismatch);
        }
        Ok(claims)
    }

    fn bounded(self) -> Option<(i64, CallbackClaims)> {
        let time = |t: u64| i64::try_from(t).ok().filter(|t| *t <= MAX_NUMBER);
        let claims = CallbackClaims {
            org: self.org.into_owned(),
            deployment: self.dep,
            revision: self.sub,
            attempt: self.jti,
            number: (self.att >= 1).then_some(self.att)?,
            image_repository: self.img.into_owned(),
            commit: self.sha.into_owned(),
            issued_at: time(self.iat)?,
            expires_at: time(self.exp)?,
        };
        Some((time(self.nbf)?, claims))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_outlives_the_build_by_ten_minutes_but_never_six_hours() {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        assert_eq!(CallbackClaims::expiry(1_767_225_600, minutes(15), minutes(30)), 1_767_228_900);
        assert_eq!(CallbackClaims::expiry(0, minutes(90), minutes(260)), 21_600);
        assert_eq!(CallbackClaims::expiry(0, minutes(90), minutes(261)), 21_600);
        assert_eq!(CallbackClaims::expiry(5, Duration::MAX, Duration::MAX), 21_605);
    }
}
