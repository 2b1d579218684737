//! The keys that tokens are signed with.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::claims::{CallbackClaims, MAX_NUMBER};
use super::token::{self, MAX_TOKEN, SigningKey};
use crate::domain::{
    AttemptId, CommitSha, DeploymentId, HttpsUrl, ImageRepository, OrgId, RevisionId, Secret, SecretSlot, Timestamp,
};
use crate::error::{Error, Result};

const OPERATION: &str = "callback.keys";
const KID_LABEL: &[u8] = b"zopnight callback kid v1";
const MAX_PREVIOUS: usize = 3;

/// One signing key and the name under which tokens refer to it.
#[derive(Clone)]
pub struct CallbackKey {
    kid: Box<str>,
    signing: SigningKey,
}

impl CallbackKey {
    /// A key of 32 to 512 bytes with at least 8 distinct byte values, named `kid`: `[A-Za-z0-9_-]{1,64}`.
    ///
    /// # Errors
    /// `Invalid` for any other secret or name. No message shows the secret.
    #[expect(clippy::needless_pass_by_value, reason = "the caller's copy of the secret ends here")]
    pub fn new(kid: &str, secret: Secret<Vec<u8>>) -> Result<Self> {
        let bytes = secret.expose();
        let named =
            (1..=64).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !named {
            return Err(Error::invalid(OPERATION, "a key's name must be 1 to 64 of A-Z a-z 0-9 _ -"));
        }
        if !(32..=512).contains(&bytes.len()) {
            let length = bytes.len();
            return Err(Error::invalid(OPERATION, format!("must be at least 32 and at most 512 bytes, is {length}")));
        }
        if !has_distinct_bytes(bytes, 8) {
            return Err(Error::invalid(OPERATION, "must have at least 8 distinct byte values"));
        }
        Ok(Self { kid: kid.into(), signing: SigningKey::new(bytes) })
    }

    /// A key named after itself: the base64url text of the first nine bytes of HMAC-SHA256 of a fixed label under it, so that
    /// every process with this secret uses the same name.
    ///
    /// # Errors
    /// `Invalid` for a secret that [`CallbackKey::new`] refuses.
    pub fn from_secret(secret: Secret<Vec<u8>>) -> Result<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose())
            .map_err(|_| Error::invalid(OPERATION, "the secret is no HMAC key"))?;
        mac.update(KID_LABEL);
        let digest = mac.finalize().into_bytes();
        Self::new(&BASE64URL.encode(digest.get(..9).unwrap_or_default()), secret)
    }

    /// The name, as in a token's header. It tells nothing of the secret.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) const fn signing(&self) -> &SigningKey {
        &self.signing
    }
}

impl fmt::Debug for CallbackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn has_distinct_bytes(bytes: &[u8], wanted: usize) -> bool {
    let mut seen = BTreeSet::new();
    bytes.iter().any(|b| seen.insert(b) && seen.len() >= wanted)
}

/// One current key and up to three previous ones, with the issuer and audience they speak for. Having it is what makes
/// dispatches and the callback route possible: there is no built-in or default key.
///
/// To rotate, make the new secret the current key and the old one a previous key: tokens are minted with the current key
/// only, and verified with exactly the key they name. Drop the old one six hours later, the longest life of a token.
#[derive(Clone, Debug)]
pub struct CallbackKeys {
    current: CallbackKey,
    previous: Vec<CallbackKey>,
    public_url: HttpsUrl,
    issuer: Box<str>,
    audience: Box<str>,
}

impl CallbackKeys {
    /// Begins with the key that signs.
    pub fn builder(current: CallbackKey) -> CallbackKeysBuilder {
        CallbackKeysBuilder { current, previous: Vec::new(), public_url: None, issuer: None, audience: None }
    }

    /// Where the report about `revision` is sent.
    ///
    /// # Errors
    /// `Invalid` if that would be too long for a URL; [`CallbackKeysBuilder::build`] has ruled it out.
    pub fn callback_url(&self, revision: RevisionId) -> Result<HttpsUrl> {
        self.public_url.join(&["build-callbacks", &revision.to_string()])
    }

    /// The `iss` of every token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `aud` of every token.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    pub(super) const fn current(&self) -> &CallbackKey {
        &self.current
    }

    pub(super) fn find(&self, kid: &str) -> Option<(&CallbackKey, SecretSlot)> {
        if self.current.kid() == kid {
            return Some((&self.current, SecretSlot::Current));
        }
        self.previous.iter().find(|k| k.kid() == kid).map(|k| (k, SecretSlot::Previous))
    }
}

/// Gathers [`CallbackKeys`].
#[derive(Debug)]
#[must_use]
pub struct CallbackKeysBuilder {
    current: CallbackKey,
    previous: Vec<CallbackKey>,
    public_url: Option<HttpsUrl>,
    issuer: Option<String>,
    audience: Option<String>,
}

impl CallbackKeysBuilder {
    /// The base of our URL as the builder sees it; a path prefix is allowed, a query is not. Required.
    pub fn public_url(mut self, url: HttpsUrl) -> Self {
        self.public_url = Some(url);
        self
    }

    /// A key that still verifies, but signs no more. At most three.
    pub fn previous(mut self, key: CallbackKey) -> Self {
        self.previous.push(key);
        self
    }

    /// The `iss` of every token; the public URL without a trailing slash if not set.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The `aud` of every token; the public URL and `/build-callbacks` if not set.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Checks all of it, and signs and verifies a token of the largest claims with each key.
    ///
    /// # Errors
    /// `Invalid` without a public URL or with one that has a query, for more than four keys or two of one name, for an empty
    /// issuer or audience, and for URLs so long that a token would exceed 4,096 bytes. `Internal` if the process's
    /// cryptography does not work.
    pub fn build(self) -> Result<CallbackKeys> {
        let public_url = self.public_url.ok_or_else(|| Error::invalid(OPERATION, "a public URL is required"))?.join(&[])?;
        if self.previous.len() > MAX_PREVIOUS {
            return Err(Error::invalid(OPERATION, "at most one current and three previous keys"));
        }
        let mut names = BTreeSet::from([self.current.kid()]);
        if !self.previous.iter().all(|key| names.insert(key.kid())) {
            return Err(Error::invalid(OPERATION, "two keys have the same name"));
        }
        let issuer = self.issuer.unwrap_or_else(|| public_url.to_string());
        let audience = match self.audience {
            Some(audience) => audience,
            None => public_url.join(&["build-callbacks"])?.to_string(),
        };
        if issuer.is_empty() || audience.is_empty() {
            return Err(Error::invalid(OPERATION, "issuer and audience must not be empty"));
        }
        let (issuer, audience) = (issuer.into(), audience.into());
        let keys = CallbackKeys { current: self.current, previous: self.previous, public_url, issuer, audience };
        token::install_provider();
        probe(&keys)?;
        Ok(keys)
    }
}

/// Mints the largest token there can be and verifies it.
fn probe(keys: &CallbackKeys) -> Result<()> {
    let epoch = Timestamp::from_micros(0);
    let revision = RevisionId::new(epoch, [0xFF; 10]);
    let claims = CallbackClaims {
        org: OrgId::parse(&"o".repeat(128))?,
        deployment: DeploymentId::new(epoch, [0xFF; 10]),
        revision,
        attempt: AttemptId::new(epoch, [0xFF; 10]),
        number: u32::MAX,
        image_repository: ImageRepository::parse(&["registry.test/", &"i".repeat(241)].concat())?,
        commit: CommitSha::parse(&"f".repeat(64))?,
        issued_at: MAX_NUMBER.saturating_sub(1),
        expires_at: MAX_NUMBER,
    };
    keys.callback_url(revision)?;
    for key in std::iter::once(&keys.current).chain(&keys.previous) {
        let token = token::mint_with(keys, key, &claims)?;
        if token.expose().len() > MAX_TOKEN {
            return Err(Error::invalid(OPERATION, "issuer and audience are so long that a token would exceed 4,096 bytes"));
        }
        match token::verify(keys, token.expose(), revision, claims.issued_at) {
            Ok(verified) if verified.claims == claims => {}
            _ => return Err(Error::internal(OPERATION, "a token signed for a test did not verify")),
        }
    }
    Ok(())
}
