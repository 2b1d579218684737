//! The token itself. The only file that names the JWT library.
//!
//! Of the library only the HMAC is used. Its `decode` is too trusting for this: it takes foreign headers, wrong-typed and
//! foreign claims, and reads the system's clock; it also reads header and claims twice. So length, alphabet and header are
//! checked before the signature, and every claim after, on our own strict types.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::crypto::{self, aws_lc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};

use super::claims::{CallbackClaims, Verified, WireClaims};
use super::keys::{CallbackKey, CallbackKeys};
use super::object::Object;
use super::refusal::CallbackRefusal as Refusal;
use crate::domain::{RevisionId, Secret, SecretSlot};
use crate::error::{Error, Result};

/// Longest token, in bytes.
pub(super) const MAX_TOKEN: usize = 4_096;
const ALGORITHM: &str = "HS256";
const TYPE: &str = "zop-build+jwt";

/// One key, ready to sign and to verify. Both halves wipe themselves.
#[derive(Clone)]
pub(super) struct SigningKey {
    sign: EncodingKey,
    verify: DecodingKey,
}

impl SigningKey {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self { sign: EncodingKey::from_secret(secret), verify: DecodingKey::from_secret(secret) }
    }
}

/// Chooses the cryptography once for the process: left to itself, the library panics at its first use when a host's other
/// dependencies turned on both of its back ends.
pub(super) fn install_provider() {
    // Refused when something already chose; the probe that follows shows whether that choice works.
    let _ = aws_lc::DEFAULT_PROVIDER.install_default();
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

/// Mints the token of one attempt with the current key.
///
/// # Errors
/// `Invalid` for claims that [`verify`] could never accept.
pub(crate) fn mint(keys: &CallbackKeys, claims: &CallbackClaims) -> Result<Secret<String>> {
    mint_with(keys, keys.current(), claims)
}

pub(super) fn mint_with(keys: &CallbackKeys, key: &CallbackKey, claims: &CallbackClaims) -> Result<Secret<String>> {
    if !claims.is_mintable() {
        return Err(Error::invalid("callback.mint", "attempt number or times are out of bounds"));
    }
    let wire = WireClaims::of(keys, claims).ok_or_else(|| Error::invalid("callback.mint", "times must not be negative"))?;
    let header = Header { alg: ALGORITHM.into(), typ: TYPE.into(), kid: key.kid().into() };
    let mut token = [segment(&header)?, segment(&wire)?].join(".");
    let signature = crypto::sign(token.as_bytes(), &key.signing().sign, Algorithm::HS256)
        .map_err(|e| Error::internal("callback.mint", "the token could not be signed").with_source(e))?;
    token.push('.');
    token.push_str(&signature);
    Ok(Secret::new(token))
}

fn segment(part: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(part)
        .map_err(|e| Error::internal("callback.mint", "the token could not be written").with_source(e))?;
    Ok(BASE64URL.encode(json))
}

/// Verifies a token that came with a report about `path_id` at `now` (seconds since the epoch). Pure: what the token says
/// is not compared with the store.
///
/// # Errors
/// The first refusal, in the order of [`Refusal::ALL`].
pub(crate) fn verify(
    keys: &CallbackKeys,
    jwt: &str,
    path_id: RevisionId,
    now: i64,
) -> std::result::Result<Verified, Refusal> {
    let Segments { message, header, claims, signature } = segments(jwt).ok_or(Refusal::TokenMalformed)?;
    let (key, slot) = key_of(keys, header)?;
    let signed = crypto::verify(signature, message.as_bytes(), &key.signing().verify, Algorithm::HS256);
    if !matches!(signed, Ok(true)) {
        return Err(Refusal::Signature);
    }
    let json = BASE64URL.decode(claims).map_err(|_| Refusal::ClaimsMalformed)?;
    let Object(claims) = serde_json::from_slice::<Object<WireClaims<'_>>>(&json).map_err(|_| Refusal::ClaimsMalformed)?;
    let claims = claims.check(keys, path_id, now)?;
    Ok(Verified { claims, slot })
}

struct Segments<'a> {
    /// Header and claims, as they were signed.
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

/// Exactly three non-empty segments of the base64url alphabet.
fn segments(jwt: &str) -> Option<Segments<'_>> {
    if jwt.len() > MAX_TOKEN {
        return None;
    }
    let (message, signature) = jwt.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let is_base64url = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    [header, claims, signature].into_iter().all(is_base64url).then_some(Segments { message, header, claims, signature })
}

/// The key that a header of exactly our form names.
fn key_of<'k>(keys: &'k CallbackKeys, segment: &str) -> std::result::Result<(&'k CallbackKey, SecretSlot), Refusal> {
    let json = BASE64URL.decode(segment).map_err(|_| Refusal::TokenMalformed)?;
    let Object(header) = serde_json::from_slice::<Object<Header<'_>>>(&json).map_err(|_| Refusal::HeaderRefused)?;
    if header.alg != ALGORITHM || header.typ != TYPE {
        return Err(Refusal::HeaderRefused);
    }
    keys.find(&header.kid).ok_or(Refusal::KeyUnknown)
}
