//! The OpenAPI document: complete, true, and equal to the committed copy.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use zopnight_core::domain::{Namespace, SpaceId};
use zopnight_core::http::openapi;
use zopnight_core::tenants::SpaceGrant;

use crate::client::{Answer, Request};
use crate::host::{Host, UNKNOWN};
use crate::schema::{content, document, faults, operation};

/// The routes as they were promised.
const ROUTES: [(&str, &str); 20] = [
    ("GET", "/repositories"),
    ("GET", "/branches"),
    ("POST", "/analyze"),
    ("GET", "/deployments"),
    ("POST", "/deployments"),
    ("GET", "/deployments/{id}"),
    ("PATCH", "/deployments/{id}/configs"),
    ("DELETE", "/deployments/{id}"),
    ("POST", "/deployments/{id}/analyze"),
    ("GET", "/deployments/{id}/revisions"),
    ("POST", "/deployments/{id}/revisions"),
    ("GET", "/deployments/{id}/revisions/{revisionID}"),
    ("POST", "/deployments/{id}/revisions/{revisionID}/cancel"),
    ("GET", "/deployments/{id}/revisions/{revisionID}/logs"),
    ("POST", "/deployments/{id}/rollback"),
    ("GET", "/deployments/{id}/events"),
    ("GET", "/deployments/{id}/loadbalancer"),
    ("GET", "/openapi.json"),
    ("POST", "/webhooks/github"),
    ("POST", "/build-callbacks/{revisionID}"),
];

/// Each path of the document with its methods, in capitals.
fn described() -> Vec<(String, BTreeSet<String>)> {
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
    document()["paths"].as_object().unwrap().iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

fn filled(path: &str) -> String {
    path.replace("{id}", UNKNOWN).replace("{revisionID}", UNKNOWN)
}

#[test]
fn the_committed_copy_is_the_document() {
    let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("ZOPNIGHT_WRITE_OPENAPI").is_some_and(|v| v == "1") {
        std::fs::write(&copy, openapi()).unwrap();
    }
    let committed = std::fs::read_to_string(&copy).unwrap_or_default();
    let same = committed == openapi();
    assert!(same, "zopnight-core/openapi.json is old: run this test with ZOPNIGHT_WRITE_OPENAPI=1 and commit the file");
}

#[test]
fn it_is_an_openapi_3_1_document_whose_references_lead_somewhere() {
    assert_eq!(document()["openapi"], "3.1.0");
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    let references: Vec<&str> =
        openapi().split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() > 50);
    for reference in references {
        assert!(document().pointer(reference).is_some(), "{reference}");
    }
    let ids: Vec<&Value> = ROUTES.iter().map(|(method, path)| &operation(method, path)["operationId"]).collect();
    assert!(ids.iter().all(|id| id.is_string()));
    assert_eq!(ids.iter().map(|id| id.as_str()).collect::<BTreeSet<_>>().len(), ROUTES.len());
}

#[test]
fn every_promised_route_is_described_and_no_other() {
    let promised: BTreeSet<(String, String)> = ROUTES.iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
    let pairs = described().into_iter().flat_map(|(path, methods)| methods.into_iter().map(move |m| (m, path.clone())));
    assert_eq!(pairs.collect::<BTreeSet<_>>(), promised);
}

#[tokio::test]
async fn the_router_takes_the_described_methods_and_no_other() {
    let host = Host::start().await;
    for (path, methods) in described() {
        let answer = host.anonymous(Request::new("TRACE", &filled(&path))).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()), "{path}");
        let allowed = answer.header("allow").unwrap().split(',').map(|m| m.trim().to_owned());
        assert_eq!(allowed.filter(|m| m != "HEAD").collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[tokio::test]
async fn every_route_has_the_authentication_that_is_described() {
    let host = Host::start().await;
    for (method, path) in ROUTES {
        let security = &operation(method, path)["security"];
        let bearer = *security == json!([{"bearer": []}]);
        let ingress = path.starts_with("/webhooks") || path.starts_with("/build-callbacks");
        assert_eq!(bearer, !ingress && path != "/openapi.json", "{method} {path}");
        let answer = host.anonymous(Request::new(method, &filled(path)).json("{}")).await;
        assert_eq!(answer.status == 401, bearer || path.starts_with("/webhooks"), "{method} {path}: {answer:?}");
    }
    assert_eq!(operation("POST", "/webhooks/github")["security"], json!([{"webhookSignature": []}]));
    let schemes = &document()["components"]["securitySchemes"];
    assert_eq!((&schemes["bearer"]["type"], &schemes["bearer"]["scheme"]), (&json!("http"), &json!("bearer")));
    assert_eq!(
        (&schemes["webhookSignature"]["in"], &schemes["webhookSignature"]["type"]),
        (&json!("header"), &json!("apiKey"))
    );
}

#[tokio::test]
async fn it_is_answered_to_anyone() {
    let host = Host::start().await;
    let answer = host.anonymous(Request::new("GET", "/openapi.json")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.body, openapi());
}

#[tokio::test]
async fn the_examples_of_requests_are_accepted() {
    let host = Host::start().await;
    let granted = SpaceGrant::namespace(Namespace::parse("acme-checkout").unwrap());
    host.world.tenants.grants().grant_space(&host.world.org, SpaceId::parse("spc_eu1").unwrap(), granted);
    let mut seen = Vec::new();
    for (method, path) in ROUTES {
        let example = &content(&operation(method, path)["requestBody"])["example"];
        if example.is_null() {
            continue;
        }
        assert_eq!(faults(example, &content(&operation(method, path)["requestBody"])["schema"]), [""; 0], "{path}");
        let answer = host.send(Request::new(method, &filled(path)).json(&example.to_string())).await;
        seen.push((path, answer.status));
    }
    // The token of the example is cut off, but the body around it is read.
    assert_eq!(seen, [("/analyze", 200), ("/deployments", 201), ("/build-callbacks/{revisionID}", 401)]);
}

#[test]
fn the_examples_of_answers_are_what_is_described() {
    let mut seen = 0;
    for (method, path) in ROUTES {
        for response in operation(method, path)["responses"].as_object().unwrap().values() {
            let example = &content(response)["example"];
            if !example.is_null() {
                assert_eq!(faults(example, &content(response)["schema"]), [""; 0], "{path}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 3);
}

/// Asserts that the answer has a described status and a body of its schema.
fn assert_described(method: &str, path: &str, answer: &Answer) {
    let responses = &operation(method, path)["responses"];
    let response = &responses[answer.status.to_string()];
    assert!(response.is_object(), "{method} {path}: {answer:?}");
    assert_eq!(faults(&answer.json(), &content(response)["schema"]), [""; 0], "{method} {path}: {answer:?}");
}

#[tokio::test]
async fn answers_are_what_is_described() {
    let host = Host::start().await;
    let id = host.live().await;
    host.push("a").await;
    host.settle().await;
    let revision = host.newest(&id).await;
    let queries = [("/branches", "?integrationID=int_github_001&owner=acme&repo=checkout")];
    for (_, path) in ROUTES.iter().filter(|(method, path)| *method == "GET" && *path != "/openapi.json") {
        let query = queries.iter().find(|(p, _)| p == path).map_or("", |(_, query)| query);
        let answer = host.get(&(path.replace("{id}", &id).replace("{revisionID}", &revision) + query)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_described("GET", path, &answer);
    }
    let bodies = [
        ("POST", "/deployments/{id}/analyze", "{}", 200),
        ("PATCH", "/deployments/{id}/configs", r#"{"source": {"autoDeploy": false}}"#, 200),
        ("PATCH", "/deployments/{id}/configs", r#"{"runtime": {"env": {"A": "b"}}}"#, 202),
        ("PATCH", "/deployments/{id}/configs", r#"{"runtime": {"prot": 1}}"#, 400),
        ("PATCH", "/deployments/{id}/configs", r#"{"configVersion": 1}"#, 409),
        ("POST", "/deployments/{id}/revisions", "{}", 201),
        ("POST", "/deployments/{id}/revisions/{revisionID}/cancel", "{}", 409),
        ("POST", "/deployments/{id}/rollback", "{}", 201),
        ("DELETE", "/deployments/{id}", "", 202),
        ("POST", "/deployments/{id}/rollback", "{}", 409),
    ];
    for (method, path, body, status) in bodies {
        let path_now = path.replace("{id}", &id).replace("{revisionID}", &revision);
        let answer = host.send(Request::new(method, &path_now).json(body)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_described(method, path, &answer);
    }
}
