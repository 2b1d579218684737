//! No tenant, or another's things.

use zopnight_core::domain::{IntegrationId, OrgId};

use crate::client::Request;
use crate::host::{Host, INTEGRATION, UNKNOWN, spec};

/// Every tenant route, with a request that would be good.
fn routes(id: &str, revision: &str) -> Vec<Request> {
    let repo = format!(r#"{{"integrationID": "{INTEGRATION}", "owner": "acme", "repo": "checkout"}}"#);
    let below = |tail: &str| format!("/deployments/{id}{tail}");
    let post = |path: &str, body: &str| Request::new("POST", path).json(body);
    vec![
        Request::new("GET", "/repositories"),
        Request::new("GET", &format!("/branches?integrationID={INTEGRATION}&owner=acme&repo=checkout")),
        post("/analyze", &repo),
        Request::new("GET", "/deployments"),
        post("/deployments", &spec("other")),
        Request::new("GET", &below("")),
        Request::new("PATCH", &below("/configs")).json(r#"{"build": {"timeoutSeconds": 60}}"#),
        Request::new("DELETE", &below("")),
        post(&below("/analyze"), "{}"),
        Request::new("GET", &below("/revisions")),
        post(&below("/revisions"), "{}"),
        Request::new("GET", &below(&format!("/revisions/{revision}"))),
        post(&below(&format!("/revisions/{revision}/cancel")), "{}"),
        Request::new("GET", &below(&format!("/revisions/{revision}/logs"))),
        post(&below("/rollback"), "{}"),
        Request::new("GET", &below("/events")),
        Request::new("GET", &below("/loadbalancer")),
    ]
}

#[tokio::test]
async fn without_a_tenant_nothing_is_asked() {
    let host = Host::start().await;
    let id = host.create("checkout").await;
    let revision = host.newest(&id).await;
    let calls = host.store.calls();
    for request in routes(&id, &revision) {
        let answer = host.anonymous(request.clone()).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()), "{request:?}");
        // Not even the body matters.
        let broken = Request { body: b"{".to_vec(), ..request.clone() };
        assert_eq!(host.anonymous(broken).await.timeless(), answer.timeless(), "{request:?}");
    }
    assert_eq!(host.store.calls(), calls);
}

#[tokio::test]
async fn a_foreign_id_is_an_unknown_one() {
    let host = Host::start().await;
    let id = host.create("checkout").await;
    let revision = host.newest(&id).await;
    let bolt = OrgId::parse("bolt").unwrap();
    host.world.tenants.grants().grant_integration(&bolt, IntegrationId::parse("int_bolt").unwrap());
    let as_bolt = async |request: &Request| {
        let calls = host.store.calls();
        let answer = request.clone().header("x-test-org", "bolt").header("x-request-id", "rid-1").send(host.address).await;
        (answer.timeless(), host.store.calls() - calls)
    };
    let (foreign, unknown) = (routes(&id, &revision), routes(UNKNOWN, UNKNOWN));
    let mut compared = 0;
    for (foreign, unknown) in foreign.iter().zip(&unknown).filter(|(f, _)| f.path.contains(&id)) {
        let (answer, calls) = as_bolt(foreign).await;
        assert_eq!(answer.0, 404, "{foreign:?}");
        assert_eq!((answer, calls), as_bolt(unknown).await, "{foreign:?}");
        compared += 1;
    }
    assert_eq!(compared, 12);
    assert_eq!(host.states(&id).await, ["queued"]);
}

#[tokio::test]
async fn a_revision_of_another_deployment_is_unknown() {
    let host = Host::start().await;
    let (one, two) = (host.create("one").await, host.create("two").await);
    let revision = host.newest(&two).await;
    for tail in ["", "/logs"] {
        let foreign = host.get(&format!("/deployments/{one}/revisions/{revision}{tail}")).await;
        let unknown = host.get(&format!("/deployments/{one}/revisions/{UNKNOWN}{tail}")).await;
        assert_eq!(foreign.refusal(), (404, "revision_not_found".to_owned()));
        assert_eq!(foreign.timeless(), unknown.timeless());
    }
}

#[tokio::test]
async fn foreign_integrations_spaces_and_cursors_are_unknown() {
    let host = Host::start().await;
    let bolt = OrgId::parse("bolt").unwrap();
    host.world.tenants.grants().grant_integration(&bolt, IntegrationId::parse("int_bolt").unwrap());
    let foreign = host.get("/repositories?integrationID=int_bolt").await;
    assert_eq!(foreign.refusal(), (404, "integration_not_found".to_owned()));
    // {"integrationID":"int_bolt","page":1,"offset":0}
    let cursor = "eyJpbnRlZ3JhdGlvbklEIjoiaW50X2JvbHQiLCJwYWdlIjoxLCJvZmZzZXQiOjB9";
    let forged = host.get(&format!("/repositories?cursor={cursor}")).await;
    assert_eq!(forged.refusal(), (404, "integration_not_found".to_owned()));
    assert_eq!(host.get("/repositories?cursor=e30").await.refusal(), (400, "invalid_request".to_owned()));
    let mixed = host.get(&format!("/repositories?integrationID={INTEGRATION}&cursor={cursor}")).await;
    assert_eq!(mixed.refusal(), (400, "invalid_request".to_owned()));
    let space = host.post("/deployments", &spec("checkout").replace("prod", "staging")).await;
    assert_eq!(space.refusal(), (404, "space_not_found".to_owned()));
}
