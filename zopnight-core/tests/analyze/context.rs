//! Dockerfiles: choice, context, what the image declares.

use zopnight_core::domain::analysis::Builder;
use zopnight_core::testing::tree::MemoryTree;
use zopnight_core::tree;

use super::{analyze, analyze_at, health, port, port_rule, said};

/// The chosen Dockerfile and context.
fn built(tree: MemoryTree, root: &str) -> (String, String) {
    let got = analyze_at(tree, root);
    (got.dockerfile.unwrap().to_string(), got.build_context.to_string())
}

fn pair(dockerfile: &str, context: &str) -> (String, String) {
    (dockerfile.to_owned(), context.to_owned())
}

#[test]
fn the_context_is_where_the_sources_are() {
    let copy = "FROM golang\nCOPY go.mod go.sum ./\n";
    assert_eq!(built(tree! { "a/Dockerfile": copy, "go.mod": "", "go.sum": "" }, "a"), pair("a/Dockerfile", "."));
    assert_eq!(built(tree! { "a/Dockerfile": copy, "a/go.mod": "", "a/go.sum": "" }, "a"), pair("a/Dockerfile", "a"));
    assert_eq!(
        built(tree! { "svc/Dockerfile": "FROM a\nCOPY ./svc ./\n", "svc/x": "" }, "svc"),
        pair("svc/Dockerfile", ".")
    );
    assert_eq!(built(tree! { "a/Dockerfile": "FROM a\nCOPY . .\n" }, "a"), pair("a/Dockerfile", "a"));
    let nested = "FROM a\nCOPY . /src\nWORKDIR /src/a/b\n";
    assert_eq!(built(tree! { "a/b/Dockerfile": nested }, "a/b"), pair("a/b/Dockerfile", "."));
    let variable = "ARG DIR=web\nFROM a\nARG DIR\nCOPY ${DIR}/x .\n";
    assert_eq!(built(tree! { "a/Dockerfile": variable, "web/x": "" }, "a"), pair("a/Dockerfile", "."));
    let stages = "FROM a AS build\nCOPY x .\nFROM b\nCOPY --from=build /x /y\n";
    assert_eq!(built(tree! { "a/Dockerfile": stages, "x": "" }, "a"), pair("a/Dockerfile", "."));
    let unused = "FROM a AS test\nCOPY gone .\nFROM b\nCOPY . .\n";
    assert_eq!(built(tree! { "a/Dockerfile": unused }, "a"), pair("a/Dockerfile", "a"));
    assert_eq!(built(tree! { "docker/Dockerfile": "FROM a\nCOPY x .\n", "x": "" }, "."), pair("docker/Dockerfile", "."));
    assert_eq!(built(tree! { "a/Dockerfile": "FROM a\nCOPY *.txt ./\n", "x.txt": "" }, "a"), pair("a/Dockerfile", "."));
}

#[test]
fn what_is_missing_or_built_first_is_told() {
    let got = analyze(tree! { "Dockerfile": "FROM eclipse-temurin\nCOPY target/*.jar app.jar\n" });
    assert_eq!(got.build_context.as_str(), ".");
    assert!(said(&got, "build-artifact-expected") && !said(&got, "docker-context-unresolved"));
    assert_eq!(got.language.as_deref(), Some("java"));
    let got = analyze(tree! { "Dockerfile": "FROM a\nCOPY gone .\n" });
    assert!(said(&got, "docker-context-unresolved"));
    let got = analyze(tree! { "Dockerfile": "FROM a\nCOPY x .\n", "x": "", ".dockerignore": "*\n!y\n" });
    assert!(said(&got, "dockerignore-excludes-source"));
    let got = analyze(tree! { "Dockerfile": "FROM a\nCOPY . .\nWORKDIR /app\n" });
    assert!(!said(&got, "docker-context-unresolved"));
}

#[test]
fn which_dockerfile() {
    let both = tree! { "Dockerfile": "FROM a\n", "Containerfile": "FROM b\n", "Dockerfile.dev": "FROM c\n" };
    assert_eq!(built(both, ".").0, "Dockerfile");
    let got = analyze(tree! { "package.json": r#"{"main": "a.js"}"#, "Dockerfile.prod": "FROM a\nEXPOSE 7070\n" });
    assert!(got.dockerfile.is_none() && said(&got, "dockerfile-variant"));
    assert_eq!((port(&got), port_rule(&got)), (Some(7070), Some("variant-dockerfile")));
    let got = analyze(tree! { "app.dockerfile": "FROM python\nEXPOSE 7070\n" });
    assert!(said(&got, "dockerfile-variant-used") && got.language.as_deref() == Some("python"));
    let got = analyze(tree! { "go.mod": "module x\n", "main.go": "", "Dockerfile": "RUN x\n" });
    assert_eq!(got.builder, Some(Builder::Railpack));
    assert!(said(&got, "dockerfile-invalid") && got.dockerfile.is_none());
    let got = analyze(tree! { "Dockerfile/x": "" });
    assert!(got.dockerfile.is_none() && !said(&got, "dockerfile-invalid"));
    let got = analyze_at(tree! { "Dockerfile": "FROM a\n", "a/x": "" }, "a");
    assert!(got.dockerfile.is_none());
}

#[test]
fn ports_of_an_image() {
    let image = |rest: &str| analyze(tree! { "Dockerfile": &format!("FROM node:22\n{rest}") });
    let got = image("EXPOSE 8080/tcp 53/udp\nCMD [\"node\", \"a.js\"]\n");
    assert_eq!((port(&got), port_rule(&got), got.start_command.as_deref()), (Some(8080), Some("expose"), Some("node a.js")));
    let got = image("ENV PORT=5000\nEXPOSE 8080\nCMD node a.js\n");
    assert_eq!((port(&got), port_rule(&got), got.port_env.as_deref()), (Some(5000), Some("image-env"), Some("PORT")));
    let got = image("ENV PORT=5000\nEXPOSE 8080\nCMD gunicorn -b 0.0.0.0:$PORT a:b\n");
    assert_eq!((port(&got), port_rule(&got)), (Some(5000), Some("start-flag")));
    let got = image("EXPOSE 8080\nCMD [\"server\", \"--port=9191\"]\n");
    assert_eq!(port(&got), Some(9191));
    assert!(said(&got, "expose-vs-listen-conflict"));
    let got = analyze(tree! { "Dockerfile": "FROM nginx:1\nCOPY index.html /usr/share/nginx/html\n", "index.html": "" });
    assert_eq!((port(&got), port_rule(&got), health(&got)), (Some(80), Some("base-image-port"), Some("/")));
}

#[test]
fn healthchecks_of_an_image() {
    let image = |check: &str| analyze(tree! { "Dockerfile": &format!("FROM a\nEXPOSE 8080\nHEALTHCHECK {check}\n") });
    assert_eq!(health(&image("CMD curl -f http://localhost:8080/up?x=1 || exit 1")), Some("/up"));
    assert_eq!(health(&image("--interval=3s CMD [\"wget\", \"-q\", \"http://127.0.0.1:8080\"]")), Some("/"));
    assert_eq!(health(&image("CMD curl http://example.com/health")), None);
    assert_eq!(health(&image("NONE")), None);
    let got = image("CMD curl http://localhost:9000/up");
    assert!(health(&got).is_none() && said(&got, "health-port-differs") && said(&got, "no-health-path"));
}

#[test]
fn an_entrypoint_script_is_followed() {
    let got = analyze(tree! {
        "Dockerfile": "FROM python\nCOPY entrypoint.sh /\nENTRYPOINT [\"/entrypoint.sh\"]\n",
        "entrypoint.sh": "#!/bin/sh\nset -e\n# uvicorn --port 1\nexec uvicorn app:app --port 8123\n",
    });
    assert_eq!((port(&got), port_rule(&got)), (Some(8123), Some("start-flag")));
}
