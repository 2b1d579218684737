//! Create, configure, redeploy, roll back, cancel, remove: statuses and codes.

use serde_json::json;
use zopnight_core::domain::{RevisionNumber, RunOutcome};
use zopnight_core::testing::fakes::{FakeForge, FakeTenants, When};
use zopnight_core::{Error, ErrorKind};

use crate::client::Request;
use crate::host::{Host, INTEGRATION, UNKNOWN, serve, spec};

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn create_takes_the_printed_body() {
    let host = Host::start().await;
    let body = format!(
        r#"{{"name": "checkout",
 "source": {{"integrationID": "{INTEGRATION}", "owner": "acme", "repo": "checkout", "branch": "main", "rootPath": ".", "autoDeploy": true}},
 "build": {{"mode": "auto", "dockerfile": null, "args": {{"PROFILE": "release"}}, "timeoutSeconds": 1800}},
 "runtime": {{"port": 8080, "portEnv": "PORT", "healthPath": "/health", "livenessPath": null, "env": {{"LOG_LEVEL": "info"}},
             "secretRefs": [{{"name": "DATABASE_URL", "secretName": "checkout-db", "key": "url"}}],
             "replicas": {{"min": 1, "max": 1}}, "resources": {{"cpuRequest": "100m", "cpuLimit": "500m", "memoryRequest": "128Mi", "memoryLimit": "512Mi"}}}},
 "target": {{"spaceID": "prod", "namespace": "acme"}}}}"#
    );
    let answer = host.post("/deployments", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (sent, data): (serde_json::Value, _) = (serde_json::from_str(&body).unwrap(), answer.data());
    let deployment = &data["deployment"];
    assert_eq!(answer.header("location").unwrap(), format!("/deployments/{}", deployment["id"].as_str().unwrap()));
    for part in ["name", "build", "runtime"] {
        assert_eq!(deployment[part], sent[part], "{part}");
    }
    assert_eq!(deployment["target"]["imageRepository"], "registry.example.test/acme/checkout");
    assert_eq!((&deployment["status"], &deployment["configVersion"]), (&json!("pending"), &json!(1)));
    let revision = &data["revision"];
    assert_eq!((&revision["number"], &revision["state"]), (&json!(1), &json!("queued")));
    assert_eq!((&revision["cause"]["kind"], &revision["build"]["status"]), (&json!("create"), &json!("queued")));
    assert_eq!(deployment["latestRevisionID"], revision["id"]);
}

#[tokio::test]
async fn create_is_refused_and_stores_nothing() {
    let host = Host::start().await;
    let branch = spec("x").replace(r#""checkout"}"#, r#""checkout", "branch": "release"}"#);
    assert_eq!(host.post("/deployments", &branch).await.refusal(), refusal(404, "branch_not_found"));
    let repo = spec("x").replace("checkout", "nothing");
    assert_eq!(host.post("/deployments", &repo).await.refusal(), refusal(404, "repository_not_found"));
    let integration = spec("x").replace(INTEGRATION, "int_other");
    assert_eq!(host.post("/deployments", &integration).await.refusal(), refusal(404, "integration_not_found"));
    host.world.forge.faults().fail("snapshot", When::Next(1), || Error::unavailable("fake", "down"));
    assert_eq!(host.post("/deployments", &spec("x")).await.refusal(), refusal(503, "unavailable"));
    assert_eq!(host.memory.writes(), 0);
    host.create("checkout").await;
    assert_eq!(host.post("/deployments", &spec("checkout")).await.refusal(), refusal(409, "name_taken"));
}

#[tokio::test]
async fn without_builds_creating_is_501() {
    let host = Host::start().await;
    let (tenants, source) =
        (std::sync::Arc::<FakeTenants>::clone(&host.world.tenants), std::sync::Arc::<FakeForge>::clone(&host.world.forge));
    let store = std::sync::Arc::clone(&host.world.store);
    let bare = zopnight_core::pipeline::Pipeline::builder(store, tenants, source).build().unwrap();
    let (address, server) = serve(crate::host::routes(&bare, &zopnight_core::http::HttpConfig::default())).await;
    let request = Request::new("POST", "/deployments").json(&spec("checkout")).header("x-test-org", "acme");
    assert_eq!(request.send(address).await.refusal(), refusal(501, "builds_disabled"));
    server.abort();
}

#[tokio::test]
async fn a_change_of_the_runtime_reuses_the_image() {
    let host = Host::start().await;
    let id = host.live().await;
    let answer = host.patch(&id, r#"{"runtime": {"replicas": {"max": 3}, "env": {"A": "1", "B": "2"}}}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let data = answer.data();
    assert_eq!((&data["revision"]["state"], &data["revision"]["build"]["status"]), (&json!("built"), &json!("skipped")));
    assert_eq!(data["revision"]["cause"]["kind"], "config_change");
    assert_eq!(data["deployment"]["runtime"]["replicas"], json!({"min": 1, "max": 3}));
    assert_eq!((&data["deployment"]["configVersion"], &data["deployment"]["status"]), (&json!(2), &json!("updating")));
    // Maps are replaced whole; `null` is the default again; what is absent stays.
    let answer = host.patch(&id, r#"{"runtime": {"env": {"C": "3"}, "replicas": null}}"#).await.data();
    assert_eq!(answer["deployment"]["runtime"]["env"], json!({"C": "3"}));
    assert_eq!(answer["deployment"]["runtime"]["replicas"], json!({"min": 1, "max": 1}));
    let answer = host.patch(&id, r#"{"runtime": {"env": null, "portEnv": "LISTEN"}}"#).await.data();
    assert_eq!(answer["deployment"]["runtime"]["env"], json!({}));
    let answer = host.patch(&id, r#"{"runtime": {"portEnv": null}}"#).await.data();
    assert_eq!(answer["deployment"]["runtime"]["portEnv"], "PORT");
}

#[tokio::test]
async fn other_changes_build_or_do_nothing() {
    let host = Host::start().await;
    let id = host.live().await;
    for same in ["{}", r#"{"build": {}}"#, r#"{"build": {"timeoutSeconds": 1800}, "source": {"rootPath": "./"}}"#] {
        let answer = host.patch(&id, same).await;
        assert_eq!((answer.status, &answer.data()["revision"]), (200, &json!(null)), "{same}");
    }
    let answer = host.patch(&id, r#"{"source": {"autoDeploy": false}}"#).await;
    assert_eq!((answer.status, &answer.data()["revision"]), (200, &json!(null)));
    assert_eq!(answer.data()["deployment"]["source"]["autoDeploy"], false);
    let answer = host.patch(&id, r#"{"source": {"autoDeploy": null}}"#).await;
    assert_eq!(answer.data()["deployment"]["source"]["autoDeploy"], true);
    let answer = host.patch(&id, r#"{"build": {"mode": "railpack"}}"#).await;
    assert_eq!((answer.status, &answer.data()["revision"]["state"]), (202, &json!("queued")));

    let sha = host.world.forge.commit(&host.world.repo, "beta", &[("Dockerfile", "FROM scratch\n")]);
    let answer = host.patch(&id, r#"{"source": {"branch": "beta"}}"#).await;
    assert_eq!((answer.status, &answer.data()["revision"]["commit"]["sha"]), (202, &json!(sha.as_str())));
    let answer = host.patch(&id, r#"{"source": {"branch": null}}"#).await;
    assert_eq!((answer.status, &answer.data()["deployment"]["source"]["branch"]), (202, &json!("main")));
    let answer = host.patch(&id, r#"{"source": {"branch": "gone"}}"#).await;
    assert_eq!(answer.refusal(), refusal(404, "branch_not_found"));
}

#[tokio::test]
async fn a_stale_or_broken_change_is_refused() {
    let host = Host::start().await;
    let id = host.live().await;
    let change = |version: u32| format!(r#"{{"configVersion": {version}, "build": {{"timeoutSeconds": 60}}}}"#);
    assert_eq!(host.patch(&id, &change(7)).await.refusal(), refusal(409, "config_version_conflict"));
    assert_eq!(host.patch(&id, &change(1)).await.status, 202);
    assert_eq!(host.patch(&id, &change(1)).await.refusal(), refusal(409, "config_version_conflict"));
    let broken = r#"{"name": "x", "runtime": {"replicas": {"min": 2}, "port": "80"}, "build": {"timeoutSeconds": 1}}"#;
    let answer = host.patch(&id, broken).await;
    assert_eq!(answer.refusal(), refusal(400, "invalid_request"));
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(fields, ["build.timeoutSeconds", "name", "runtime.port", "runtime.replicas"]);
}

#[tokio::test]
async fn removal_is_accepted_once_and_ends_in_404() {
    let host = Host::start().await;
    let id = host.live().await;
    let path = format!("/deployments/{id}");
    host.push("b").await;
    let answer = host.send(Request::new("DELETE", &path)).await;
    assert_eq!((answer.status, &answer.data()["status"]), (202, &json!("deleting")));
    assert_eq!(host.states(&id).await, ["succeeded", "cancelled"]);
    let jobs = host.memory.jobs().len();
    assert_eq!(host.send(Request::new("DELETE", &path)).await.status, 202);
    assert_eq!(host.memory.jobs().len(), jobs);
    let deleting = refusal(409, "deployment_deleting");
    assert_eq!(host.patch(&id, r#"{"build": {"mode": "railpack"}}"#).await.refusal(), deleting);
    assert_eq!(host.patch(&id, "{}").await.refusal(), deleting);
    assert_eq!(host.post(&format!("{path}/revisions"), "{}").await.refusal(), deleting);
    assert_eq!(host.post(&format!("{path}/rollback"), "{}").await.refusal(), deleting);
    let first = host.get(&path).await.data()["currentRevisionID"].as_str().unwrap().to_owned();
    assert_eq!(host.post(&format!("{path}/revisions/{first}/cancel"), "{}").await.refusal(), deleting);
    host.settle().await;
    assert_eq!(host.get(&path).await.refusal(), refusal(404, "deployment_not_found"));
    assert_eq!(host.get("/deployments").await.json()["meta"]["total"], 0);
}

#[tokio::test]
async fn redeploy() {
    let host = Host::start().await;
    let id = host.create("checkout").await;
    let path = format!("/deployments/{id}/revisions");
    assert_eq!(host.post(&path, r#"{"reuseImage": true}"#).await.refusal(), refusal(409, "no_image"));
    host.settle().await;
    let answer = host.send(Request::new("POST", &path)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let revision = answer.data();
    assert_eq!(answer.header("location").unwrap(), format!("{path}/{}", revision["id"].as_str().unwrap()));
    assert_eq!((&revision["cause"]["kind"], &revision["state"]), (&json!("redeploy"), &json!("queued")));
    let answer = host.post(&path, r#"{"reuseImage": true}"#).await.data();
    assert_eq!((&answer["state"], &answer["build"]["status"]), (&json!("built"), &json!("skipped")));
    assert_eq!(host.states(&id).await, ["succeeded", "superseded", "built"]);
    let missing = format!(r#"{{"commitSHA": "{}"}}"#, "ab".repeat(20));
    assert_eq!(host.post(&path, &missing).await.refusal(), refusal(404, "commit_not_found"));
    for bad in [r#"{"commitSHA": "main"}"#, r#"{"force": true}"#] {
        assert_eq!(host.post(&path, bad).await.refusal(), refusal(400, "invalid_request"), "{bad}");
    }
    let found = host.get(&format!("{path}?state=superseded")).await.json();
    assert_eq!((&found["meta"]["total"], &found["data"][0]["number"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn rollback() {
    let host = Host::start().await;
    let id = host.live().await;
    let first = host.newest(&id).await;
    let path = format!("/deployments/{id}/rollback");
    assert_eq!(host.post(&path, "{}").await.refusal(), refusal(409, "nothing_to_roll_back_to"));
    assert_eq!(host.post(&path, r#"{"number": 1}"#).await.refusal(), refusal(409, "already_current"));
    assert_eq!(host.post(&path, r#"{"number": 9}"#).await.refusal(), refusal(404, "revision_not_found"));
    let unknown = format!(r#"{{"revisionID": "{UNKNOWN}"}}"#);
    assert_eq!(host.post(&path, &unknown).await.refusal(), refusal(404, "revision_not_found"));
    let both = format!(r#"{{"revisionID": "{UNKNOWN}", "number": 1}}"#);
    assert_eq!(host.post(&path, &both).await.refusal(), refusal(400, "invalid_request"));
    host.push("b").await;
    assert_eq!(host.post(&path, r#"{"number": 2}"#).await.refusal(), refusal(409, "revision_not_deployable"));
    host.settle().await;

    host.world.resolver.faults().fail("resolve", When::Next(1), || Error::unavailable("fake", "registry down"));
    assert_eq!(host.post(&path, "{}").await.refusal(), refusal(503, "unavailable"));
    let gone = || Error::new(ErrorKind::NotFound, "fake", "no such manifest");
    host.world.resolver.faults().fail("resolve", When::Next(1), gone);
    assert_eq!(host.post(&path, "{}").await.refusal(), refusal(409, "image_gone"));

    let dispatched = host.world.dispatcher.requests().len();
    let answer = host.post(&path, &format!(r#"{{"revisionID": "{first}"}}"#)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let revision = answer.data();
    let cause = json!({"kind": "rollback", "deliveryID": null, "toRevisionID": first, "toNumber": 1});
    assert_eq!((&revision["cause"], &revision["state"]), (&cause, &json!("built")));
    host.settle().await;
    let image = async |n: u32| {
        let page = host.get(&format!("/deployments/{id}/revisions?sort=number&limit=1&page={n}")).await.data();
        (page[0]["build"]["imageRef"].clone(), page[0]["isCurrent"].clone())
    };
    let ((old, _), (new, current)) = (image(1).await, image(3).await);
    assert_eq!((old, json!(true)), (new, current));
    assert_eq!(host.world.dispatcher.requests().len(), dispatched);
}

#[tokio::test]
async fn cancel() {
    let host = Host::start().await;
    let id = host.live().await;
    let live = host.newest(&id).await;
    let path = |revision: &str| format!("/deployments/{id}/revisions/{revision}/cancel");
    assert_eq!(host.post(&path(&live), "{}").await.refusal(), refusal(409, "revision_terminal"));
    assert_eq!(host.post(&path(UNKNOWN), "{}").await.refusal(), refusal(404, "revision_not_found"));

    host.push("b").await;
    host.work().await;
    let building = host.newest(&id).await;
    // The builder being down does not matter.
    for operation in ["cancel", "run", "find_run"] {
        host.world.dispatcher.faults().fail(operation, When::Every, || Error::unavailable("fake", "down"));
    }
    let answer = host.send(Request::new("POST", &path(&building))).await;
    assert_eq!((answer.status, &answer.data()["state"]), (200, &json!("cancelled")));
    assert_eq!((&answer.data()["id"], &answer.data()["reason"]["code"]), (&json!(building), &json!("cancelled")));
    let writes = host.memory.writes();
    assert_eq!(host.post(&path(&building), "{}").await.status, 200);
    assert_eq!(host.memory.writes(), writes);
    assert_eq!(host.post(&path(&building), r#"{"why": 1}"#).await.refusal(), refusal(400, "invalid_request"));
    let deployment = host.get(&format!("/deployments/{id}")).await.data();
    assert_eq!((&deployment["status"], &deployment["currentRevisionID"]), (&json!("live"), &json!(live)));
}

#[tokio::test]
async fn cancelling_a_rollout_puts_the_last_one_back() {
    let host = Host::start().await;
    let id = host.live().await;
    let deployment = zopnight_core::domain::DeploymentId::parse(&id).unwrap();
    let gate = host.world.applier.stall(deployment, RevisionNumber::new(2).unwrap());
    let path = format!("/deployments/{id}/revisions");
    host.post(&path, r#"{"reuseImage": true}"#).await;
    let deploying = host.newest(&id).await;
    let cancel = async {
        gate.reached().await;
        let answer = host.post(&format!("{path}/{deploying}/cancel"), "{}").await;
        gate.release();
        answer
    };
    let ((), answer) = tokio::join!(host.work(), cancel);
    assert_eq!((answer.status, &answer.data()["state"]), (200, &json!("cancelled")), "{answer:?}");
    assert_eq!(answer.data()["id"], json!(deploying));
    host.settle().await;
    assert_eq!(host.states(&id).await, ["succeeded", "cancelled", "succeeded"]);
}

#[tokio::test]
async fn logs_are_the_stored_tail_or_the_builders() {
    let host = Host::start().await;
    let id = host.create("checkout").await;
    let revision = host.newest(&id).await;
    let path = format!("/deployments/{id}/revisions/{revision}/logs");
    let empty = host.get(&path).await.data();
    assert_eq!((&empty["lines"], &empty["complete"]), (&json!([]), &json!(false)));
    host.work().await;
    let run = host.world.dispatcher.live().pop().unwrap();
    host.world.dispatcher.write_log(&run, &["one", "two", "three"]);
    host.world.dispatcher.finish(&run, RunOutcome::Succeeded);
    let log = host.get(&format!("{path}?tail=2")).await.data();
    assert_eq!((&log["lines"], &log["truncated"]), (&json!(["two", "three"]), &json!(true)));
    assert_eq!(log["logTailUrl"], json!(run.url.as_str()));
    for bad in ["tail=0", "tail=2001", "source=both"] {
        assert_eq!(host.get(&format!("{path}?{bad}")).await.refusal(), refusal(400, "invalid_request"), "{bad}");
    }
    assert_eq!(host.get(&format!("{path}?source=rollout")).await.data()["source"], "rollout");
}

#[tokio::test]
async fn load_balancer() {
    let host = Host::start().await;
    let id = host.live().await;
    let path = format!("/deployments/{id}/loadbalancer");
    let release = host.world.applier.releases().pop().unwrap();
    let ip = "203.0.113.7".parse().unwrap();
    host.world.applier.set_addresses(
        &release,
        zopnight_core::domain::LoadBalancerStatus {
            exposed: zopnight_core::domain::Exposure::Service,
            addresses: vec![zopnight_core::domain::Address::Ip(ip)],
            ports: vec![zopnight_core::domain::Port::new(80).unwrap()],
            urls: vec!["http://203.0.113.7".to_owned()],
            pending: None,
        },
    );
    assert_eq!(
        host.get(&path).await.body,
        r#"{"data":{"type":"service","addresses":[{"hostname":null,"ip":"203.0.113.7"}],"ports":[80],"ready":true,"urls":["http://203.0.113.7"]}}"#
    );
    host.world.applier.faults().fail("load_balancer", When::Next(1), || Error::unavailable("fake", "down"));
    assert_eq!(host.get(&path).await.refusal(), refusal(503, "unavailable"));
}
