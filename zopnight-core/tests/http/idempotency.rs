//! The table of `Idempotency-Key`, row by row.

use std::time::Duration;

use zopnight_core::testing::fakes::When;
use zopnight_core::{Error, domain::JobKind};

use crate::client::{Answer, Request};
use crate::host::{Host, spec};

async fn create(host: &Host, key: &str, body: &str) -> Answer {
    host.send(Request::new("POST", "/deployments").json(body).header("idempotency-key", key)).await
}

#[tokio::test]
async fn the_same_request_is_answered_again_as_it_is_now() {
    let host = Host::start().await;
    let first = create(&host, "k-1", &spec("checkout")).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    host.settle().await;
    let (writes, jobs) = (host.memory.writes(), host.memory.jobs().len());
    // Other spelling, same meaning.
    let respelled: serde_json::Value = serde_json::from_str(&spec("checkout")).unwrap();
    let again = create(&host, "k-1", &respelled.to_string()).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.data()["revision"]["id"], first.data()["revision"]["id"]);
    assert_eq!(again.data()["revision"]["state"], "succeeded");
    assert_eq!((host.memory.writes(), host.memory.jobs().len()), (writes, jobs));
}

#[tokio::test]
async fn another_request_with_the_key_is_422() {
    let host = Host::start().await;
    create(&host, "k-1", &spec("checkout")).await;
    let writes = host.memory.writes();
    let other = create(&host, "k-1", &spec("other")).await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(host.memory.writes(), writes);
    assert_eq!(host.get("/deployments").await.json()["meta"]["total"], 1);
}

#[tokio::test]
async fn a_failure_does_not_use_the_key_up() {
    let host = Host::start().await;
    host.world.forge.faults().fail("snapshot", When::Next(1), || Error::unavailable("fake", "down"));
    assert_eq!(create(&host, "k-1", &spec("checkout")).await.status, 503);
    assert_eq!(create(&host, "k-1", "{}").await.status, 400);
    let made = create(&host, "k-1", &spec("checkout")).await;
    assert_eq!((made.status, made.header("idempotency-replayed")), (201, None));
}

#[tokio::test]
async fn an_old_key_is_a_new_one() {
    let host = Host::start().await;
    create(&host, "k-1", &spec("checkout")).await;
    host.world.clock.advance(Duration::from_secs(86_401));
    let again = create(&host, "k-1", &spec("other")).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, None));
}

#[tokio::test]
async fn a_hundred_at_once_have_one_effect() {
    let host = Host::start().await;
    let (mut tasks, address) = (tokio::task::JoinSet::new(), host.address);
    for _ in 0..100 {
        let request = Request::new("POST", "/deployments").json(&spec("checkout"));
        let request = request.header("idempotency-key", "k-1").header("x-test-org", "acme");
        tasks.spawn(async move { request.send(address).await });
    }
    let answers = tasks.join_all().await;
    let fresh = answers.iter().filter(|a| a.header("idempotency-replayed").is_none()).count();
    assert_eq!(fresh, 1);
    let mut locations: Vec<_> = answers.iter().map(|a| (a.status, a.header("location"))).collect();
    locations.sort();
    locations.dedup();
    assert_eq!((locations.len(), locations[0].0), (1, 201));
    let peek = host.memory.peek();
    let builds = peek.jobs.iter().filter(|j| j.kind == JobKind::Build).count();
    assert_eq!((peek.deployments.len(), peek.revisions.len(), builds), (1, 1, 1));
}

#[tokio::test]
async fn keys_belong_to_a_tenant_a_route_and_its_ids() {
    let host = Host::start().await;
    let one = host.live().await;
    let two = host.create("other").await;
    let (writes, keyed) = (host.memory.writes(), |request: Request| request.header("idempotency-key", "k-1"));
    for id in [&one, &two] {
        let answer = host.send(keyed(Request::new("POST", &format!("/deployments/{id}/revisions")))).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, None));
        let again = host.send(keyed(Request::new("POST", &format!("/deployments/{id}/revisions")))).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
        assert_eq!(again.data()["id"], answer.data()["id"]);
    }
    assert_eq!(host.memory.writes() - writes, 2);

    let path = format!("/deployments/{one}/configs");
    let patch = || keyed(Request::new("PATCH", &path).json(r#"{"build": {"timeoutSeconds": 60}}"#));
    let (first, again) = (host.send(patch()).await, host.send(patch()).await);
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (202, 202, Some("true")));
    let auto =
        || keyed(Request::new("PATCH", &format!("/deployments/{two}/configs")).json(r#"{"source": {"autoDeploy": false}}"#));
    let (first, again) = (host.send(auto()).await, host.send(auto()).await);
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (200, 200, Some("true")));

    let revision = host.newest(&two).await;
    let cancel = || keyed(Request::new("POST", &format!("/deployments/{two}/revisions/{revision}/cancel")));
    let (first, again) = (host.send(cancel()).await, host.send(cancel()).await);
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (200, 200, Some("true")));
    assert_eq!(again.data()["state"], "cancelled");
}

#[tokio::test]
async fn malformed_keys_are_400_and_reads_ignore_them() {
    let host = Host::start().await;
    for bad in ["", "a b", "a/b", &"k".repeat(129)] {
        let answer = create(&host, bad, &spec("checkout")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{bad}");
        assert_eq!(answer.fields(), ["Idempotency-Key"]);
    }
    let twice = Request::new("POST", "/deployments").json(&spec("checkout"));
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "a");
    assert_eq!(host.send(twice).await.status, 400);
    assert_eq!(host.send(Request::new("GET", "/deployments").header("idempotency-key", "a b")).await.status, 200);
    assert_eq!(host.memory.writes(), 0);
}
