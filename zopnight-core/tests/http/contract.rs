//! The printed examples, sent and compared byte for byte.

use zopnight_core::StaticTenants;
use zopnight_core::domain::analysis::{Evidence, EvidenceField};
use zopnight_core::domain::{Digest, ImageRepository, Namespace, RepoPath, SpaceId, Tag};
use zopnight_core::http::HttpConfig;
use zopnight_core::tenants::SpaceGrant;
use zopnight_core::testing::fakes::{FakeTenants, Faults};

use crate::client::Request;
use crate::host::{Host, INTEGRATION};

/// The keys of the object that begins at `text`, in order, without those of objects inside it.
fn keys(text: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            deserializer.deserialize_map(Visit)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    <Keys as serde::Deserialize>::deserialize(&mut reader).unwrap().0
}

/// The text from the value of the first `"key":` on.
fn at<'t>(text: &'t str, key: &str) -> &'t str {
    let mark = format!("\"{key}\":");
    &text[text.find(&mark).unwrap_or_else(|| panic!("{key} in {text}")) + mark.len()..]
}

#[tokio::test]
async fn repositories() {
    let host = Host::start().await;
    let answer = host.get("/repositories").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.body,
        r#"{"data":[{"integrationID":"int_github_001","owner":"acme","repo":"checkout","defaultBranch":"main","private":true}],"meta":{"nextCursor":null,"incomplete":false,"failures":[]}}"#
    );
}

#[tokio::test]
async fn repositories_go_on_at_the_cursor() {
    let host = Host::start().await;
    for n in 0..250 {
        host.world.forge.create_repo(&host.world.repo.integration, &format!("acme/app-{n}"));
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = host.get(&format!("/repositories?limit=70{cursor}")).await.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|r| r["repo"].as_str().unwrap().to_owned()));
        match page["meta"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 251);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 251);
    let found = host.get("/repositories?q=APP-24").await.data();
    assert_eq!(found.as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn branches() {
    let host = Host::start().await;
    let sha = host.world.forge.head_of(&host.world.repo, "main").unwrap();
    host.world.forge.set_branch(&host.world.repo, "beta", &sha);
    host.world.forge.protect(&host.world.repo, "beta", true);
    host.world.forge.add_odd_branches(&host.world.repo, 2);
    let answer = host.get(&format!("/branches?integrationID={INTEGRATION}&owner=acme&repo=checkout")).await;
    assert_eq!(
        answer.body,
        format!(
            r#"{{"data":[{{"name":"main","sha":"{sha}","default":true,"protected":false}},{{"name":"beta","sha":"{sha}","default":false,"protected":true}}],"meta":{{"nextCursor":null,"incomplete":false,"skipped":2}}}}"#
        )
    );
    let missing = host.get(&format!("/branches?integrationID={INTEGRATION}&owner=acme&repo=nothing")).await;
    assert_eq!(missing.refusal(), (404, "repository_not_found".to_owned()));
}

#[tokio::test]
async fn analyze() {
    let host = Host::start().await;
    host.world.analyzer.tell(|a| {
        a.framework = Some("gofr".to_owned());
        a.evidence = vec![Evidence {
            field: EvidenceField::Port,
            value: "8080".to_owned(),
            file: Some(RepoPath::parse("configs/.env").unwrap()),
            line: Some(3),
            rule: "gofr-http-port".to_owned(),
            rank: 30,
            used: true,
        }];
    });
    let asked =
        r#"{"integrationID": "int_github_001", "owner": "acme", "repo": "checkout", "branch": "main", "rootPath": "."}"#;
    let answer = host.post("/analyze", asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let eight = r#"{"data":{"language":"go","framework":"gofr","suggestedPort":8080,"suggestedHealthPath":"/health","dockerfile":"Dockerfile","buildContext":".","needsBuild":true,"warnings":[],"#;
    assert!(answer.body.starts_with(eight), "{}", answer.body);
    let evidence = r#""evidence":[{"field":"port","value":"8080","file":"configs/.env","line":3,"rule":"gofr-http-port","rank":30,"used":true}]"#;
    assert!(answer.body.contains(evidence), "{}", answer.body);
    let sha = host.world.forge.head_of(&host.world.repo, "main").unwrap();
    assert!(answer.body.ends_with(&format!(r#","complete":true,"commitSHA":"{sha}"}}}}"#)), "{}", answer.body);
    assert_eq!(host.memory.writes(), 0);

    let shorter = r#"{"integrationID": "int_github_001", "owner": "acme", "repo": "checkout"}"#;
    assert_eq!(host.post("/analyze", shorter).await.body, answer.body);
    let gone = host.post("/analyze", &asked.replace(r#""main""#, r#""release""#)).await;
    assert_eq!(gone.refusal(), (404, "branch_not_found".to_owned()));
}

#[tokio::test]
async fn analyze_of_a_deployment_shows_what_is_configured() {
    let host = Host::start().await;
    let id = host.create("checkout").await;
    let answer = host.send(Request::new("POST", &format!("/deployments/{id}/analyze"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(keys(at(&answer.body, "current")), ["port", "healthPath", "dockerfile"]);
    assert_eq!(*keys(at(&answer.body, "data")).last().unwrap(), "current");
}

#[tokio::test]
async fn build_callback() {
    let (mut world, memory) = Host::world();
    let grants = StaticTenants::new("registry.zopnight.com/{org}/{name}").unwrap();
    grants.grant_integration(&world.org, world.repo.integration.clone());
    let namespace = SpaceGrant::namespace(Namespace::parse("acme").unwrap());
    grants.grant_space(&world.org, SpaceId::parse("prod").unwrap(), namespace);
    world.tenants = FakeTenants::new(grants, Faults::new());
    let host = Host::over(world, memory, HttpConfig::default()).await;
    host.create("checkout").await;
    host.work().await;
    let build = host.world.dispatcher.last_request().unwrap();
    let (repository, tag) = ("registry.zopnight.com/acme/checkout", "sha-abc1234");
    let digest = Digest::of(b"manifest");
    host.world.resolver.push(&ImageRepository::parse(repository).unwrap(), &Tag::parse(tag).unwrap(), &digest);
    let body = format!(
        r#"{{"jwt": "{}", "status": "succeeded", "imageRef": "registry.zopnight.com/acme/checkout:sha-abc1234",
 "logTailUrl": "https://github.com/zop-dev/zopnight-builder/actions/runs/12345"}}"#,
        build.callback_token.expose()
    );
    let request = Request::new("POST", &format!("/build-callbacks/{}", build.revision)).json(&body);
    let answer = host.anonymous(request.clone()).await;
    let fields = format!(r#""revisionID":"{}","state":"built","imageRef":"{repository}@{digest}""#, build.revision);
    assert_eq!((answer.status, answer.body), (200, format!(r#"{{"data":{{{fields}}}}}"#)));
    let again = host.anonymous(request).await;
    assert_eq!((again.status, again.body), (200, format!(r#"{{"data":{{{fields},"replayed":true}}}}"#)));
}

#[tokio::test]
async fn representations_have_their_fields_in_order() {
    let host = Host::start().await;
    let id = host.live().await;
    let body = host.get(&format!("/deployments/{id}")).await.body;
    assert_eq!(
        keys(at(&body, "data")),
        [
            "id",
            "name",
            "status",
            "source",
            "build",
            "runtime",
            "target",
            "currentRevisionID",
            "latestRevisionID",
            "configVersion",
            "createdAt",
            "updatedAt"
        ]
    );
    let source = ["integrationID", "repositoryID", "owner", "repo", "branch", "rootPath", "autoDeploy"];
    assert_eq!(keys(at(&body, "source")), source);
    assert_eq!(keys(at(&body, "build")), ["mode", "dockerfile", "args", "timeoutSeconds"]);
    let runtime = ["port", "portEnv", "healthPath", "livenessPath", "env", "secretRefs", "replicas", "resources"];
    assert_eq!(keys(at(&body, "runtime")), runtime);
    assert_eq!(keys(at(&body, "target")), ["spaceID", "namespace", "imageRepository"]);
    assert!(at(&body, "status").starts_with(r#""live""#), "{body}");

    let revision = host.newest(&id).await;
    let body = host.get(&format!("/deployments/{id}/revisions/{revision}")).await.body;
    assert_eq!(
        keys(at(&body, "data")),
        [
            "id",
            "deploymentID",
            "number",
            "state",
            "reason",
            "cause",
            "commit",
            "build",
            "rollout",
            "supersededByRevisionID",
            "isCurrent",
            "createdAt",
            "updatedAt",
            "finishedAt"
        ]
    );
    assert_eq!(keys(at(&body, "cause")), ["kind", "deliveryID", "toRevisionID", "toNumber"]);
    assert_eq!(keys(at(&body, "commit")), ["sha", "branch", "message", "author"]);
    let build = ["status", "attempt", "imageRef", "error", "logTailUrl", "startedAt", "finishedAt", "durationMs"];
    assert_eq!(keys(at(&body, "build")), build);
    assert_eq!(keys(at(&body, "rollout")), ["status", "reason", "message", "ready", "desired"]);
    let data = host.get(&format!("/deployments/{id}/revisions/{revision}")).await.data();
    assert_eq!((&data["isCurrent"], &data["build"]["status"]), (&true.into(), &"succeeded".into()));
    assert!(data["createdAt"].as_str().unwrap().ends_with('Z') && data["createdAt"].as_str().unwrap().len() == 24);

    let body = host.get(&format!("/deployments/{id}/events?sort=seq&limit=2")).await.body;
    assert!(body.starts_with(r#"{"data":[{"seq":1,"at":""#), "{body}");
    assert_eq!(
        keys(at(&body, "data").trim_start_matches('[')),
        ["seq", "at", "kind", "revisionID", "actor", "message", "data"]
    );
    assert_eq!(keys(at(&body, "actor")), ["kind", "id"]);
    assert!(body.contains(r#""actor":{"kind":"user","id":"ada"}"#), "{body}");
    assert_eq!(keys(at(&body, "meta")), ["page", "limit", "total"]);

    let body = host.get(&format!("/deployments/{id}/revisions/{revision}/logs?tail=1")).await.body;
    assert_eq!(keys(at(&body, "data")), ["source", "lines", "truncated", "complete", "logTailUrl"]);
    let body = host.get(&format!("/deployments/{id}/loadbalancer")).await.body;
    assert_eq!(keys(at(&body, "data")), ["type", "addresses", "ports", "ready", "urls"]);
}

#[tokio::test]
async fn lists_have_pages_orders_and_filters() {
    let host = Host::start().await;
    for name in ["b", "a", "c"] {
        host.create(name).await;
    }
    let names = async |query: &str| {
        let list = host.get(&format!("/deployments{query}")).await.json();
        let names: Vec<String> =
            list["data"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap().to_owned()).collect();
        (names.concat(), list["meta"].to_string())
    };
    assert_eq!(names("").await, ("cab".to_owned(), r#"{"limit":20,"page":1,"total":3}"#.to_owned()));
    assert_eq!(names("?sort=name&limit=2").await, ("ab".to_owned(), r#"{"limit":2,"page":1,"total":3}"#.to_owned()));
    assert_eq!(names("?sort=-name&limit=2&page=2").await.0, "a");
    assert_eq!(names("?sort=createdAt&q=b&repo=ACME/checkout").await.0, "b");
    assert_eq!(names("?page=10000").await, (String::new(), r#"{"limit":20,"page":10000,"total":3}"#.to_owned()));
    assert_eq!(names("?repo=acme/other").await.0, "");
    for bad in ["?page=0", "?page=10001", "?limit=101", "?limit=+1", "?sort=size", "?pages=1", "?page=1&page=1", "?q="] {
        let answer = host.get(&format!("/deployments{bad}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{bad}");
        assert_eq!(answer.fields().len(), 1, "{bad}");
    }
}

#[tokio::test]
async fn an_event_stream_is_answered_as_json_for_now() {
    let host = Host::start().await;
    let id = host.create("checkout").await;
    let request = Request::new("GET", &format!("/deployments/{id}/events?after=1")).header("accept", "text/event-stream");
    let answer = host.send(request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.data()[0]["seq"], 2);
    assert_eq!(answer.json()["meta"]["total"], serde_json::Value::Null);
}
