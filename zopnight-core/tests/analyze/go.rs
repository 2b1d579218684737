//! Go and its frameworks.

use zopnight_core::domain::analysis::{Builder, Confidence, PortKind};
use zopnight_core::tree;

use super::{analyze, analyze_with, health, port, port_rule, said};

const GOFR_MOD: &str = "module shop\n\ngo 1.24\n\nrequire gofr.dev v1.56.6\n";
const GOFR_MAIN: &str = r#"package main

import "gofr.dev/pkg/gofr"

func main() {
	app := gofr.New()
	app.GET("/hello", func(c *gofr.Context) (any, error) { return "hi", nil })
	app.Run()
}
"#;

#[test]
fn a_plain_module() {
    let got = analyze(tree! { "go.mod": "module shop\n", "main.go": "package main\nfunc main() { println(1) }\n" });
    assert_eq!(got.language.as_deref(), Some("go"));
    assert_eq!(got.provider.as_deref(), Some("golang"));
    assert_eq!(got.start_command.as_deref(), Some("./out"));
    assert_eq!(got.builder, Some(Builder::Railpack));
    assert!(!got.needs_port && got.suggested_port.is_none() && said(&got, "no-port-found"));
    assert_eq!(got.railpack.metadata.get("goMod").map(String::as_str), Some("true"));
}

#[test]
fn gofr_with_a_healthcheck_answers_as_the_api_shows() {
    let got = analyze(tree! {
        "go.mod": GOFR_MOD,
        "main.go": GOFR_MAIN,
        "configs/.env": "APP_NAME=checkout\n\nHTTP_PORT=8080\n",
        "Dockerfile": "FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /main\nFROM alpine\n\
            COPY --from=build /main /main\nCOPY --from=build /src/configs /configs\n\
            HEALTHCHECK CMD wget -qO- http://localhost:8080/health || exit 1\nCMD [\"/main\"]\n",
    });
    let json = serde_json::to_value(&got).unwrap();
    for (key, value) in [
        ("language", serde_json::json!("go")),
        ("framework", serde_json::json!("gofr")),
        ("suggestedPort", serde_json::json!(8080)),
        ("suggestedHealthPath", serde_json::json!("/health")),
        ("dockerfile", serde_json::json!("Dockerfile")),
        ("buildContext", serde_json::json!(".")),
        ("needsBuild", serde_json::json!(true)),
        ("warnings", serde_json::json!([])),
        ("startCommand", serde_json::json!("/main")),
        ("portEnv", serde_json::json!("HTTP_PORT")),
        ("bindsLoopback", serde_json::json!(false)),
    ] {
        assert_eq!(json[key], value, "{key}: {json:#}");
    }
    let decided = json["evidence"].as_array().unwrap().iter().find(|e| e["field"] == "port" && e["used"] == true).unwrap();
    let expected = serde_json::json!({"field": "port", "value": "8080", "file": "configs/.env", "line": 3,
        "rule": "gofr-http-port", "rank": 30, "used": true});
    assert_eq!(*decided, expected);
}

#[test]
fn gofr_without_a_healthcheck_uses_its_own_route_and_warns() {
    let got = analyze(tree! {
        "go.mod": GOFR_MOD, "main.go": GOFR_MAIN, "configs/.env": "A=1\nHTTP_PORT=8080\n",
        "Dockerfile": "FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /main\nFROM alpine\n\
            COPY --from=build /main /main\nCOPY configs /configs\nEXPOSE 8080\nCMD [\"/main\"]\n",
    });
    assert_eq!(port(&got), Some(8080));
    assert_eq!(health(&got), Some("/.well-known/health"));
    assert_eq!(got.suggested_liveness_path.as_ref().map(|p| p.as_str()), Some("/.well-known/alive"));
    assert!(said(&got, "health-body-only"));
    let ports: Vec<_> = got.ports.iter().map(|p| (p.port.get(), p.kind, p.primary)).collect();
    assert_eq!(ports, [(8080, PortKind::Http, true), (2121, PortKind::Metrics, false)]);
    assert_eq!(got.confidence.port, Confidence::High);
}

#[test]
fn gofr_defaults_and_files() {
    let got = analyze(tree! { "go.mod": GOFR_MOD, "main.go": GOFR_MAIN });
    assert_eq!((port(&got), port_rule(&got)), (Some(8000), Some("framework-default")));
    let got = analyze(tree! {
        "go.mod": GOFR_MOD, "main.go": GOFR_MAIN, "configs/.env": "HTTP_PORT=9000\n", "configs/.local.env": "HTTP_PORT=9001\n"
    });
    assert_eq!(port(&got), Some(9001));
    let got = analyze(tree! { "go.mod": GOFR_MOD, "main.go": GOFR_MAIN, "configs/.env": "HTTP_PORT=abc\nMETRICS_PORT=0\n" });
    assert_eq!(port(&got), Some(8000));
    assert_eq!(got.ports.len(), 1);
}

#[test]
fn gofr_in_an_image_without_its_configs_runs_on_defaults() {
    let got = analyze(tree! {
        "go.mod": GOFR_MOD, "main.go": GOFR_MAIN, "configs/.env": "HTTP_PORT=9000\n",
        "Dockerfile": "FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /main\nFROM scratch\n\
            COPY --from=build /main /main\nCMD [\"/main\"]\n",
    });
    assert_eq!(port(&got), Some(8000));
    assert!(said(&got, "config-not-copied"));
}

#[test]
fn gofr_that_serves_no_http() {
    let tool =
        GOFR_MAIN.replace("gofr.New()", "gofr.NewCMD()").replace("app.GET(\"/hello\", ", "app.SubCommand(\"hello\", ");
    let got = analyze(tree! { "go.mod": GOFR_MOD, "main.go": &tool });
    assert!(!got.needs_port && got.suggested_port.is_none() && got.suggested_health_path.is_none());
    let cron = GOFR_MAIN.replace("app.GET(\"/hello\", ", "app.AddCronJob(\"* * * * *\", \"\", ");
    let got = analyze(tree! { "go.mod": GOFR_MOD, "main.go": &cron, "configs/.env": "HTTP_PORT=9000\n" });
    assert!(!got.needs_port && got.suggested_port.is_none());
    let grpc = GOFR_MAIN.replace(
        "app.GET(\"/hello\", func(c *gofr.Context) (any, error) { return \"hi\", nil })",
        "pb.RegisterHelloServerWithGofr(app, s)",
    );
    let got = analyze(tree! { "go.mod": GOFR_MOD, "main.go": &grpc, "configs/.env": "GRPC_PORT=9050\nHTTP_PORT=9000\n" });
    assert_eq!(port(&got), Some(9050));
    assert!(said(&got, "grpc-only") && got.suggested_health_path.is_none());
}

#[test]
fn gin_with_a_literal_and_with_run_alone() {
    let module = "module shop\nrequire github.com/gin-gonic/gin v1.10.0\n";
    let main = |run: &str| {
        format!(
            "package main\nimport \"github.com/gin-gonic/gin\"\nfunc main() {{\n\tr := gin.Default()\n\tr.GET(\"/ping\", h)\n\t{run}\n}}\n"
        )
    };
    let got = analyze(tree! { "go.mod": module, "main.go": &main("r.Run(\":9999\")") });
    assert_eq!(got.framework.as_deref(), Some("gin"));
    assert_eq!((port(&got), port_rule(&got)), (Some(9999), Some("exact-literal")));
    assert_eq!(health(&got), Some("/ping"));
    let got = analyze(tree! { "go.mod": module, "main.go": &main("r.Run()") });
    assert_eq!((port(&got), got.port_env.as_deref()), (Some(8080), Some("PORT")));
}

#[test]
fn routers_with_literals() {
    for (id, import, listen) in [
        ("echo", "github.com/labstack/echo/v4", "e.Start(\":1323\")"),
        ("fiber", "github.com/gofiber/fiber/v2", "app.Listen(\":1323\")"),
        ("chi", "github.com/go-chi/chi/v5", "http.ListenAndServe(\":1323\", r)"),
        ("gorilla-mux", "github.com/gorilla/mux", "(&http.Server{\n\tAddr: \":1323\",\n\t}).ListenAndServe()"),
    ] {
        let main = format!("package main\nimport (\n\t\"{import}\"\n)\nfunc main() {{\n\t{listen}\n}}\n");
        let module = format!("module shop\nrequire {import} v1.0.0\n");
        let got = analyze(tree! { "go.mod": &module, "main.go": &main });
        assert_eq!((got.framework.as_deref(), port(&got)), (Some(id), Some(1323)), "{got:#?}");
    }
}

#[test]
fn net_http_with_an_environment_fallback_one_constant_away() {
    let main = "package main\nimport (\"net/http\"; \"os\")\nfunc main() {\n\tport := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"8081\"\n\t}\n\
        \t// http.ListenAndServe(\":1\", nil)\n\thttp.HandleFunc(\"GET /healthz\", h)\n\thttp.ListenAndServe(\":\"+port, nil)\n}\n";
    let got = analyze(
        tree! { "go.mod": "module shop\n", "main.go": main, "main_test.go": "package main\nfunc x() { http.ListenAndServe(\":7\", nil) }\n" },
    );
    assert_eq!(got.framework, None);
    assert_eq!((port(&got), port_rule(&got)), (Some(8081), Some("env-fallback")));
    assert_eq!(got.port_env.as_deref(), Some("PORT"));
    assert_eq!(health(&got), Some("/healthz"));
}

#[test]
fn an_indirect_requirement_is_no_framework() {
    let module = "module shop\nrequire github.com/gin-gonic/gin v1 // indirect\n";
    let got = analyze(tree! { "go.mod": module, "main.go": "package main\nfunc main() {}\n", "README.md": "uses gofr.dev" });
    assert_eq!(got.framework, None);
    assert_eq!(got.railpack.metadata.get("goGin").map(String::as_str), Some("true"));
}

#[test]
fn commands_and_loopback() {
    let main = "package main\nimport \"net/http\"\nfunc main() { http.ListenAndServe(\"127.0.0.1:8080\", nil) }\n";
    let got = analyze(
        tree! { "go.mod": "module shop\n", "cmd/a/main.go": main, "cmd/b/main.go": "package main\nfunc main() {}\n" },
    );
    assert_eq!((port(&got), got.binds_loopback), (Some(8080), Some(true)));
    assert!(said(&got, "binds-loopback") && said(&got, "go-cmd-ambiguous"));
    let got = analyze_with(
        tree! { "go.mod": "module shop\n", "cmd/a/main.go": main, "cmd/b/main.go": "package main\nfunc main() {}\n" },
        &[("RAILPACK_GO_BIN", "b")],
    );
    assert_eq!(port(&got), None);
    assert!(!said(&got, "go-cmd-ambiguous"));
}
