//! Every row of the table of errors, and what the HTTP layer answers itself.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zopnight_core::http::{HttpConfig, router};
use zopnight_core::testing::fakes::When;
use zopnight_core::{Error, ErrorKind, Retry};

use crate::client::Request;
use crate::host::{Host, INTEGRATION, serve, spec};

const SECRET: &str = "SELECT token FROM secrets";

#[tokio::test]
async fn each_kind_has_its_row() {
    let host = Host::start().await;
    let rows = [
        (ErrorKind::NotFound, 404, "not_found", None),
        (ErrorKind::Conflict, 409, "conflict", None),
        (ErrorKind::Invalid, 400, "invalid_request", None),
        // Our own credentials at a forge: only a reconnect mends it.
        (ErrorKind::Unauthenticated, 409, "integration_unauthorized", None),
        (ErrorKind::Forbidden, 409, "integration_unauthorized", None),
        (ErrorKind::RateLimited, 429, "rate_limited", Some("60")),
        (ErrorKind::Unavailable, 503, "unavailable", Some("5")),
        (ErrorKind::Timeout, 504, "timeout", Some("5")),
        (ErrorKind::Unsupported, 501, "unsupported", None),
        (ErrorKind::Internal, 500, "internal", None),
    ];
    for (kind, status, code, wait) in rows {
        host.world.forge.faults().fail("repositories", When::Next(1), move || Error::new(kind, "fake", SECRET));
        let answer = host.get("/repositories").await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{kind:?}");
        assert_eq!(answer.header("retry-after"), wait, "{kind:?}");
        assert_eq!(answer.json()["error"].get("details").is_some(), kind == ErrorKind::Invalid, "{kind:?}");
        let hidden = matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Timeout);
        assert_eq!(answer.body.contains(SECRET), !hidden, "{kind:?}");
        for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff")] {
            assert_eq!(answer.header(name), Some(value), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn finer_codes_and_waits_come_from_the_error() {
    let host = Host::start().await;
    host.world.forge.faults().fail("repositories", When::Next(1), || {
        Error::new(ErrorKind::RateLimited, "fake", "slow down")
            .with("code", "forge_rate_limited")
            .with_retry(Retry::After(Duration::from_secs(17)))
    });
    let answer = host.get("/repositories").await;
    assert_eq!(answer.refusal(), (429, "forge_rate_limited".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("17"));
}

#[tokio::test]
async fn a_missing_tenant_is_told_how_to_authenticate() {
    let host = Host::start().await;
    let answer = host.anonymous(Request::new("GET", "/deployments")).await;
    assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let host = Host::start().await;
    for path in ["/no-such-path", "/", "/deployments/", "/deployments/x/y/z", "/%FF"] {
        let answer = host.get(path).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    for (method, path, allowed) in [
        ("PUT", "/deployments", "GET,HEAD,POST"),
        ("POST", "/deployments/x", "GET,HEAD,DELETE"),
        ("GET", "/webhooks/github", "POST"),
        ("DELETE", "/build-callbacks/x", "POST"),
    ] {
        let answer = host.send(Request::new(method, path)).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()), "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    for path in ["/deployments/X", "/deployments/0192F0C4-7B1E-7C3A-9D55-3F0E2A6B8C11", "/deployments/%FF"] {
        let calls = host.store.calls();
        assert_eq!(host.get(path).await.status, 404, "{path}");
        assert_eq!(host.store.calls(), calls, "{path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let host = Host::start().await;
    let get = host.get("/repositories").await;
    let head = host.send(Request::new("HEAD", "/repositories")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[tokio::test]
async fn request_ids_are_the_callers_or_fresh() {
    let host = Host::start().await;
    let with = async |id: &str| host.send(Request::new("GET", "/deployments").header("x-request-id", id)).await;
    assert_eq!(with("abc-DEF_1").await.header("x-request-id"), Some("abc-DEF_1"));
    for bad in ["a b", "é", &"x".repeat(65), ""] {
        let id = with(bad).await.header("x-request-id").unwrap().to_owned();
        assert_eq!((id.len(), &id[14..15]), (36, "7"), "{bad} gave {id}");
    }
}

#[tokio::test]
async fn bodies_of_the_wrong_kind_are_415() {
    let host = Host::start().await;
    let post = || Request::new("POST", "/deployments").body(spec("checkout").as_bytes());
    let cases = [
        post(),
        post().header("content-type", "text/plain"),
        post().header("content-type", "application/json; charset=utf-16"),
        post().header("content-type", "application/json").header("content-encoding", "gzip"),
        Request::new("POST", &format!("/deployments/{}/rollback", crate::host::UNKNOWN)).body(b"{}"),
    ];
    for request in cases {
        assert_eq!(host.send(request.clone()).await.refusal(), (415, "content_type".to_owned()), "{request:?}");
    }
    let good = post().header("content-type", "application/json; charset=UTF-8").header("content-encoding", "identity");
    assert_eq!(host.send(good).await.status, 201);
}

#[tokio::test]
async fn bodies_that_are_not_one_plain_object_are_400() {
    let host = Host::start().await;
    let good = spec("checkout");
    let twice = good.replacen('{', r#"{"name": "other", "#, 1);
    let unknown = good.replacen('{', r#"{"nmae": "other", "#, 1);
    let deep = format!(r#"{{"name": {}{}}}"#, "[".repeat(40), "]".repeat(40));
    let cases: [(&[u8], &str); 9] = [
        (twice.as_bytes(), "body"),
        (unknown.as_bytes(), "nmae"),
        (deep.as_bytes(), "body"),
        (&[good.as_bytes(), b"x"].concat(), "body"),
        (&[b"\xEF\xBB\xBF", good.as_bytes()].concat(), "body"),
        (b"{\"name\": \"\xFF\"}", "body"),
        (b"", "body"),
        (b"[]", "body"),
        (b"null", "body"),
    ];
    for (body, field) in cases {
        let request = Request::new("POST", "/deployments").header("content-type", "application/json").body(body);
        let answer = host.send(request).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{}", String::from_utf8_lossy(body));
        assert!(answer.fields().iter().any(|f| f == field), "{answer:?}");
    }
    assert_eq!(host.memory.writes(), 0);
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let host = Host::start().await;
    let body = format!(
        r#"{{"name": "Bad Name", "colour": 1,
            "source": {{"integrationID": "{INTEGRATION}", "owner": "-x", "branch": "a..b", "autoDeploy": "yes", "tag": null}},
            "build": {{"mode": "magic", "timeoutSeconds": 59, "args": {{"1X": "a"}}}},
            "runtime": {{"port": 0, "portEnv": "ZOPNIGHT_X", "healthPath": "x", "env": {{"A": 1}}, "secretRefs": [{{"name": "A"}}],
                        "replicas": {{"min": 3, "max": 1}}, "resources": {{"cpuRequest": "lots"}}}},
            "target": {{"namespace": "kube-system"}}}}"#
    );
    let answer = host.post("/deployments", &body).await;
    assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()));
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(
        fields,
        [
            "build.args",
            "build.mode",
            "build.timeoutSeconds",
            "colour",
            "name",
            "runtime.env",
            "runtime.healthPath",
            "runtime.port",
            "runtime.portEnv",
            "runtime.replicas",
            "runtime.resources.cpuRequest",
            "runtime.secretRefs[0].key",
            "runtime.secretRefs[0].secretName",
            "source.autoDeploy",
            "source.branch",
            "source.owner",
            "source.repo",
            "source.tag",
            "target.namespace",
            "target.spaceID"
        ]
    );
    assert_eq!(host.store.calls(), 0);
}

#[tokio::test]
async fn an_answer_does_not_repeat_a_whole_request() {
    let host = Host::start().await;
    let many: Vec<String> = (0..20_000).map(|n| format!(r#""k{n}": 0"#)).collect();
    let answer = host.post("/analyze", &format!("{{{}}}", many.join(","))).await;
    assert_eq!((answer.status, answer.fields().len()), (400, 100));
    let long = "x".repeat(100_000);
    for body in [format!(r#"{{"{long}": 1}}"#), format!(r#"{{"{long}": 1, "{long}": 1}}"#)] {
        let answer = host.post("/analyze", &body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.len() < 1_000, "{}", answer.body.len());
    }
}

#[tokio::test]
async fn bodies_over_the_limit_are_413_and_not_read_on() {
    let config = HttpConfig::builder().json_body_limit(4_096).callback_body_limit(8_192).webhook_body_limit(65_536);
    let host = Host::with(config.build().unwrap()).await;
    let padded = |size: usize| {
        let spec = spec("checkout");
        format!("{}{spec}", " ".repeat(size - spec.len()))
    };
    assert_eq!(host.post("/deployments", &padded(4_097)).await.refusal(), (413, "body_too_large".to_owned()));
    assert_eq!(host.post("/deployments", &padded(4_096)).await.status, 201);

    // Nothing but the head is sent, so an answer shows that the body was not waited for.
    for path in ["/deployments", "/webhooks/github", "/build-callbacks/0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11"] {
        let signature = format!("sha256={}", "0".repeat(64));
        let request = Request::new("POST", path).header("content-type", "application/json");
        let request = request.header("content-length", "65537").header("x-hub-signature-256", &signature);
        assert_eq!(host.send(request).await.refusal(), (413, "body_too_large".to_owned()), "{path}");
    }

    // A body of unknown length is cut off at the limit.
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let request = Request::new("POST", "/deployments").header("content-type", "application/json");
    let request = request.header("transfer-encoding", "chunked").header("x-test-org", "acme").body(chunk.as_bytes());
    let head = String::from_utf8(request.bytes()).unwrap();
    let head = head.replace(&format!("content-length: {}\r\n", chunk.len()), "");
    assert!(exchange(&host, head.as_bytes()).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn slow_bodies_are_408() {
    let second = Duration::from_secs(1);
    let config = HttpConfig::builder().body_read_timeout(second).webhook_timeout(second).build().unwrap();
    let host = Host::with(config).await;
    for path in ["/deployments", "/webhooks/github", "/build-callbacks/0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11"] {
        let request = Request::new("POST", path).header("content-type", "application/json").header("content-length", "100");
        let request = request.header("x-hub-signature-256", &format!("sha256={}", "0".repeat(64)));
        let answer = host.send(request.body(b"{\"name\"")).await;
        assert_eq!(answer.refusal(), (408, "body_timeout".to_owned()), "{path}");
    }
}

async fn exchange(host: &Host, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn a_deadline_that_passes_is_504() {
    let config = HttpConfig::builder().analyze_timeout(Duration::from_secs(1)).build().unwrap();
    let host = Host::with(config).await;
    let gate = host.world.analyzer.faults().stall("analyze", When::Next(1));
    let body = format!(r#"{{"integrationID": "{INTEGRATION}", "owner": "acme", "repo": "checkout"}}"#);
    let answer = host.post("/analyze", &body).await;
    assert_eq!(answer.refusal(), (504, "timeout".to_owned()));
    assert_eq!(gate.arrived(), 1);
}

#[tokio::test]
async fn a_slow_forge_gives_what_there_is() {
    let config = HttpConfig::builder().live_list_timeout(Duration::from_secs(1)).build().unwrap();
    let host = Host::with(config).await;
    for n in 0..250 {
        host.world.forge.create_repo(&host.world.repo.integration, &format!("acme/app-{n}"));
    }
    let _third = host.world.forge.faults().stall("repositories", When::Nth(3));
    let answer = host.get("/repositories").await.json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 200);
    assert_eq!(answer["meta"]["incomplete"], true);
    let next = answer["meta"]["nextCursor"].as_str().unwrap();
    assert_eq!(host.get(&format!("/repositories?cursor={next}")).await.data().as_array().unwrap().len(), 51);
}

#[tokio::test]
async fn a_panic_ends_one_request_only() {
    let host = Host::start().await;
    host.world.forge.faults().fail("repositories", When::Next(1), || panic!("scripted"));
    assert_eq!(host.get("/repositories").await.refusal(), (500, "internal".to_owned()));
    assert_eq!(host.get("/repositories").await.status, 200);
}

#[tokio::test]
async fn one_request_too_many_is_503() {
    let host = Host::with(HttpConfig::builder().max_in_flight(1).build().unwrap()).await;
    let gate = host.world.forge.faults().stall("repositories", When::Next(1));
    let held = async { host.get("/repositories").await.status };
    let second = async {
        gate.reached().await;
        let answer = host.get("/deployments").await;
        gate.release();
        answer
    };
    let (held, second) = tokio::join!(held, second);
    assert_eq!(held, 200);
    assert_eq!(second.refusal(), (503, "unavailable".to_owned()));
    assert_eq!(second.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn one_router_serves_below_a_prefix() {
    let host = Host::start().await;
    let config = HttpConfig::builder().base_path("/api").build().unwrap();
    let both = axum::Router::new().nest("/api", crate::host::routes(&host.pipeline, &config));
    let (address, server) = serve(both).await;
    let create = Request::new("POST", "/api/deployments").json(&spec("checkout")).header("x-test-org", "acme");
    let created = create.send(address).await;
    assert_eq!(created.status, 201, "{created:?}");
    let location = created.header("location").unwrap().to_owned();
    let found = Request::new("GET", &location).header("x-test-org", "acme").send(address).await;
    assert_eq!(found.data()["id"], created.data()["deployment"]["id"]);
    assert_eq!(Request::new("GET", "/api/nothing").send(address).await.refusal(), (404, "not_found".to_owned()));
    server.abort();

    let (address, server) = serve(router(host.pipeline.clone(), HttpConfig::default())).await;
    assert_eq!(Request::new("GET", "/deployments").send(address).await.status, 401);
    assert_eq!(Request::new("GET", "/nothing").send(address).await.refusal(), (404, "not_found".to_owned()));
    server.abort();
}
