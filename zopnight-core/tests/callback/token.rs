//! The callback token: the published vector, each row of what a plain JWT library lets through, and the boundaries.

use zopnight_core::callback::CallbackRefusal as R;
use zopnight_core::callback::testing::{mint, verify};
use zopnight_core::domain::SecretSlot;

use crate::common::*;
use crate::independent;

const NOW: i64 = IAT + 60;

/// Our verdict at `now`, after making sure that the independent verifier has the same.
fn at(token: &str, now: i64) -> Result<(), R> {
    let ours = verify(&keys(), token, revision(), now).map(|_| ());
    let theirs = independent::verdict(token, &revision().to_string(), now);
    assert_eq!(ours.map_err(R::as_str), theirs, "{token} at {now}");
    ours
}

fn refused(token: &str) -> Option<R> {
    at(token, NOW).err()
}

fn refused_claim(name: &str, json: &str) -> Option<R> {
    refused(&signed(HEADER, with_claim(name, json)))
}

fn refused_header(header: &str) -> Option<R> {
    refused(&signed(header, CLAIMS))
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
    assert_eq!(refused(token), None);
}

#[test]
fn members_may_come_in_any_order_and_spacing() {
    let mut members: Vec<&str> = CLAIMS.trim_matches(['{', '}']).split(",\"").collect();
    members.reverse();
    let members: Vec<String> = members.iter().map(|m| format!("\"{}", m.trim_start_matches('"'))).collect();
    assert_eq!(refused(&signed(HEADER, format!("{{ {} }}\n", members.join(" ,\t")))), None);
    assert_eq!(refused_header(r#"{"kid":"wVy7nbvB1eve","typ":"zop-build+jwt","alg":"HS256"}"#), None);
}

#[test]
fn every_claim_is_required_once_and_none_besides() {
    for name in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "org", "dep", "img", "sha", "att"] {
        assert_eq!(refused_claim(name, ""), Some(R::ClaimsMalformed), "{name} missing");
        assert_eq!(refused_claim(name, "null"), Some(R::ClaimsMalformed), "{name} null");
        assert_eq!(refused_claim(name, "{}"), Some(R::ClaimsMalformed), "{name} an object");
        assert_eq!(refused_claim(name, "true"), Some(R::ClaimsMalformed), "{name} true");
        let value = serde_json::from_str::<serde_json::Value>(CLAIMS).unwrap()[name].to_string();
        let twice = CLAIMS.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        assert_eq!(refused(&signed(HEADER, twice)), Some(R::ClaimsMalformed), "{name} twice");
        assert_eq!(refused_claim(name, &format!("[{value}]")), Some(R::ClaimsMalformed), "{name} in an array");
    }
    for extra in [r#""scope":"all","#, r#""x":{"a":[1]},"#, r#""ISS":"x","#, r#""":0,"#] {
        assert_eq!(refused(&signed(HEADER, CLAIMS.replacen('{', &format!("{{{extra}"), 1))), Some(R::ClaimsMalformed));
    }
}

#[test]
fn claims_are_an_object_of_the_right_types() {
    for (name, json) in [
        ("iss", "7"),
        ("aud", "7"),
        ("sub", "7"),
        ("jti", "7"),
        ("iat", "\"1767225600\""),
        ("nbf", "1767225600.0"),
        ("exp", "\"1767228900\""),
        ("exp", "1767228900.0"),
        ("exp", "1767228900.5"),
        ("exp", "1.7672289e9"),
        ("exp", "1e300"),
        ("exp", "-1"),
        ("exp", "-0"),
        ("exp", "9007199254740993"),
        ("iat", "9007199254740993"),
        ("nbf", "18446744073709551616"),
        ("att", "0"),
        ("att", "-1"),
        ("att", "1.0"),
        ("att", "\"1\""),
        ("att", "4294967296"),
    ] {
        assert_eq!(refused_claim(name, json), Some(R::ClaimsMalformed), "{name} = {json}");
    }
    let values = serde_json::from_str::<serde_json::Value>(CLAIMS).unwrap();
    let array: Vec<String> = ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "org", "dep", "img", "sha", "att"]
        .iter()
        .map(|k| values[*k].to_string())
        .collect();
    let deep = format!("{}{}", "[".repeat(1_400), "]".repeat(1_400));
    for claims in [format!("[{}]", array.join(",")), "{}".into(), "7".into(), format!("{CLAIMS}{CLAIMS}"), deep] {
        assert_eq!(refused(&signed(HEADER, &claims)), Some(R::ClaimsMalformed), "{claims}");
    }
    assert_eq!(refused(&signed(HEADER, format!("\u{feff}{CLAIMS}"))), Some(R::ClaimsMalformed), "byte order mark");
    assert_eq!(refused(&signed(HEADER, b"{\"iss\":\"\xff\"}")), Some(R::ClaimsMalformed), "not UTF-8");
}

#[test]
fn claims_outside_their_grammar_are_malformed() {
    for (name, json) in [
        ("sub", "\"0192F0C4-7B1E-7C3A-9D55-3F0E2A6B8C11\""),
        ("sub", "\"0192f0c47b1e7c3a9d553f0e2a6b8c11\""),
        ("jti", "\"\""),
        ("dep", "\"../../dev/null\""),
        ("dep", "\"\""),
        ("org", "\"\""),
        ("org", "\"a b\""),
        ("org", "\"a/b\""),
        ("img", "\"\""),
        ("img", "\"acme/checkout\""),
        ("img", "\"registry.example.test/acme/../x\""),
        ("img", "\"registry.example.test/acme/checkout:tag\""),
        ("sha", "\"9f2b6c1\""),
        ("sha", "\"9F2B6C1E0D4A7B8C5E3F1A2D6C9B8E7F0A1B2C3D\""),
        ("sha", "\"0000000000000000000000000000000000000000\""),
    ] {
        assert_eq!(refused_claim(name, json), Some(R::ClaimsMalformed), "{name} = {json}");
    }
}

#[test]
fn issuer_audience_and_subject_must_be_ours() {
    for other in
        ["\"\"", "\"https://deploy.example.test/\"", "\"https://DEPLOY.example.test\"", "\"https://deploy.example\""]
    {
        assert_eq!(refused_claim("iss", other), Some(R::Issuer), "{other}");
        assert_eq!(refused_claim("aud", other), Some(R::Audience), "{other}");
    }
    assert_eq!(refused_claim("aud", "\"https://deploy.example.test\""), Some(R::Audience));
    assert_eq!(refused_claim("iss", "\"https:\\/\\/deploy.example.test\""), None, "an escape is a spelling");
    assert_eq!(refused_claim("sub", "\"0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c12\""), Some(R::SubjectMismatch));
}

#[test]
fn only_our_header_is_read() {
    for (header, verdict) in [
        (r#"{"alg":"none","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"NONE","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"HS512","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"RS256","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"hs256","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":["HS256"],"typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","alg":"HS256","typ":"zop-build+jwt","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","typ":"JWT","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","typ":"ZOP-BUILD+JWT","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","kid":"wVy7nbvB1eve"}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","typ":"zop-build+jwt"}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","typ":"zop-build+jwt","kid":null}"#, R::HeaderRefused),
        (r#"{"alg":"HS256","typ":"zop-build+jwt","kid":7}"#, R::HeaderRefused),
        (r#"["HS256","zop-build+jwt","wVy7nbvB1eve"]"#, R::HeaderRefused),
        (r#""HS256""#, R::HeaderRefused),
        ("{", R::HeaderRefused),
        (r#"{"alg":"HS256","typ":"zop-build+jwt","kid":"../../dev/null"}"#, R::KeyUnknown),
        (r#"{"alg":"HS256","typ":"zop-build+jwt","kid":""}"#, R::KeyUnknown),
        (r#"{"alg":"HS256","typ":"zop-build+jwt","kid":"wvy7nbvb1eve"}"#, R::KeyUnknown),
    ] {
        assert_eq!(refused_header(header), Some(verdict), "{header}");
    }
    for extra in [
        r#""crit":["exp"]"#,
        r#""b64":false"#,
        r#""jku":"https://evil.test/keys""#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""x5u":"https://evil.test/cert""#,
        r#""x5c":[]"#,
        r#""zip":"DEF""#,
        r#""cty":"JWT""#,
        r#""enc":"A128GCM""#,
    ] {
        let header = HEADER.replacen('{', &format!("{{{extra},"), 1);
        assert_eq!(refused_header(&header), Some(R::HeaderRefused), "{header}");
    }
}

#[test]
fn a_token_is_three_clean_segments() {
    let good = signed(HEADER, CLAIMS);
    let (message, signature) = good.rsplit_once('.').unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        message.to_owned(),
        format!("{message}."),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("Bearer {good}"),
        good.replace('.', ".."),
        good.replace('.', ","),
        good.replacen('.', "+.", 1),
        good.replacen('.', "/.", 1),
        good.replacen('e', "é", 1),
        format!("A.{}", good.split_once('.').unwrap().1),
    ] {
        assert_eq!(refused(&bad), Some(R::TokenMalformed), "{bad}");
    }
}

#[test]
fn the_signature_is_over_exactly_these_bytes() {
    let good = signed(HEADER, CLAIMS);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let last_altered = [&signature[..42], "B"].concat();
    let cut = &signature[..42];
    for other in [last_altered.as_str(), cut, "AA", &signature.repeat(2), &encode(hmac(b"another key", message))] {
        assert_eq!(refused(&format!("{message}.{other}")), Some(R::Signature), "{other}");
    }
    let other_claims = with_claim("att", "2");
    let swapped = format!("{}.{}.{signature}", encode(HEADER), encode(other_claims));
    assert_eq!(refused(&swapped), Some(R::Signature));
}

#[test]
fn length_is_judged_first_at_4096_and_4097() {
    let padded = |bytes: usize| {
        let kid = "k".repeat(bytes);
        signed(format!(r#"{{"alg":"HS256","typ":"zop-build+jwt","kid":"{kid}"}}"#), CLAIMS)
    };
    let fits = (0..4_096).map(padded).take_while(|t| t.len() <= 4_096).last().unwrap();
    assert!(fits.len() >= 4_095);
    assert_eq!(refused(&fits), Some(R::KeyUnknown));
    let (message, signature) = fits.rsplit_once('.').unwrap();
    let stretched = |length: usize| format!("{message}.{signature}{}", "A".repeat(length - fits.len()));
    assert_eq!(refused(&stretched(4_096)), Some(R::KeyUnknown));
    assert_eq!(refused(&stretched(4_097)), Some(R::TokenMalformed));
    let huge = signed(HEADER, CLAIMS.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(1 << 20)), 1));
    assert_eq!(refused(&huge), Some(R::TokenMalformed));
    let deep = signed(HEADER, "[".repeat(100_000));
    assert_eq!(refused(&deep), Some(R::TokenMalformed));
}

#[test]
fn clocks_may_differ_by_thirty_seconds_and_no_more() {
    let good = signed(HEADER, CLAIMS);
    assert_eq!(at(&good, EXP + 30), Ok(()));
    assert_eq!(at(&good, EXP + 31), Err(R::Expired));
    assert_eq!(at(&good, IAT - 30), Ok(()));
    assert_eq!(at(&good, IAT - 31), Err(R::NotYetValid));
    assert_eq!(at(&good, i64::MAX - 31), Err(R::Expired));
    assert_eq!(at(&good, -31), Err(R::NotYetValid));
    let early_nbf = signed(HEADER, with_claim("nbf", &(IAT - 60).to_string()));
    assert_eq!(at(&early_nbf, IAT - 31), Err(R::IssuedInFuture));
    assert_eq!(at(&early_nbf, IAT - 30), Err(R::Lifetime));
    let late_nbf = signed(HEADER, with_claim("nbf", &(IAT + 1).to_string()));
    assert_eq!(at(&late_nbf, NOW), Err(R::Lifetime));
}

#[test]
fn a_life_is_one_second_to_six_hours() {
    let life = |seconds: i64| at(&signed(HEADER, with_claim("exp", &(IAT + seconds).to_string())), IAT);
    assert_eq!(life(21_600), Ok(()));
    assert_eq!(life(21_601), Err(R::Lifetime));
    assert_eq!(life(1), Ok(()));
    assert_eq!(life(0), Err(R::Lifetime));
    assert_eq!(life(-30), Err(R::Lifetime));
    assert_eq!(life(-31), Err(R::Expired));
}

#[test]
fn what_could_never_verify_is_not_minted() {
    let refuses = |change: fn(&mut zopnight_core::callback::CallbackClaims)| {
        let mut claims = claims();
        change(&mut claims);
        mint(&keys(), &claims).is_err()
    };
    assert!(!refuses(|c| c.expires_at = IAT + 21_600));
    assert!(refuses(|c| c.expires_at = IAT + 21_601));
    assert!(refuses(|c| c.expires_at = IAT));
    assert!(refuses(|c| c.number = 0));
    assert!(refuses(|c| (c.issued_at, c.expires_at) = (-10, 10)));
    assert!(refuses(|c| (c.issued_at, c.expires_at) = (1 << 53, (1 << 53) + 1)));
}

#[test]
fn a_hostile_clock_does_not_panic() {
    for now in [i64::MIN, i64::MAX] {
        assert!(verify(&keys(), &signed(HEADER, CLAIMS), revision(), now).is_err());
    }
}
