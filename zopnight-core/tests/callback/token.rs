//! The callback token: the published vector, each row of what a plain JWT library lets through, and the boundaries.

use zopnight_core::callback::testing::{mint, verify};
use zopnight_core::callback::{CallbackClaims, CallbackKey, CallbackKeys, CallbackRefusal as R};
use zopnight_core::domain::{Secret, SecretSlot};

use crate::common::*;

const NOW: i64 = IAT + 60;

fn verdict(token: &str) -> Result<CallbackClaims, R> {
    verify(&keys(), token, revision(), NOW).map(|v| v.claims)
}

fn at(token: &str, now: i64) -> Option<R> {
    verify(&keys(), token, revision(), now).err()
}

#[test]
fn the_published_vector_is_minted_byte_for_byte_and_verifies() {
    let token = mint(&keys(), &claims()).unwrap();
    let token = token.expose();
    assert_eq!(*token, format!("{}.{}.{SIGNATURE}", encode(HEADER), encode(CLAIMS)));
    assert_eq!(token.len(), 647);
    let verified = verify(&keys(), token, revision(), NOW).unwrap();
    assert_eq!(verified.claims, claims());
    assert_eq!(verified.slot, SecretSlot::Current);
    assert_eq!(key(SECRET).kid(), KID);
}
