//! The forge's side: payloads as GitHub writes them, and their signatures.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use zopnight_core::domain::{Delivery, ForgeId, RepoEvent, Secret, hex};
use zopnight_core::ports::{WebhookDecoder as _, WebhookRequest};
use zopnight_core::{Error, ErrorKind, Result};
use zopnight_github::{GithubWebhookDecoder, WebhookSecrets};

pub(crate) const SECRET: &str = "zopnight-test-secret-000000000001";
pub(crate) const PREVIOUS: &str = "zopnight-test-secret-000000000000";
pub(crate) const ID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

pub(crate) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(crate) fn forge() -> ForgeId {
    ForgeId::parse("github.com").unwrap()
}

pub(crate) fn decoder() -> GithubWebhookDecoder {
    let secrets = WebhookSecrets::new(secret(SECRET)).unwrap().with_previous(secret(PREVIOUS)).unwrap();
    GithubWebhookDecoder::new(forge(), secrets)
}

pub(crate) fn hmac(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    hex::encode(&mac.finalize().into_bytes())
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

/// A delivery of `body` as GitHub sends it, signed with `secret`.
pub(crate) fn signed_with(secret: &str, event: &str, body: &[u8]) -> WebhookRequest {
    let signature = ["sha256=", &hmac(secret, body)].concat();
    let headers = headers(&[
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
        ("x-github-delivery", ID),
        ("x-github-event", event),
        ("x-github-hook-id", "292430182"),
        ("x-hub-signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"),
        ("x-hub-signature-256", &signature),
    ]);
    WebhookRequest { headers, body: body.to_vec().into() }
}

pub(crate) fn signed(event: &str, body: &[u8]) -> WebhookRequest {
    signed_with(SECRET, event, body)
}

/// The same with this header instead of what was there; `None` removes it.
pub(crate) fn with_header(mut request: WebhookRequest, name: &str, value: Option<&str>) -> WebhookRequest {
    request.headers.retain(|(n, _)| n != name);
    request.headers.extend(value.map(|v| (name.to_owned(), v.as_bytes().to_vec())));
    request
}

pub(crate) fn decode(request: &WebhookRequest) -> Result<Delivery> {
    decoder().decode(request)
}

/// The event of a signed body.
#[track_caller]
pub(crate) fn event(name: &str, body: &Value) -> RepoEvent {
    decode(&signed(name, body.to_string().as_bytes())).unwrap().event
}

/// The error of a signed body: 400.
#[track_caller]
pub(crate) fn refused(name: &str, body: &Value) -> Error {
    refused_text(name, &body.to_string())
}

#[track_caller]
pub(crate) fn refused_text(name: &str, body: &str) -> Error {
    match decode(&signed(name, body.as_bytes())) {
        Err(error) if error.kind() == ErrorKind::Invalid => error,
        other => panic!("an invalid body must be refused: {body}: {other:?}"),
    }
}

pub(crate) fn sha(n: u8) -> String {
    format!("{n:02x}").repeat(20)
}

pub(crate) const ZEROS: &str = "0000000000000000000000000000000000000000";

pub(crate) fn repository() -> Value {
    json!({
        "id": 186_853_002_u64,
        "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=",
        "name": "Hello-World",
        "full_name": "Codertocat/Hello-World",
        "private": false,
        "owner": { "name": "Codertocat", "email": null, "login": "Codertocat", "id": 21_031_067 },
        "fork": false,
        "created_at": 1_557_933_565,
        "pushed_at": "2019-05-15T15:20:30Z",
        "default_branch": "master",
        "archived": false,
        "topics": [],
    })
}

fn commit(id: &str, message: &str) -> Value {
    json!({
        "id": id, "tree_id": sha(0xee), "distinct": true, "message": message,
        "timestamp": "2019-05-15T15:20:41Z",
        "author": { "name": "Monalisa", "email": null, "username": "monalisa" },
        "added": ["new.txt"], "removed": ["old.txt"], "modified": ["README.md", "src/main.rs"],
    })
}

/// A push of one commit to `master`.
pub(crate) fn push() -> Value {
    json!({
        "ref": "refs/heads/master",
        "before": sha(1),
        "after": sha(2),
        "repository": repository(),
        "pusher": { "name": "Codertocat", "email": null },
        "sender": { "login": "Codertocat", "id": 21_031_067 },
        "installation": { "id": 5, "node_id": "x" },
        "created": false,
        "deleted": false,
        "forced": false,
        "base_ref": null,
        "compare": "https://github.com/Codertocat/Hello-World/compare/a...b",
        "commits": [commit(&sha(2), "Change it\n\nand say why")],
        "head_commit": commit(&sha(2), "Change it\n\nand say why"),
    })
}

/// `base` with the value at `pointer` replaced.
pub(crate) fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    *base.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there")) = value;
    base
}

/// `base` without the value at `pointer`.
pub(crate) fn without(mut base: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let removed = base.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|o| o.remove(key));
    assert!(removed.is_some(), "{pointer} is there");
    base
}
