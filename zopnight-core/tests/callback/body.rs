//! The body: its shape before the token is looked at, its content after.

use zopnight_core::callback::{BuildReport, CallbackBody, CallbackRefusal as R};
use zopnight_core::domain::{ImageRepository, hex};

use crate::mutants::Rng;

const IMAGE: &str = "registry.example.test/acme/checkout:sha-9f2b6c1";
const RUN: &str = "https://github.com/zop-dev/zopnight-builder/actions/runs/12345";

fn parse(json: &str) -> Result<CallbackBody, R> {
    CallbackBody::parse(json.as_bytes())
}

fn report(members: &str) -> Result<BuildReport, R> {
    parse(&format!(r#"{{"jwt":"a.b.c",{members}}}"#)).unwrap().report()
}

#[test]
fn the_published_form_parses() {
    let body = parse(&format!(r#"{{"jwt":"eyJ","status":"succeeded","imageRef":"{IMAGE}","logTailUrl":"{RUN}"}}"#)).unwrap();
    assert_eq!(body.jwt().expose(), "eyJ");
    assert_eq!(body.image_ref(), Some(IMAGE));
    assert_eq!(body.log_tail_url(), Some(RUN));
    let Ok(BuildReport::Succeeded { image }) = body.report() else { panic!("not a success") };
    assert_eq!(image.as_str(), IMAGE);
    assert!(!format!("{body:?}").contains("eyJ"));
}

#[test]
fn the_digest_is_the_published_one() {
    let json = format!(r#"{{"logTailUrl":"{RUN}","imageRef":"{IMAGE}","status":"succeeded","jwt":"x"}}"#);
    assert_eq!(
        hex::encode(&parse(&json).unwrap().digest()),
        "879961ea42f7044a831f11017cfe17177fd8b104f1acf52613643918eb139588"
    );
}

#[test]
fn the_digest_covers_every_member_but_the_token() {
    let digest = |json: &str| parse(json).unwrap().digest();
    let first = digest(r#"{"jwt":"a","status":"failed","error":{"code":"oom","message":"m"}}"#);
    assert_eq!(first, digest(r#"{"error":{"message":"m","code":"oom"},"status":"failed","jwt":"b"}"#));
    assert_eq!(first, hex::sha256(br#"["failed",null,null,{"code":"oom","message":"m"}]"#));
    for other in [
        r#"{"jwt":"a","status":"cancelled","error":{"code":"oom","message":"m"}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"oom"}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"oo","message":"m"}}"#,
        r#"{"jwt":"a","status":"failed"}"#,
        r#"{"jwt":"a","status":"failed","logTailUrl":"u","error":{"code":"oom","message":"m"}}"#,
        r#"{"jwt":"a","status":"failed","imageRef":"u","error":{"code":"oom","message":"m"}}"#,
    ] {
        assert_ne!(digest(other), first, "{other}");
    }
    let without_message = digest(r#"{"jwt":"a","status":"failed","error":{"code":"oom"}}"#);
    assert_eq!(without_message, hex::sha256(br#"["failed",null,null,{"code":"oom","message":null}]"#));
}

#[test]
fn only_one_strict_object_is_a_body() {
    let deep = format!(r#"{{"jwt":"a","status":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let unknown_deep = format!(r#"{{"jwt":"a","status":"failed","x":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for bad in [
        "",
        " ",
        "null",
        "7",
        "{}",
        "[]",
        r#"["a","failed"]"#,
        r#"["a","failed",null,null,null]"#,
        r#"{"jwt":"a"}"#,
        r#"{"status":"failed"}"#,
        r#"{"jwt":"a","status":"failed""#,
        r#"{"jwt":"a","status":"failed",}"#,
        r#"{"jwt":"a","status":"failed"}{}"#,
        r#"{"jwt":"a","status":"failed"} x"#,
        r#"{"jwt":"a","status":"failed","x":1}"#,
        r#"{"jwt":"a","status":"failed","Status":"failed"}"#,
        r#"{"jwt":"a","jwt":"a","status":"failed"}"#,
        r#"{"jwt":"a","status":"failed","status":"succeeded"}"#,
        r#"{"jwt":"a","status":"failed","st\u0061tus":"failed"}"#,
        r#"{"jwt":"a","status":"failed","imageRef":"x","imageRef":"x"}"#,
        r#"{"jwt":"a","status":"failed","imageRef":null}"#,
        r#"{"jwt":"a","status":"failed","logTailUrl":null}"#,
        r#"{"jwt":"a","status":"failed","error":null}"#,
        r#"{"jwt":null,"status":"failed"}"#,
        r#"{"jwt":7,"status":"failed"}"#,
        r#"{"jwt":"a","status":["failed"]}"#,
        r#"{"jwt":"a","status":true}"#,
        r#"{"jwt":"a","status":"failed","imageRef":{}}"#,
        r#"{"jwt":"a","status":"failed","logTailUrl":["u"]}"#,
        r#"{"jwt":"a","status":"failed","error":"oom"}"#,
        r#"{"jwt":"a","status":"failed","error":["oom","m"]}"#,
        r#"{"jwt":"a","status":"failed","error":{}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":""}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"OOM"}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"e404"}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"oom","code":"oom"}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"oom","x":1}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"oom","message":null}}"#,
        r#"{"jwt":"a","status":"failed","error":{"code":"oom","message":7}}"#,
        "{\"jwt\":\"a\",\"status\":\"fai\nled\"}",
        r#"{"jwt":"a","status":"\ud800"}"#,
        r#"{'jwt':'a','status':'failed'}"#,
        r#"{"jwt":"a","status":"failed"/**/}"#,
        "\u{feff}{\"jwt\":\"a\",\"status\":\"failed\"}",
        &deep,
        &unknown_deep,
    ] {
        assert_eq!(parse(bad).err(), Some(R::BodyMalformed), "{}", bad.get(..80).unwrap_or(bad));
    }
    let utf16: Vec<u8> = r#"{"jwt":"a","status":"failed"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(CallbackBody::parse(&utf16).err(), Some(R::BodyMalformed));
    assert_eq!(CallbackBody::parse(b"{\"jwt\":\"\xff\",\"status\":\"failed\"}").err(), Some(R::BodyMalformed));
}

#[test]
fn limits_hold_at_n_and_n_plus_one() {
    let sized = |bytes: usize| {
        let empty = r#"{"jwt":"","status":"failed"}"#.len();
        format!(r#"{{"jwt":"{}","status":"failed"}}"#, "a".repeat(bytes - empty))
    };
    assert!(parse(&sized(65_536)).is_ok());
    assert_eq!(parse(&sized(65_537)).err(), Some(R::BodyTooLarge));
    let code =
        |n: usize| parse(&format!(r#"{{"jwt":"a","status":"failed","error":{{"code":"{}"}}}}"#, "c".repeat(n))).is_ok();
    assert!(code(1) && code(40) && !code(41));
    let message = |n: usize| {
        parse(&format!(r#"{{"jwt":"a","status":"failed","error":{{"code":"c","message":"{}"}}}}"#, "é".repeat(n))).is_ok()
    };
    assert!(message(0) && message(2_000) && !message(2_001));
}

#[test]
fn content_is_judged_in_the_order_of_the_verdicts() {
    for status in ["Succeeded", "success", "", "succeeded ", "skipped", "failed\\u0000"] {
        let members = format!(r#""status":"{status}","imageRef":"nonsense","error":{{"code":"x"}}"#);
        assert_eq!(report(&members), Err(R::StatusUnknown), "{status}");
    }
    assert_eq!(report(r#""status":"succeeded""#), Err(R::ImageMissing));
    assert_eq!(report(r#""status":"succeeded","error":{"code":"x"}"#), Err(R::ImageMissing));
    assert_eq!(report(r#""status":"failed","imageRef":"nonsense""#), Err(R::ImageUnexpected));
    assert_eq!(report(r#""status":"cancelled","imageRef":"nonsense""#), Err(R::ImageUnexpected));
    let both = r#""status":"succeeded","imageRef":"nonsense","error":{"code":"x"}"#;
    assert_eq!(report(both), Err(R::ErrorUnexpected));
    assert_eq!(report(r#""status":"succeeded","imageRef":"nonsense""#), Err(R::ImageMalformed));
    let Ok(BuildReport::Failed { error: Some(error) }) = report(r#""status":"failed","error":{"code":"oom","message":"m"}"#)
    else {
        panic!("not a failure")
    };
    assert_eq!((error.code(), error.message()), ("oom", Some("m")));
    assert_eq!(report(r#""status":"failed""#), Ok(BuildReport::Failed { error: None }));
    assert_eq!(report(r#""status":"cancelled""#), Ok(BuildReport::Cancelled { error: None }));
}

/// What becomes of an image claimed for the repository `registry.example.test/acme/checkout`.
fn image_verdict(image: &str, require_digest: bool) -> Result<(), R> {
    let allotted = ImageRepository::parse("registry.example.test/acme/checkout").unwrap();
    let json = serde_json::json!({"jwt": "a", "status": "succeeded", "imageRef": image}).to_string();
    match parse(&json).unwrap().report()? {
        BuildReport::Succeeded { image } => zopnight_core::callback::testing::check_image(&image, &allotted, require_digest),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_trick_leads_out_of_the_allotted_repository() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    assert_eq!(image_verdict(IMAGE, false), Ok(()));
    assert_eq!(image_verdict("REGISTRY.example.TEST/acme/checkout:v1", false), Ok(()), "hosts have no case");
    assert_eq!(image_verdict(&format!("{IMAGE}@{digest}"), true), Ok(()));
    assert_eq!(image_verdict(&format!("registry.example.test/acme/checkout@{digest}"), true), Ok(()));
    assert_eq!(image_verdict(IMAGE, true), Err(R::DigestRequired));
    for elsewhere in [
        "registry.example.test/acme/checkout-evil:v1",
        "registry.example.test/acme/checkout/evil:v1",
        "registry.example.test/acme:v1",
        "registry.example.test/evil/acme/checkout:v1",
        "registry.example.test.evil.test/acme/checkout:v1",
        "evil.registry.example.test/acme/checkout:v1",
        "registry.example.test:443/acme/checkout:v1",
        "registry.example.test:5000/acme/checkout:v1",
        "docker.io/acme/checkout:v1",
        "localhost/acme/checkout:v1",
    ] {
        assert_eq!(image_verdict(elsewhere, true), Err(R::ImageRepository), "{elsewhere}");
    }
    for malformed in [
        "acme/checkout:v1",
        "checkout:v1",
        "registry.example.test/acme/checkout",
        "registry.example.test/acme/Checkout:v1",
        "registry.example.test./acme/checkout:v1",
        "registry.example.test/acme/../evil:v1",
        "registry.example.test/acme/./checkout:v1",
        "registry.example.test//acme/checkout:v1",
        "registry.example.test/acme/checkout/:v1",
        "registry.example.test/acme%2Fcheckout:v1",
        "registry.example.test/acme/checkout%3Av1",
        "registry.example.test/acme/check\u{043e}ut:v1",
        "registry.ex\u{0430}mple.test/acme/checkout:v1",
        "user@registry.example.test/acme/checkout:v1",
        "https://registry.example.test/acme/checkout:v1",
        "registry.example.test/acme/checkout:v1 ",
        " registry.example.test/acme/checkout:v1",
        "registry.example.test/acme/checkout:v1\n",
        "registry.example.test/acme/checkout:",
        "registry.example.test/acme/checkout@",
        "registry.example.test/acme/checkout:v1:v2",
        "registry.example.test/acme/checkout:-v1",
        &format!("registry.example.test/acme/checkout@{}", digest.to_uppercase()),
        &format!("registry.example.test/acme/checkout@sha256:{}", "AB".repeat(32)),
        &format!("registry.example.test/acme/checkout@sha512:{}", "ab".repeat(64)),
        &format!("registry.example.test/acme/checkout@{digest}@{digest}"),
        &format!("registry.example.test/acme/checkout@{digest}:v1"),
        "",
    ] {
        assert_eq!(image_verdict(malformed, true), Err(R::ImageMalformed), "{malformed}");
    }
}

#[test]
fn any_bytes_are_answered_and_an_accepted_body_says_the_same_when_written_again() {
    let seed = format!(
        r#"{{"jwt":"a.b.c","status":"failed","imageRef":"{IMAGE}","logTailUrl":"{RUN}","error":{{"code":"oom","message":"é"}}}}"#
    );
    let mut rng = Rng(7);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = seed.clone().into_bytes();
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len());
            match rng.below(4) {
                0 => bytes[at] = rng.next() as u8,
                1 => drop(bytes.drain(at..(at + rng.below(20)).min(seed.len()).min(bytes.len()).max(at))),
                2 => bytes.insert(at, rng.pick(b"{}[]\",:\\x0")),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        let Ok(body) = CallbackBody::parse(&bytes) else { continue };
        accepted += 1;
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let again = CallbackBody::parse(value.to_string().as_bytes()).unwrap();
        assert_eq!(again.digest(), body.digest());
        assert_eq!(again.jwt().expose(), body.jwt().expose());
        assert_eq!(again.report(), body.report());
    }
    assert!(accepted > 500, "{accepted}");
}
