//! Verifying a callback token, against the least that could be done with the same bytes: one HMAC-SHA256 and one typed parse.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use zopnight_core::callback::testing::{mint, verify};
use zopnight_core::callback::{CallbackClaims, CallbackKey, CallbackKeys};
use zopnight_core::domain::{HttpsUrl, RevisionId, Secret};

const SECRET: &[u8] = b"zopnight-test-callback-key-00032";
const CLAIMS: &str = r#"{"iss":"https://deploy.example.test","aud":"https://deploy.example.test/build-callbacks","sub":"0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11","jti":"0192f0c5-0000-7000-8000-000000000001","iat":1767225600,"nbf":1767225600,"exp":1767228900,"org":"org_acme","dep":"0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c10","img":"registry.example.test/acme/checkout","sha":"9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d","att":1}"#;
const NOW: i64 = 1_767_225_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for what it costs")]
struct Plain {
    iss: String,
    aud: String,
    sub: String,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    org: String,
    dep: String,
    img: String,
    sha: String,
    att: u32,
}

fn keys(secret: &[u8]) -> zopnight_core::Result<CallbackKeys> {
    CallbackKeys::builder(CallbackKey::new("bench", Secret::new(secret.to_vec()))?)
        .public_url(HttpsUrl::parse("https://deploy.example.test")?)
        .build()
}

fn claims() -> zopnight_core::Result<CallbackClaims> {
    Ok(CallbackClaims {
        org: "org_acme".parse()?,
        deployment: "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c10".parse()?,
        revision: revision()?,
        attempt: "0192f0c5-0000-7000-8000-000000000001".parse()?,
        number: 1,
        image_repository: "registry.example.test/acme/checkout".parse()?,
        commit: "9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d".parse()?,
        issued_at: NOW,
        expires_at: NOW + 3_300,
    })
}

fn revision() -> zopnight_core::Result<RevisionId> {
    "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11".parse()
}

fn floor(message: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET) else { return false };
    mac.update(message);
    black_box(mac.finalize());
    serde_json::from_str::<Plain>(black_box(CLAIMS)).is_ok()
}

/// The fastest of many rounds: what the code costs when nothing disturbs it.
fn fastest(mut work: impl FnMut()) -> Duration {
    const CALLS: u32 = 200;
    let rounds = (0..100).map(|_| {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| work());
        begin.elapsed() / CALLS
    });
    rounds.min().unwrap_or_default()
}

fn main() -> zopnight_core::Result<()> {
    let (ours, theirs) = (keys(SECRET)?, keys(b"another key of thirty-two bytes.")?);
    let revision = revision()?;
    let token = mint(&ours, &claims()?)?;
    let token = token.expose().as_str();
    let message = token.rsplit_once('.').map_or("", |(message, _)| message).as_bytes();
    let malformed = token.replacen('.', "=.", 1);
    assert!(verify(&ours, token, revision, NOW).is_ok() && floor(message), "both accept the good token");

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("callback_verify");
    group.bench_function("floor", |b| b.iter(|| floor(black_box(message))));
    group.bench_function("good", |b| b.iter(|| verify(&ours, black_box(token), revision, NOW)));
    group.bench_function("wrong_key", |b| b.iter(|| verify(&theirs, black_box(token), revision, NOW)));
    group.bench_function("malformed", |b| b.iter(|| verify(&ours, black_box(&malformed), revision, NOW)));
    group.finish();
    criterion.final_summary();

    let floor = fastest(|| _ = black_box(floor(black_box(message))));
    let good = fastest(|| drop(black_box(verify(&ours, black_box(token), revision, NOW))));
    let wrong = fastest(|| drop(black_box(verify(&theirs, black_box(token), revision, NOW))));
    let malformed = fastest(|| drop(black_box(verify(&ours, black_box(&malformed), revision, NOW))));
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!("callback_verify: good / (hmac + parse) = {:.2} (target <= 4)", ratio(good, floor));
    println!("callback_verify: wrong key / good = {:.2} (target <= 1.1)", ratio(wrong, good));
    println!("callback_verify: malformed / good = {:.2} (target <= 0.2)", ratio(malformed, good));
    Ok(())
}
