//! The steps from bytes to an object, in order; the first that fails answers.

use serde_json::json;
use zopnight_core::ErrorKind;
use zopnight_core::domain::{IgnoreReason, RepoEvent, SecretSlot, hex};
use zopnight_core::ports::{WebhookDecoder as _, WebhookRequest};
use zopnight_github::{GithubWebhookDecoder, WebhookSecrets};

use crate::kit::{
    ID, PREVIOUS, SECRET, decode, decoder, event, forge, headers, hmac, push, refused_text, secret, signed, signed_with,
    with_header,
};

const SIGNATURE: &str = "x-hub-signature-256";

#[track_caller]
fn unauthenticated(request: &WebhookRequest) {
    let error = decode(request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
    assert_eq!(error.message(), "the webhook's signature is missing or wrong", "one text for every fault");
}

#[track_caller]
fn invalid(request: &WebhookRequest) {
    let error = decode(request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}

fn ping() -> WebhookRequest {
    signed("ping", br#"{"zen":"plain"}"#)
}

#[test]
fn the_vectors_verify() {
    let vectors = [
        ("It's a Secret to Everybody", "Hello, World!", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
        (SECRET, r#"{"zen":"plain"}"#, "54dbdb074f55a562320c387cafc421c5024692ad0cc81ffa202a7ffb0460faf0"),
        (
            SECRET,
            "payload=%7B%22zen%22%3A%22plain%22%7D",
            "d56951e3897c51ee62fdef4c754ea5ce352b90594b9707f56c169ab05d84110a",
        ),
    ];
    for (key, body, mac) in vectors {
        assert_eq!(hmac(key, body.as_bytes()), mac);
        let decoder = GithubWebhookDecoder::new(forge(), WebhookSecrets::new(secret(key)).unwrap());
        let signature = ["sha256=", mac].concat();
        // An event that is not read, so that any body will do.
        let headers = headers(&[(SIGNATURE, &signature), ("x-github-event", "star"), ("x-github-delivery", ID)]);
        let delivery = decoder.decode(&WebhookRequest { headers, body: body.to_owned().into() }).unwrap();
        assert_eq!(delivery.body_sha256, hex::sha256(body.as_bytes()));
    }
}

#[test]
fn an_empty_secret_cannot_be_made() {
    assert_eq!(hmac("", b"{}"), "22f8eea909400af98adf3681a9f31923ef6b7fcba4abb553d92823a3e9d5c25e");
    for length in [0, 1, 15, 1_025] {
        let text = "s".repeat(length);
        assert_eq!(WebhookSecrets::new(secret(&text)).unwrap_err().kind(), ErrorKind::Invalid, "{length}");
        let current = WebhookSecrets::new(secret(SECRET)).unwrap();
        assert_eq!(current.with_previous(secret(&text)).unwrap_err().kind(), ErrorKind::Invalid, "{length}");
    }
    for length in [16, 1_024] {
        assert!(WebhookSecrets::new(secret(&"s".repeat(length))).is_ok(), "{length}");
    }
    unauthenticated(&signed_with("", "ping", b"{}"));
}

#[test]
fn step_1_one_signature_of_the_one_form() {
    let mac = hmac(SECRET, br#"{"zen":"plain"}"#);
    for value in [
        None,
        Some(""),
        Some("sha256="),
        Some(mac.as_str()),
        Some(&format!("sha256={}", mac.to_uppercase())),
        Some(&format!("SHA256={mac}")),
        Some(&format!("sha1={mac}")),
        Some(&format!(" sha256={mac}")),
        Some(&format!("sha256={mac} ")),
        Some(&format!("sha256={mac}00")),
        Some(&format!("sha256={}", &mac[..62])),
        Some(&format!("sha256={}", &mac[..63])),
        Some(&format!("sha256={mac},sha256={mac}")),
        Some("sha256=é"),
    ] {
        unauthenticated(&with_header(ping(), SIGNATURE, value));
    }
    let mut not_utf8 = with_header(ping(), SIGNATURE, None);
    not_utf8.headers.push((SIGNATURE.to_owned(), vec![0xff; 71]));
    unauthenticated(&not_utf8);

    for name in [SIGNATURE, "X-Hub-Signature-256"] {
        let mut two = ping();
        two.headers.push((name.to_owned(), format!("sha256={mac}").into_bytes()));
        unauthenticated(&two);
    }
    // The SHA-1 header alone proves nothing; a wrong one beside a good signature does not matter.
    unauthenticated(&with_header(ping(), SIGNATURE, None));
    assert!(decode(&with_header(ping(), "x-hub-signature", Some("sha1=00"))).is_ok());
    assert!(decode(&with_header(ping(), "x-hub-signature", None)).is_ok());
}

#[test]
fn step_2_current_before_previous_and_no_other() {
    let body = br#"{"zen":"plain"}"#;
    let slot = |decoder: &GithubWebhookDecoder, key| decoder.decode(&signed_with(key, "ping", body)).map(|d| d.secret);
    assert_eq!(slot(&decoder(), SECRET).unwrap(), SecretSlot::Current);
    assert_eq!(slot(&decoder(), PREVIOUS).unwrap(), SecretSlot::Previous);
    assert!(slot(&decoder(), "zopnight-test-secret-000000000002").is_err());

    let swapped = WebhookSecrets::new(secret(PREVIOUS)).unwrap().with_previous(secret(SECRET)).unwrap();
    let swapped = GithubWebhookDecoder::new(forge(), swapped);
    assert_eq!(slot(&swapped, SECRET).unwrap(), SecretSlot::Previous);
    assert_eq!(slot(&swapped, PREVIOUS).unwrap(), SecretSlot::Current);

    let same = WebhookSecrets::new(secret(SECRET)).unwrap().with_previous(secret(SECRET)).unwrap();
    assert_eq!(slot(&GithubWebhookDecoder::new(forge(), same), SECRET).unwrap(), SecretSlot::Current);
    let alone = GithubWebhookDecoder::new(forge(), WebhookSecrets::new(secret(SECRET)).unwrap());
    assert!(slot(&alone, PREVIOUS).is_err());
    assert!(!format!("{:?}", decoder()).contains("zopnight-test-secret"));
}

#[test]
fn the_bytes_as_received_are_verified() {
    let odd = "{ \"zen\" : \"pl\\u0061in\\/\",\r\n\t\"b\": 1.0e2, \"a\": [ ] }\n";
    assert_eq!(decode(&signed("ping", odd.as_bytes())).unwrap().event, RepoEvent::Ping);
    let again: serde_json::Value = serde_json::from_str(odd).unwrap();
    let signature = ["sha256=", &hmac(SECRET, again.to_string().as_bytes())].concat();
    unauthenticated(&with_header(signed("ping", odd.as_bytes()), SIGNATURE, Some(&signature)));
}

#[test]
fn a_bad_signature_answers_before_anything_else() {
    let mut request = with_header(signed("ping", b"not json"), SIGNATURE, Some("sha256=00"));
    for name in ["x-github-event", "x-github-delivery"] {
        request = with_header(request, name, None);
    }
    unauthenticated(&with_header(request, "content-type", Some("text/html")));
}

#[test]
fn step_3_one_event_name() {
    let long = "a".repeat(65);
    for value in [None, Some(""), Some("Push"), Some("push "), Some("pu-sh"), Some("pusé"), Some(long.as_str())] {
        invalid(&with_header(ping(), "x-github-event", value));
    }
    let mut two = ping();
    two.headers.push(("x-github-event".to_owned(), b"ping".to_vec()));
    invalid(&two);
    assert!(decode(&with_header(ping(), "x-github-event", Some(&"a".repeat(64)))).is_ok());
}

#[test]
fn step_4_one_delivery_id() {
    let long = "a".repeat(256);
    let head_form = format!("zopnight-head 7 {}", crate::kit::sha(1));
    for value in [None, Some(""), Some("  "), Some("a b"), Some("é"), Some("a\u{7f}"), Some(&long), Some(&head_form)] {
        invalid(&with_header(ping(), "x-github-delivery", value));
    }
    let id = |value: &str| decode(&with_header(ping(), "x-github-delivery", Some(value))).unwrap().id.to_string();
    assert_eq!(id(" ABC-1 "), "abc-1");
    assert_eq!(id(&"A".repeat(255)), "a".repeat(255));
    assert_eq!(id("!~"), "!~");
}

#[test]
fn step_5_content_type_and_coding() {
    for kind in [None, Some("application/json"), Some("Application/JSON; charset=utf-8"), Some(" application/json ")] {
        assert!(decode(&with_header(ping(), "content-type", kind)).is_ok(), "{kind:?}");
    }
    for kind in ["", "text/plain", "application/jsonp", "application/json, text/html", "multipart/form-data", "json"] {
        invalid(&with_header(ping(), "content-type", Some(kind)));
        // Also for events that are not read.
        let star = with_header(signed("star", b"{}"), "content-type", Some(kind));
        invalid(&star);
    }
    let mut two = ping();
    two.headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    invalid(&two);
    for (coding, fits) in [("identity", true), ("Identity", true), ("gzip", false), ("", false), ("identity, gzip", false)] {
        assert_eq!(decode(&with_header(ping(), "content-encoding", Some(coding))).is_ok(), fits, "{coding}");
    }
}

fn form(event: &str, body: &str) -> WebhookRequest {
    with_header(signed(event, body.as_bytes()), "content-type", Some("application/x-www-form-urlencoded"))
}

#[test]
fn step_6_the_form_has_one_payload() {
    assert_eq!(decode(&form("ping", "payload=%7B%22zen%22%3A%22plain%22%7D")).unwrap().event, RepoEvent::Ping);
    assert_eq!(decode(&form("ping", "payload=%7b+%22zen%22:%22a%2Bb%22+%7d")).unwrap().event, RepoEvent::Ping);
    for body in [
        "",
        "{}",
        "payload",
        "Payload=%7B%7D",
        "payload=%7B%7D&payload=%7B%7D",
        "payload=%7B%7D&x=1",
        "x=1&payload=%7B%7D",
        "payload=%7B%7",
        "payload=%7B%7G",
        "payload=%7B%22a%22:%22%FF%22%7D",
        "payload=",
    ] {
        invalid(&form("ping", body));
    }
}

#[test]
fn a_form_and_json_decode_to_the_same_event() {
    let text = push().to_string();
    let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
    let as_form = decode(&form("push", &format!("payload={encoded}"))).unwrap();
    let as_json = decode(&signed("push", text.as_bytes())).unwrap();
    assert_eq!(as_form.event, as_json.event);
    assert_ne!(as_form.body_sha256, as_json.body_sha256);
}

#[test]
fn step_7_one_plain_json_object() {
    let text = push().to_string();
    for bad in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"push\"".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}{text}"),
        format!("{text} x"),
        format!("\u{feff}{text}"),
        text.replacen("\"ref\"", "\"after\":\"x\",\"ref\"", 1),
        text.replacen("\"private\"", "\"private\":true,\"private\"", 1),
        text.replacen("\"added\"", "\"added\":[],\"added\"", 1),
        text.replacen("\"distinct\"", "\"id\":\"x\",\"distinct\"", 1),
    ] {
        refused_text("push", &bad);
    }
    // A duplicate of what is not read is nobody's business.
    let doubled = text.replacen("\"compare\"", "\"compare\":1,\"compare\"", 1);
    assert!(decode(&signed("push", doubled.as_bytes())).is_ok());
    assert!(decode(&signed("push", format!(" \n{text}\r\n ").as_bytes())).is_ok());
    let mut not_utf8 = br#"{"zen":""#.to_vec();
    not_utf8.extend([0xff, b'"', b'}']);
    invalid(&signed("ping", &not_utf8));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    invalid(&signed("push", &utf16));
}

#[test]
fn step_7_depth_is_bounded() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(decode(&signed("ping", nested(64).as_bytes())).is_ok());
    refused_text("ping", &nested(65));
    refused_text("ping", &nested(100_000));
}

#[test]
fn events_that_are_not_used_are_decided_without_the_body() {
    for name in ["star", "create", "delete", "workflow_run", "check_run", "deployment_status", "a_new_event_of_next_year"] {
        for body in ["not json at all", "{\"action\":\"created\"}", ""] {
            let delivery = decode(&signed(name, body.as_bytes())).unwrap();
            let expected =
                RepoEvent::Ignored { event: name.to_owned(), action: String::new(), reason: IgnoreReason::UnknownEvent };
            assert_eq!(delivery.event, expected);
        }
    }
}

#[test]
fn a_ping_needs_an_object_only() {
    assert_eq!(event("ping", &json!({})), RepoEvent::Ping);
    refused_text("ping", "[]");
}
