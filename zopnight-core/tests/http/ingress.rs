//! The routes that authenticate themselves.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zopnight_core::Error;
use zopnight_core::callback::testing as tokens;
use zopnight_core::domain::{BuildRequest, Delivery, DeliveryId, Digest, RepoEvent};
use zopnight_core::http::{HttpConfig, ingress_routes, router};
use zopnight_core::pipeline::Pipeline;
use zopnight_core::ports::{Clock, WebhookRequest};
use zopnight_core::testing::fakes::{FakeForge, FakeTenants, When};
use zopnight_core::testing::sim::{Builder, CrashStore, Fault};

use crate::client::{Answer, Request};
use crate::host::{Host, UNKNOWN, serve};

fn webhook(request: &WebhookRequest) -> Request {
    let mut sent = Request::new("POST", "/webhooks/github").body(&request.body);
    sent.headers.clone_from(&request.headers);
    sent
}

fn without(mut request: Request, name: &str) -> Request {
    request.headers.retain(|(n, _)| n != name);
    request
}

impl Host {
    /// A push to `main`, not delivered yet.
    fn pushed(&self, text: &str) -> Delivery {
        self.world.forge.push(&self.world.repo, "main", &[("Dockerfile", "FROM scratch\n"), ("text", text)])
    }

    /// Delivers as the forge would, to hosts that authenticate nobody here.
    async fn deliver(&self, delivery: &Delivery) -> Answer {
        self.anonymous(webhook(&self.world.decoder.request(delivery))).await
    }
}

fn outcome(answer: &Answer) -> (u16, String, u64) {
    let data = answer.data();
    (answer.status, data["outcome"].as_str().unwrap().to_owned(), data["revisions"].as_u64().unwrap())
}

#[tokio::test]
async fn unsigned_webhooks_are_one_401() {
    let host = Host::start().await;
    let good = webhook(&host.world.decoder.request(&host.pushed("a")));
    let bare = without(good.clone(), "x-hub-signature-256");
    let calls = host.store.calls();
    let cases = [
        bare.clone(),
        bare.clone().header("x-hub-signature-256", "sha256=00"),
        bare.clone().header("x-hub-signature-256", &format!("sha256={}", "0".repeat(64))),
        bare.clone().header("x-hub-signature", &format!("sha1={}", "0".repeat(40))),
        good.clone().header("x-hub-signature-256", &format!("sha256={}", "0".repeat(64))),
        Request { body: [good.body.clone(), b" ".to_vec()].concat(), ..good.clone() },
        // Far too large, but the header is looked at first.
        bare.clone().header("content-length", "999999999"),
    ];
    let mut seen = Vec::new();
    for request in cases {
        let answer = host.anonymous(request.header("x-request-id", "rid-1")).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()));
        seen.push(answer.timeless());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
    assert_eq!(host.store.calls(), calls);
    assert_eq!(host.anonymous(good).await.status, 202);
}

#[tokio::test]
async fn signed_webhooks_that_cannot_be_read_are_400() {
    let host = Host::start().await;
    let junk = webhook(&host.world.decoder.sign("d-1", b"not json".to_vec()));
    let missing = webhook(&host.world.decoder.sign("d-1", b"{}".to_vec()));
    let good = webhook(&host.world.decoder.request(&host.pushed("a")));
    let nameless = without(good.clone(), "x-github-delivery");
    let long = nameless.clone().header("x-github-delivery", &"d".repeat(256));
    for request in [junk, missing, nameless, long] {
        assert_eq!(host.anonymous(request).await.refusal(), (400, "invalid_request".to_owned()));
    }
    assert_eq!(host.memory.writes(), 0);
}

#[tokio::test]
async fn a_push_is_accepted_once() {
    let host = Host::start().await;
    let id = host.live().await;
    let delivery = host.pushed("a");
    let first = host.deliver(&delivery).await;
    assert_eq!(outcome(&first), (202, "accepted".to_owned(), 1));
    assert_eq!(
        first.body,
        format!(r#"{{"data":{{"deliveryID":"{}","outcome":"accepted","reason":null,"revisions":1}}}}"#, delivery.id)
    );
    let writes = host.memory.writes();
    assert_eq!(outcome(&host.deliver(&delivery).await), (202, "duplicate".to_owned(), 1));
    assert_eq!(host.memory.writes(), writes);

    let replayed = Delivery { id: DeliveryId::parse("another-id").unwrap(), ..delivery.clone() };
    assert_eq!(outcome(&host.deliver(&replayed).await).1, "duplicate");
    let other = Delivery { id: delivery.id.clone(), ..host.pushed("b") };
    assert_eq!(host.deliver(&other).await.refusal(), (409, "delivery_conflict".to_owned()));
    assert_eq!(host.states(&id).await, ["succeeded", "queued"]);
}

#[tokio::test]
async fn pings_and_what_is_not_ours() {
    let host = Host::start().await;
    let ping = host.deliver(&host.world.forge.event(RepoEvent::Ping)).await;
    assert_eq!(outcome(&ping), (200, "pong".to_owned(), 0));
    let unfollowed = host.deliver(&host.pushed("a")).await;
    assert_eq!(outcome(&unfollowed), (202, "ignored".to_owned(), 0));
    assert_eq!(unfollowed.data()["reason"], "not_followed");
    let gone = host.deliver(&host.world.forge.branch_deleted_event(&host.world.repo, "main")).await;
    assert_eq!(outcome(&gone).1, "ignored");
    let other = webhook(&host.world.decoder.sign("d-9", br#"{"event": "other"}"#.to_vec()));
    assert_eq!(outcome(&host.anonymous(other).await).1, "ignored");
}

#[tokio::test]
async fn a_store_that_is_down_makes_503_and_writes_nothing() {
    let host = Host::start().await;
    host.live().await;
    let failing = CrashStore::at(Arc::clone(&host.world.store), 0, Fault::Error);
    let pipeline = host.world.pipeline_on(failing);
    let (address, server) = serve(ingress_routes(pipeline, HttpConfig::default())).await;
    let writes = host.memory.writes();
    let request = webhook(&host.world.decoder.request(&host.pushed("a")));
    let answer = request.send(address).await;
    assert_eq!(answer.refusal(), (503, "unavailable".to_owned()));
    assert_eq!((answer.header("retry-after"), host.memory.writes()), (Some("5"), writes));
    server.abort();
}

#[tokio::test]
async fn webhooks_without_room_for_their_body_are_503() {
    let limits = HttpConfig::builder().webhook_body_limit(65_536).webhook_buffer_total(65_536);
    let host = Host::with(limits.build().unwrap()).await;
    let slow = Request::new("POST", "/webhooks/github").header("x-hub-signature-256", &format!("sha256={}", "0".repeat(64)));
    let slow = slow.header("content-length", "65536").header("expect", "100-continue");
    let mut held = TcpStream::connect(host.address).await.unwrap();
    held.write_all(&slow.bytes()).await.unwrap();
    // The server asks for the body once it has room for it.
    let mut asked = [0; 12];
    held.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    let answer = host.deliver(&host.pushed("a")).await;
    assert_eq!(answer.refusal(), (503, "unavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

/// A build that was dispatched, its image pushed.
async fn underway(host: &Host) -> BuildRequest {
    host.create("checkout").await;
    host.work().await;
    let build = host.world.dispatcher.last_request().unwrap();
    host.world.resolver.push_build(&build.image);
    build
}

async fn call(host: &Host, build: &BuildRequest, body: &[u8]) -> Answer {
    let request = Request::new("POST", &format!("/build-callbacks/{}", build.revision));
    let request = request.header("content-type", "application/json").header("x-request-id", "rid-1");
    host.anonymous(request.body(body)).await
}

#[tokio::test]
async fn every_token_that_is_refused_gets_the_same_401() {
    let host = Host::start().await;
    let build = underway(&host).await;
    let (keys, token) = (host.world.keys(), build.callback_token.expose().clone());
    let claims = tokens::verify(&keys, &token, build.revision, host.world.clock.now().as_secs()).unwrap().claims;
    let mut expired = claims.clone();
    (expired.issued_at, expired.expires_at) = (claims.issued_at - 7_200, claims.issued_at - 3_600);
    let mut elsewhere = claims.clone();
    elsewhere.revision = zopnight_core::domain::RevisionId::parse(UNKNOWN).unwrap();
    let mint = |claims| tokens::mint(&keys, claims).unwrap().expose().clone();
    let (head, tail) = token.split_at(token.len() - 5);
    let altered = format!("{head}{}", tail.chars().rev().collect::<String>());
    let mut seen = Vec::new();
    for jwt in [altered, mint(&expired), mint(&elsewhere), "a.b.c".to_owned(), String::new(), "x".repeat(5_000)] {
        let answer = call(&host, &build, format!(r#"{{"jwt":"{jwt}","status":"cancelled"}}"#).as_bytes()).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()), "{jwt}");
        seen.push(answer.timeless());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
    let body = r#"{"error":{"code":"unauthenticated","message":"callback token refused","requestID":"ID"}}"#;
    assert_eq!(seen[0].2, body);
}

#[tokio::test]
async fn callbacks_are_answered_by_the_table() {
    let host = Host::start().await;
    let build = underway(&host).await;
    let good = Builder::body(&build, "succeeded", Some(build.image.as_str()));
    let path = format!("/build-callbacks/{}", build.revision);
    let typed = |request: Request| request.header("content-type", "application/json").body(&good);

    let plain = host.anonymous(Request::new("POST", &path).body(&good)).await;
    assert_eq!(plain.refusal(), (415, "content_type".to_owned()));
    let packed = host.anonymous(typed(Request::new("POST", &path)).header("content-encoding", "gzip")).await;
    assert_eq!(packed.refusal(), (415, "content_type".to_owned()));
    for id in ["x", &UNKNOWN.to_uppercase()] {
        let answer = host.anonymous(typed(Request::new("POST", &format!("/build-callbacks/{id}")))).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()));
    }
    let rows: [(Vec<u8>, u16, &str); 6] = [
        (vec![b' '; 65_537], 413, "body_too_large"),
        (b"{".to_vec(), 400, "body_malformed"),
        (Builder::body(&build, "Succeeded", Some(build.image.as_str())), 400, "status_unknown"),
        (Builder::body(&build, "succeeded", None), 400, "image_missing"),
        (Builder::body(&build, "succeeded", Some("registry.example.test/other/app:1")), 403, "image_repository"),
        (Builder::body(&build, "succeeded", Some("registry.example.test/acme/checkout:gone")), 409, "image_not_found"),
    ];
    for (body, status, code) in rows {
        assert_eq!(call(&host, &build, &body).await.refusal(), (status, code.to_owned()));
    }
    host.world.resolver.faults().fail("resolve", When::Next(1), || Error::unavailable("fake", "registry down"));
    let down = call(&host, &build, &good).await;
    assert_eq!(down.refusal(), (503, "registry_unavailable".to_owned()));
    assert_eq!(down.header("retry-after"), Some("5"));

    let done = call(&host, &build, &good).await;
    assert_eq!((done.status, done.data()["state"].clone()), (200, "built".into()));
    assert_eq!(done.data().get("replayed"), None);
    let digest = Digest::of(build.image.as_str().as_bytes());
    assert_eq!(done.data()["imageRef"], format!("registry.example.test/acme/checkout@{digest}"));
    assert_eq!(call(&host, &build, &good).await.data()["replayed"], true);
    let other = Builder::body(&build, "failed", None);
    assert_eq!(call(&host, &build, &other).await.refusal(), (409, "replay_conflict".to_owned()));
}

#[tokio::test]
async fn a_callback_too_many_is_busy() {
    let host = Host::with(HttpConfig::builder().max_callbacks(1).build().unwrap()).await;
    let build = underway(&host).await;
    let good = Builder::body(&build, "succeeded", Some(build.image.as_str()));
    let gate = host.world.resolver.faults().stall("resolve", When::Next(1));
    let second = async {
        gate.reached().await;
        let answer = call(&host, &build, &good).await;
        gate.release();
        answer
    };
    let (first, second) = tokio::join!(call(&host, &build, &good), second);
    assert_eq!(first.status, 200);
    assert_eq!(second.refusal(), (503, "busy".to_owned()));
    assert_eq!(second.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn routes_without_a_secret_are_unknown_paths() {
    let host = Host::start().await;
    let (tenants, source) = (Arc::<FakeTenants>::clone(&host.world.tenants), Arc::<FakeForge>::clone(&host.world.forge));
    let bare = Pipeline::builder(Arc::clone(&host.world.store), tenants, source).build().unwrap();
    let (address, server) = serve(router(bare, HttpConfig::default())).await;
    let post = |path: &str| Request::new("POST", path).json("{}").header("x-request-id", "rid-1");
    let unknown = post("/no-such-path").send(address).await;
    assert_eq!(unknown.refusal(), (404, "not_found".to_owned()));
    for path in [format!("/build-callbacks/{UNKNOWN}"), "/webhooks/github".to_owned()] {
        assert_eq!(post(&path).send(address).await.timeless(), unknown.timeless(), "{path}");
        assert_eq!(Request::new("GET", &path).send(address).await.status, 404, "{path}");
    }
    server.abort();
}

#[tokio::test]
async fn ingress_stays_open_while_the_host_refuses_everybody() {
    let host = Host::start().await;
    let deny = axum::middleware::from_fn(async |_: axum::extract::Request, _: axum::middleware::Next| {
        axum::http::StatusCode::FORBIDDEN
    });
    let config = HttpConfig::default();
    let tenant = zopnight_core::http::tenant_routes(host.pipeline.clone(), config.clone()).layer(deny);
    let (address, server) = serve(tenant.merge(ingress_routes(host.pipeline.clone(), config))).await;
    assert_eq!(Request::new("GET", "/deployments").send(address).await.status, 403);
    let ping = host.world.decoder.request(&host.world.forge.event(RepoEvent::Ping));
    assert_eq!(webhook(&ping).send(address).await.status, 200);
    let callback = Request::new("POST", &format!("/build-callbacks/{UNKNOWN}")).json("{}").send(address).await;
    assert_eq!(callback.refusal(), (400, "body_malformed".to_owned()));
    server.abort();
}
