//! Whatever comes in: decoding never panics, and accepts only what was signed.

use proptest::prelude::*;
use zopnight_core::ErrorKind;
use zopnight_core::ports::{Random as _, WebhookDecoder as _, WebhookRequest};
use zopnight_core::testing::fakes::SeededRandom;

use crate::kit::{decode, decoder, headers, hmac, push, sha, signed, with, with_header};

const EVENTS: [&str; 7] =
    ["ping", "push", "pull_request", "installation", "installation_repositories", "repository", "star"];

/// 100,000 requests that differ from a good one in body or signature by one change each.
#[test]
fn mutated_signed_requests_are_never_accepted() {
    let decoder = decoder();
    let text = r#"{"ref":"refs/heads/a","after":"x","zen":"plain"}"#;
    let good = signed("ping", text.as_bytes());
    assert!(decoder.decode(&good).is_ok());
    let random = SeededRandom::new(1);
    let below = |n: usize| usize::try_from(random.next_u64() % u64::try_from(n).unwrap()).unwrap();
    let at = good.headers.iter().position(|(name, _)| name == "x-hub-signature-256").unwrap();
    for round in 0..100_000 {
        let mut request = good.clone();
        let mut bytes = if round % 4 == 0 { request.headers[at].1.clone() } else { request.body.to_vec() };
        let before = bytes.clone();
        let place = below(bytes.len());
        let mut byte = [0];
        random.fill(&mut byte);
        match below(4) {
            0 => bytes[place] ^= byte[0].max(1),
            1 => bytes.insert(place, byte[0]),
            2 => drop(bytes.remove(place)),
            _ => bytes.truncate(place),
        }
        if bytes == before {
            continue;
        }
        if round % 4 == 0 {
            request.headers[at].1 = bytes;
        } else {
            request.body = bytes.into();
        }
        match decoder.decode(&request) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unauthenticated),
            Ok(delivery) => panic!("round {round} was accepted: {delivery:?}"),
        }
    }
}

fn json_like() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "ref",
        "before",
        "after",
        "created",
        "deleted",
        "forced",
        "repository",
        "id",
        "name",
        "owner",
        "login",
        "commits",
        "added",
        "action",
        "pull_request",
        "head",
        "repo",
        "refs/heads/main",
        "opened",
        "renamed",
        "null",
    ]);
    let leaf = prop_oneof![
        word.prop_map(|w| format!("{w:?}")),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        Just("null".to_owned()),
        ".{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..6).prop_map(|fields| {
                let fields: Vec<_> = fields.into_iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn is_form() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("application/json"), Some("application/x-www-form-urlencoded"), Some("text/plain")])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn signed_bytes_of_any_kind_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        event in prop::sample::select(EVENTS.to_vec()),
        kind in is_form(),
    ) {
        let request = with_header(signed(event, &body), "content-type", kind);
        if let Err(error) = decode(&request) {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn signed_json_of_any_shape_never_panics(
        body in json_like(),
        event in prop::sample::select(EVENTS.to_vec()),
    ) {
        if let Err(error) = decode(&signed(event, body.as_bytes())) {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_push_with_any_one_field_replaced_never_panics(
        field in prop::sample::select(vec![
            "/ref", "/before", "/after", "/created", "/repository", "/repository/id", "/repository/owner",
            "/head_commit", "/head_commit/message", "/commits", "/commits/0", "/commits/0/added", "/installation",
        ]),
        value in json_like(),
    ) {
        let value = serde_json::from_str(&value).unwrap();
        if let Err(error) = decode(&signed("push", with(push(), field, value).to_string().as_bytes())) {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn any_headers_never_panic(
        pairs in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "x-hub-signature-256", "x-github-event", "x-github-delivery", "content-type", "content-encoding",
                ]),
                prop::collection::vec(any::<u8>(), 0..80),
            ),
            0..8,
        ),
    ) {
        let headers = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let accepted = decode(&WebhookRequest { headers, body: "{}".into() }).is_ok();
        prop_assert!(!accepted);
    }

    #[test]
    fn a_form_and_json_of_one_message_decode_alike(message in "\\PC{0,60}", plus in any::<bool>()) {
        let body = with(push(), "/head_commit/message", serde_json::json!(message)).to_string();
        let escaped: String = body
            .bytes()
            .map(|b| match b {
                b' ' if plus => "+".to_owned(),
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                b => format!("%{b:02x}"),
            })
            .collect();
        let form = signed("push", format!("payload={escaped}").as_bytes());
        let form = with_header(form, "content-type", Some("application/x-www-form-urlencoded"));
        let (form, json) = (decode(&form).unwrap(), decode(&signed("push", body.as_bytes())).unwrap());
        prop_assert_eq!(form.event, json.event);
    }

    #[test]
    fn only_the_signed_body_is_accepted(
        signed_body in "\\{\"zen\":\"[a-z]{0,20}\"\\}",
        sent in "\\{\"zen\":\"[a-z]{0,20}\"\\}",
    ) {
        let signature = ["sha256=", &hmac(crate::kit::SECRET, signed_body.as_bytes())].concat();
        let headers = headers(&[
            ("x-hub-signature-256", &signature),
            ("x-github-event", "ping"),
            ("x-github-delivery", &sha(1)),
        ]);
        let accepted = decode(&WebhookRequest { headers, body: sent.clone().into() }).is_ok();
        prop_assert_eq!(accepted, signed_body == sent);
    }
}
