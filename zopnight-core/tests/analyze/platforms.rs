//! Files of other platforms.

use zopnight_core::tree;

use super::{analyze, analyze_at, health, port, port_rule, said};

#[test]
fn fly_and_render_declare_ports_and_checks() {
    let go = tree! { "go.mod": "module x\n", "main.go": "package main\nfunc main() {}\n" };
    let fly = "[http_service]\ninternal_port = 8085\n[[http_service.checks]]\npath = \"/up\"\n";
    let got = analyze(go.clone().put("fly.toml", fly));
    assert_eq!((port(&got), port_rule(&got), health(&got)), (Some(8085), Some("platform-route"), Some("/up")));
    let got = analyze(go.clone().put("fly.toml", "a = ["));
    assert!(said(&got, "unparsable-file") && port(&got).is_none());
    let render =
        "services:\n  - type: web\n    healthCheckPath: /ok\n    envVars:\n      - key: PORT\n        value: 10000\n";
    let got = analyze(go.clone().put("render.yaml", render));
    assert_eq!((port(&got), health(&got)), (Some(10000), Some("/ok")));
    let got = analyze(
        go.put(
            "railway.json",
            "{\"deploy\": {\"healthcheckPath\": \"/r\"}, \"build\": {\"dockerfilePath\": \"ops/Dockerfile\"}}",
        )
        .put("ops/Dockerfile", "FROM a\nEXPOSE 8080\n"),
    );
    assert_eq!((got.dockerfile.as_ref().map(|d| d.as_str()), health(&got)), (Some("ops/Dockerfile"), Some("/r")));
}

#[test]
fn compose_names_port_dockerfile_and_context() {
    let compose = "services:\n  db:\n    image: postgres\n    ports: ['5432:5432']\n  api:\n    build:\n      context: .\n      dockerfile: api/Dockerfile.api\n    ports: ['127.0.0.1:80:${APP:-9080}/tcp']\n";
    let tree = tree! { "compose.yaml": compose, "api/Dockerfile.api": "FROM a\nCOPY . .\n" };
    let got = analyze(tree);
    assert_eq!((port(&got), port_rule(&got)), (Some(9080), Some("platform-route")));
    assert_eq!((got.dockerfile.unwrap().as_str(), got.build_context.as_str()), ("api/Dockerfile.api", "."));
    let tree = tree! { "docker-compose.yml": "services:\n  a:\n    build: ./a\n    ports: ['1:7001']\n  b:\n    build: ./b\n    ports: ['1:7002']\n",
    "a/go.mod": "module x\n", "b/go.mod": "module x\n" };
    assert_eq!(port(&analyze_at(tree, "b")), Some(7002));
}

#[test]
fn kubernetes_manifests_give_ports_and_probes() {
    let workload = "kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: side\n        image: x\n      - name: main\n        image: r.test/acme/shop:1\n        ports: [{containerPort: 8088}]\n        readinessProbe: {httpGet: {path: /ready, port: 8088}}\n";
    let go = tree! { "go.mod": "module x\n", "main.go": "package main\nfunc main() {}\n" };
    let got = analyze(go.clone().put("k8s/app.yaml", workload));
    assert_eq!((port(&got), port_rule(&got), health(&got)), (Some(8088), Some("k8s-container-port"), Some("/ready")));
    let service = format!("{workload}---\nkind: Service\nspec:\n  ports: [{{port: 80, targetPort: 8090}}]\n");
    assert_eq!(port(&analyze(go.clone().put("k8s/app.yaml", &service))), Some(8090));
    assert_eq!(port(&analyze(go.put("k8s/app.yaml", &workload.replace("8088}]", "8088}] # {{ x }}")))), None);
}
