//! Keys: what is accepted as one, rotation, and what follows from the public URL.

use zopnight_core::ErrorKind;
use zopnight_core::callback::testing::{mint, verify};
use zopnight_core::callback::{CallbackKey, CallbackKeys, CallbackRefusal as R};
use zopnight_core::domain::{Secret, SecretSlot};

use crate::common::*;

/// `length` bytes of `distinct` different values.
fn secret(length: usize, distinct: u8) -> Secret<Vec<u8>> {
    Secret::new((0..distinct).cycle().take(length).collect())
}

fn is_key(length: usize, distinct: u8) -> bool {
    let named = CallbackKey::new("k", secret(length, distinct));
    let derived = CallbackKey::from_secret(secret(length, distinct));
    assert_eq!(named.is_ok(), derived.is_ok());
    assert!(named.as_ref().err().is_none_or(|e| e.kind() == ErrorKind::Invalid));
    named.is_ok()
}

#[test]
fn a_key_is_32_to_512_bytes_with_8_distinct_values() {
    assert!(is_key(32, 8) && !is_key(31, 31));
    assert!(is_key(512, 200) && !is_key(513, 200));
    assert!(!is_key(32, 7) && !is_key(512, 1) && !is_key(0, 0));
}

#[test]
fn a_name_is_1_to_64_plain_characters() {
    let named = |kid: &str| CallbackKey::new(kid, secret(32, 32)).is_ok();
    assert!(named("a") && named("A-z_0") && named(&"k".repeat(64)));
    for bad in ["", &"k".repeat(65), "../../dev/null", "a b", "a.b", "é", "a\n"] {
        assert!(!named(bad), "{bad:?}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let shown = format!("{:?} {:?}", key(SECRET), keys());
    assert!(shown.contains(KID), "{shown}");
    assert!(!shown.contains("zopnight-test-callback-key"), "{shown}");
    assert!(!shown.contains("122, 111, 112"), "{shown}");
    let error = CallbackKey::new("k", Secret::new(b"a short secret".to_vec())).unwrap_err();
    assert_eq!(error.message(), "must be at least 32 and at most 512 bytes, is 14");
}

#[test]
fn urls_issuer_and_audience_follow_from_the_public_url() {
    let built = |public: &str| CallbackKeys::builder(key(SECRET)).public_url(url(public)).build();
    for (public, base) in [
        ("https://deploy.example.test", "https://deploy.example.test"),
        ("https://Deploy.Example.Test/", "https://deploy.example.test"),
        ("https://example.test/zop/night/", "https://example.test/zop/night"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ] {
        let keys = built(public).unwrap();
        assert_eq!(keys.issuer(), base);
        assert_eq!(keys.audience(), format!("{base}/build-callbacks"));
        assert_eq!(keys.callback_url(revision()).unwrap().as_str(), format!("{base}/build-callbacks/{}", revision()));
    }
    assert!(built("https://deploy.example.test/?tenant=1").is_err());
    assert!(CallbackKeys::builder(key(SECRET)).build().is_err());
    let own = CallbackKeys::builder(key(SECRET)).public_url(url("https://a.test")).issuer("me").audience("you");
    let own = own.build().unwrap();
    assert_eq!((own.issuer(), own.audience()), ("me", "you"));
    assert!(mint(&own, &claims()).is_ok());
    let unnamed = CallbackKeys::builder(key(SECRET)).public_url(url("https://a.test")).issuer("");
    assert!(unnamed.build().is_err());
}

#[test]
fn a_url_whose_tokens_would_be_too_long_is_refused_at_construction() {
    let built = |length: usize| {
        let public = format!("https://a.test/{}", "p".repeat(length - 15));
        CallbackKeys::builder(key(SECRET)).public_url(url(&public)).build()
    };
    let longest = (600..1_400).filter(|n| built(*n).is_ok()).max().unwrap();
    assert!((900..1_300).contains(&longest), "{longest}");
    assert_eq!(built(longest + 1).unwrap_err().kind(), ErrorKind::Invalid);
    let mut largest = claims();
    largest.org = zopnight_core::domain::OrgId::parse(&"o".repeat(128)).unwrap();
    assert!(mint(&built(longest).unwrap(), &largest).unwrap().expose().len() <= 4_096);
}

#[test]
fn at_most_four_keys_of_different_names() {
    let named = |kid: &str| CallbackKey::new(kid, secret(32, 32)).unwrap();
    let base = || CallbackKeys::builder(named("a")).public_url(url("https://a.test"));
    let four = || base().previous(named("b")).previous(named("c")).previous(named("d"));
    assert!(four().build().is_ok());
    assert!(four().previous(named("e")).build().is_err());
    assert!(base().previous(named("a")).build().is_err());
    assert!(base().previous(named("b")).previous(named("b")).build().is_err());
}

#[test]
fn a_token_outlives_a_rotation_until_its_key_is_dropped() {
    let new_secret = b"the secret that comes after the first";
    let base = |current: &[u8]| CallbackKeys::builder(key(current)).public_url(url("https://deploy.example.test"));
    let before = base(SECRET).build().unwrap();
    let during = base(new_secret).previous(key(SECRET)).build().unwrap();
    let after = base(new_secret).build().unwrap();
    let old_token = mint(&before, &claims()).unwrap();
    let slot = |keys: &CallbackKeys, token: &Secret<String>| verify(keys, token.expose(), revision(), IAT).map(|v| v.slot);
    assert_eq!(slot(&before, &old_token), Ok(SecretSlot::Current));
    assert_eq!(slot(&during, &old_token), Ok(SecretSlot::Previous));
    assert_eq!(slot(&after, &old_token), Err(R::KeyUnknown));
    let new_token = mint(&during, &claims()).unwrap();
    assert_eq!(slot(&during, &new_token), Ok(SecretSlot::Current));
    assert_eq!(slot(&after, &new_token), Ok(SecretSlot::Current));
    assert_eq!(slot(&before, &new_token), Err(R::KeyUnknown));
}

#[test]
fn only_the_named_key_is_tried() {
    let other = b"another secret of thirty-two bytes";
    let keys = CallbackKeys::builder(CallbackKey::new("a", Secret::new(SECRET.to_vec())).unwrap())
        .previous(CallbackKey::new("b", Secret::new(other.to_vec())).unwrap())
        .public_url(url("https://deploy.example.test"))
        .build()
        .unwrap();
    let token = |kid: &str| signed(format!(r#"{{"alg":"HS256","typ":"zop-build+jwt","kid":"{kid}"}}"#), CLAIMS);
    assert!(verify(&keys, &token("a"), revision(), IAT).is_ok());
    assert_eq!(verify(&keys, &token("b"), revision(), IAT), Err(R::Signature));
}
