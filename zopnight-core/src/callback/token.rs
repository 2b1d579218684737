//! The token itself. The only file that names the JWT library.
//!
//! The library alone is too trusting for this: it takes foreign headers, wrong-typed and foreign claims, and reads the
//! system's clock. So length, alphabet and header are checked before it sees the token, and every claim after.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::crypto::{self, aws_lc};
use jsonwebtoken::errors::ErrorKind as JwtErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde::{Deserialize, Serialize};

use super::claims::{CallbackClaims, Verified, WireClaims};
use super::keys::{CallbackKey, CallbackKeys};
use super::object::Object;
use super::refusal::CallbackRefusal as Refusal;
use crate::domain::{RevisionId, Secret};
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

/// What the library is told to check.
#[derive(Clone, Debug)]
pub(super) struct Rules(Validation);

impl Rules {
    pub(super) fn new(issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        // The times are judged by our own clock, on the typed claims.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self(validation)
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
struct Header {
    alg: String,
    typ: String,
    kid: String,
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
    let wire = WireClaims::of(keys.issuer(), keys.audience(), claims)
        .ok_or_else(|| Error::invalid("callback.mint", "times must not be negative"))?;
    let header = Header { alg: ALGORITHM.to_owned(), typ: TYPE.to_owned(), kid: key.kid().to_owned() };
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
    let (header, signature) = outer_segments(jwt).ok_or(Refusal::TokenMalformed)?;
    let kid = header_kid(header)?;
    let (key, slot) = keys.find(&kid).ok_or(Refusal::KeyUnknown)?;
    let token = jsonwebtoken::decode::<Object<WireClaims<'static>>>(jwt, &key.signing().verify, &keys.rules().0)
        .map_err(|e| refusal_of(e.kind(), signature))?;
    let claims = token.claims.0.check(path_id, now)?;
    Ok(Verified { claims, slot })
}

/// The first and last of exactly three non-empty segments of the base64url alphabet.
fn outer_segments(jwt: &str) -> Option<(&str, &str)> {
    if jwt.len() > MAX_TOKEN {
        return None;
    }
    let mut segments = jwt.split('.');
    let [header, claims, signature] = [segments.next()?, segments.next()?, segments.next()?];
    let is_base64url = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (segments.next().is_none() && [header, claims, signature].into_iter().all(is_base64url)).then_some((header, signature))
}

fn header_kid(segment: &str) -> std::result::Result<String, Refusal> {
    let json = BASE64URL.decode(segment).map_err(|_| Refusal::TokenMalformed)?;
    let Object(header) = serde_json::from_slice::<Object<Header>>(&json).map_err(|_| Refusal::HeaderRefused)?;
    if header.alg != ALGORITHM || header.typ != TYPE {
        return Err(Refusal::HeaderRefused);
    }
    Ok(header.kid)
}

fn refusal_of(error: &JwtErrorKind, signature: &str) -> Refusal {
    match error {
        JwtErrorKind::InvalidIssuer => Refusal::Issuer,
        JwtErrorKind::InvalidAudience => Refusal::Audience,
        JwtErrorKind::Json(_) | JwtErrorKind::Utf8(_) | JwtErrorKind::MissingRequiredClaim(_) => Refusal::ClaimsMalformed,
        // The signature is decoded before the claims are, so a good one blames the claims.
        JwtErrorKind::Base64(_) if BASE64URL.decode(signature).is_ok() => Refusal::ClaimsMalformed,
        _ => Refusal::Signature,
    }
}
