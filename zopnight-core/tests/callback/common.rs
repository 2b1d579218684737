//! The published test vector, and tokens built by hand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zopnight_core::callback::{CallbackClaims, CallbackKey, CallbackKeys};
use zopnight_core::domain::{AttemptId, CommitSha, DeploymentId, HttpsUrl, ImageRepository, OrgId, RevisionId, Secret};

pub(crate) const SECRET: &[u8] = b"zopnight-test-callback-key-00032";
pub(crate) const KID: &str = "wVy7nbvB1eve";
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#;
pub(crate) const CLAIMS: &str = r#"{"iss":"https://deploy.example.test","aud":"https://deploy.example.test/build-callbacks","sub":"0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11","jti":"0192f0c5-0000-7000-8000-000000000001","iat":1767225600,"nbf":1767225600,"exp":1767228900,"org":"org_acme","dep":"0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c10","img":"registry.example.test/acme/checkout","sha":"9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d","att":1}"#;
pub(crate) const SIGNATURE: &str = "wkKUzydlsGboyKPUprgt3caV1EzJsTQa37JXmXDTyqA";
pub(crate) const IAT: i64 = 1_767_225_600;
pub(crate) const EXP: i64 = 1_767_228_900;

pub(crate) fn key(secret: &[u8]) -> CallbackKey {
    CallbackKey::from_secret(Secret::new(secret.to_vec())).unwrap()
}

pub(crate) fn url(text: &str) -> HttpsUrl {
    HttpsUrl::parse(text).unwrap()
}

pub(crate) fn keys() -> CallbackKeys {
    CallbackKeys::builder(key(SECRET)).public_url(url("https://deploy.example.test")).build().unwrap()
}

pub(crate) fn revision() -> RevisionId {
    RevisionId::parse("0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11").unwrap()
}

pub(crate) fn claims() -> CallbackClaims {
    CallbackClaims {
        org: OrgId::parse("org_acme").unwrap(),
        deployment: DeploymentId::parse("0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c10").unwrap(),
        revision: revision(),
        attempt: AttemptId::parse("0192f0c5-0000-7000-8000-000000000001").unwrap(),
        number: 1,
        image_repository: ImageRepository::parse("registry.example.test/acme/checkout").unwrap(),
        commit: CommitSha::parse("9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d").unwrap(),
        issued_at: IAT,
        expires_at: EXP,
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}

pub(crate) fn hmac(secret: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A token of exactly these bytes, truly signed.
pub(crate) fn signed(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(hmac(SECRET, &message));
    format!("{message}.{signature}")
}

/// The vector's claims with one member written otherwise; an empty `json` leaves it out.
pub(crate) fn with_claim(name: &str, json: &str) -> String {
    let members: Vec<String> = CLAIMS
        .trim_matches(['{', '}'])
        .split(",\"")
        .map(|m| m.trim_start_matches('"'))
        .filter_map(|member| {
            let (key, value) = member.split_once("\":").unwrap();
            let value = if key == name { json } else { value };
            (!value.is_empty()).then(|| format!("\"{key}\":{value}"))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}
