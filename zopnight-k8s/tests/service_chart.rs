//! The service chart's rules, and what hostile text in a request can do to the objects: nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use serde_json::{Value, json};
use zopnight_core::domain::{
    CommitSha, DeployedImage, DeploymentId, EnvName, Fence, HealthPath, Namespace, OrgId, Port, Quantity, ReleaseName,
    ReleaseRef, Replicas, RevisionNumber, RuntimeSpec, SecretKey, SecretName, SecretRef, SpaceId, Timestamp,
};
use zopnight_core::ports::ReleaseRequest;
use zopnight_k8s::{Chart, ChartSource, RenderOptions, Rendered, parse_manifest, render};

const IMAGE: &str = "registry.test/acme/web@sha256:abababababababababababababababababababababababababababababababab";

fn request(revision: u32, runtime: RuntimeSpec) -> ReleaseRequest {
    let target = ReleaseRef {
        org: OrgId::parse("acme").unwrap(),
        deployment: DeploymentId::parse("019b7b6e-7c00-7707-8707-070707070707").unwrap(),
        space: SpaceId::parse("prod").unwrap(),
        namespace: Namespace::parse("shop").unwrap(),
        release: ReleaseName::parse("web-0707070707").unwrap(),
    };
    ReleaseRequest::new(
        target,
        RevisionNumber::new(revision).unwrap(),
        Fence::of(1, 1),
        CommitSha::parse(&format!("{revision:040x}")).unwrap(),
        DeployedImage::parse(IMAGE).unwrap(),
        runtime,
        Timestamp::from_secs(1_767_225_600),
    )
}

fn chart() -> Arc<Chart> {
    Chart::load(&ChartSource::Embedded).unwrap()
}

fn web() -> RuntimeSpec {
    RuntimeSpec { port: Port::new(8000).ok(), ..RuntimeSpec::default() }
}

fn rendered(revision: u32, runtime: RuntimeSpec) -> Rendered {
    rendered_over(revision, runtime, json!({}))
}

fn rendered_over(revision: u32, runtime: RuntimeSpec, base: Value) -> Rendered {
    render(&chart(), &request(revision, runtime), &RenderOptions::default().with_base_values(base)).unwrap()
}

fn kinds(rendered: &Rendered) -> Vec<&str> {
    rendered.objects.iter().map(|o| o.kind()).collect()
}

fn find<'r>(rendered: &'r Rendered, kind: &str) -> &'r Value {
    rendered.objects.iter().find(|o| o.kind() == kind).unwrap().json()
}

fn pod(rendered: &Rendered) -> &Value {
    &find(rendered, "Deployment")["spec"]["template"]
}

fn container(rendered: &Rendered) -> &Value {
    &pod(rendered)["spec"]["containers"][0]
}

fn env(name: &str, value: &str) -> (EnvName, String) {
    (EnvName::parse(name).unwrap(), value.to_owned())
}

#[test]
fn a_web_service_in_full() {
    let mut runtime = web();
    runtime.env.extend([env("MODE", "yes"), env("EMPTY", "")]);
    runtime.secret_refs.push(SecretRef {
        name: EnvName::parse("DB_PASSWORD").unwrap(),
        secret: SecretName::parse("db").unwrap(),
        key: SecretKey::parse("password").unwrap(),
    });
    runtime.health_path = HealthPath::parse("/healthz").ok();
    let rendered = rendered(3, runtime);
    assert_eq!(kinds(&rendered), ["ServiceAccount", "ConfigMap", "Service", "Deployment"]);
    let labels = json!({"app.kubernetes.io/name": "zopnight-service", "app.kubernetes.io/instance": "web-0707070707"});
    let identity = json!({
        "zopnight.dev/deployment": "019b7b6e-7c00-7707-8707-070707070707",
        "zopnight.dev/revision": "3",
        "zopnight.dev/commit": "0000000000000000000000000000000000000003",
    });
    assert_eq!(
        find(&rendered, "ServiceAccount"),
        &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web-0707070707", "labels": labels},
            "automountServiceAccountToken": false})
    );
    assert_eq!(find(&rendered, "ConfigMap")["metadata"]["name"], "web-0707070707-env");
    assert_eq!(find(&rendered, "ConfigMap")["data"], json!({"EMPTY": "", "MODE": "yes", "PORT": "8000"}));
    assert_eq!(
        find(&rendered, "Service")["spec"],
        json!({"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]})
    );
    let deployment = find(&rendered, "Deployment");
    assert_eq!(deployment["metadata"], json!({"name": "web-0707070707", "labels": labels, "annotations": identity}));
    let mut pod_annotations = identity.clone();
    pod_annotations["checksum/config"] = pod(&rendered)["metadata"]["annotations"]["checksum/config"].clone();
    let probe =
        |period: u32| json!({"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": period, "timeoutSeconds": 3});
    let mut startup = probe(2);
    startup["failureThreshold"] = json!(60);
    assert_eq!(
        deployment["spec"],
        json!({
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": pod_annotations},
                "spec": {
                    "serviceAccountName": "web-0707070707",
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 30,
                    "containers": [{
                        "name": "app",
                        "image": IMAGE,
                        "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
                        "envFrom": [{"configMapRef": {"name": "web-0707070707-env"}}],
                        "ports": [{"name": "http", "containerPort": 8000}],
                        "startupProbe": startup,
                        "readinessProbe": probe(5),
                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                        "securityContext": {"allowPrivilegeEscalation": false, "seccompProfile": {"type": "RuntimeDefault"}},
                    }],
                },
            },
        })
    );
    assert!(rendered.notes.contains("revision 3"));
}

#[test]
fn the_manifest_says_what_is_applied() {
    let rendered = rendered(3, web());
    assert_eq!(parse_manifest(&rendered.manifest).unwrap(), rendered.objects);
    let first = "---\n# Source: zopnight-service/templates/serviceaccount.yaml\napiVersion: v1\nkind: ServiceAccount\n";
    assert!(rendered.manifest.starts_with(first), "{}", rendered.manifest);
    let image = format!("image: \"{IMAGE}\"");
    assert!(rendered.manifest.contains(&image), "the digest is quoted");
    for line in rendered.manifest.lines().filter(|l| l.contains("zopnight.dev/") || l.contains("checksum/config")) {
        assert!(line.ends_with('"'), "{line}");
    }
}

#[test]
fn the_selector_never_changes() {
    let mut other = web();
    other.env.extend([env("A", "b")]);
    other.replicas = Replicas { min: 2, max: 9 };
    let base = json!({"podLabels": {"app.kubernetes.io/name": "evil", "team": "a"}, "podAnnotations": {"x": "y"}});
    let (before, after) = (rendered(1, web()), rendered_over(9, other, base));
    let selector = |r: &Rendered| find(r, "Deployment")["spec"]["selector"].clone();
    assert_eq!(selector(&before), selector(&after));
    let labels = pod(&after)["metadata"]["labels"].clone();
    for (key, value) in selector(&after)["matchLabels"].as_object().unwrap() {
        assert_eq!(&labels[key], value, "{key}");
    }
    assert_eq!(labels["team"], "a");
}

#[test]
fn a_changed_configuration_rolls_the_pods() {
    let checksum = |runtime: RuntimeSpec| pod(&rendered(1, runtime))["metadata"]["annotations"]["checksum/config"].clone();
    let with = |value: &str| {
        let mut runtime = web();
        runtime.env.extend([env("A", value)]);
        runtime
    };
    assert_eq!(checksum(with("1")), checksum(with("1")));
    assert_ne!(checksum(with("1")), checksum(with("2")));
    assert_ne!(checksum(web()), checksum(with("")));
    assert_ne!(pod(&rendered(1, web())), pod(&rendered(2, web())), "the revision itself rolls them too");
}

#[test]
fn a_worker_has_neither_service_nor_probes() {
    let rendered = rendered_over(1, RuntimeSpec::default(), json!({"ingress": {"enabled": true, "host": "x.test"}}));
    assert_eq!(kinds(&rendered), ["ServiceAccount", "Deployment"]);
    for absent in ["ports", "startupProbe", "readinessProbe", "livenessProbe", "envFrom"] {
        assert_eq!(container(&rendered)[absent], Value::Null, "{absent}");
    }
}

#[test]
fn each_probe_has_exactly_one_handler() {
    let tcp = rendered(1, web());
    assert_eq!(container(&tcp)["readinessProbe"]["tcpSocket"], json!({"port": "http"}));
    assert_eq!(container(&tcp)["livenessProbe"], Value::Null);
    let mut runtime = web();
    runtime.liveness_path = HealthPath::parse("/live").ok();
    let live = rendered(1, runtime);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let handlers = ["httpGet", "tcpSocket", "exec", "grpc"].iter().filter(|h| !container(&live)[probe][**h].is_null());
        assert_eq!(handlers.count(), 1, "{probe}");
    }
    assert_eq!(container(&live)["livenessProbe"]["httpGet"]["path"], "/live");
    assert_eq!(container(&live)["readinessProbe"]["tcpSocket"]["port"], "http");
}

#[test]
fn replicas_are_fixed_or_scaled() {
    let of = |min, max| {
        let mut runtime = web();
        runtime.replicas = Replicas { min, max };
        rendered(1, runtime)
    };
    let fixed = of(1, 1);
    assert_eq!(find(&fixed, "Deployment")["spec"]["replicas"], 1);
    assert!(!kinds(&fixed).contains(&"PodDisruptionBudget") && !kinds(&fixed).contains(&"HorizontalPodAutoscaler"));
    assert_eq!(find(&of(0, 0), "Deployment")["spec"]["replicas"], 0);
    let several = of(3, 3);
    assert_eq!(find(&several, "PodDisruptionBudget")["spec"]["minAvailable"], 1);
    let scaled = of(2, 5);
    assert_eq!(find(&scaled, "Deployment")["spec"].get("replicas"), None);
    let autoscaler = &find(&scaled, "HorizontalPodAutoscaler")["spec"];
    assert_eq!((&autoscaler["minReplicas"], &autoscaler["maxReplicas"]), (&json!(2), &json!(5)));
    assert_eq!(autoscaler["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
    assert!(kinds(&scaled).contains(&"PodDisruptionBudget"));
    let from_zero = of(0, 4);
    assert_eq!(find(&from_zero, "HorizontalPodAutoscaler")["spec"]["minReplicas"], 1);
    assert!(!kinds(&from_zero).contains(&"PodDisruptionBudget"));
}

#[test]
fn the_operators_values_lie_below_the_requests() {
    let base = json!({
        "image": "evil.test/x@sha256:00",
        "replicas": 7,
        "port": 1,
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        "ingress": {"enabled": true, "host": "{release}.{namespace}.example.test", "className": "nginx"},
        "imagePullSecrets": ["pull"],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
    });
    let rendered = rendered_over(1, web(), base);
    assert_eq!(container(&rendered)["image"], IMAGE);
    assert_eq!(find(&rendered, "Deployment")["spec"]["replicas"], 1);
    assert_eq!(container(&rendered)["ports"][0]["containerPort"], 8000);
    assert_eq!(find(&rendered, "Service")["spec"]["type"], "LoadBalancer");
    assert_eq!(find(&rendered, "Service")["metadata"]["annotations"], json!({"a": "b"}));
    assert_eq!(find(&rendered, "Ingress")["spec"]["rules"][0]["host"], "web-0707070707.shop.example.test");
    assert_eq!(find(&rendered, "Ingress")["spec"]["ingressClassName"], "nginx");
    assert_eq!(pod(&rendered)["spec"]["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(pod(&rendered)["spec"]["nodeSelector"], json!({"disk": "ssd"}));
    assert_eq!(pod(&rendered)["spec"]["tolerations"], json!([{"key": "spot", "operator": "Exists"}]));
}

#[test]
fn the_port_reaches_the_container_unless_the_variable_is_taken() {
    let data = |runtime: RuntimeSpec| find(&rendered(1, runtime), "ConfigMap")["data"].clone();
    let mut named = web();
    named.port_env = EnvName::parse("LISTEN").unwrap();
    assert_eq!(data(named), json!({"LISTEN": "8000"}));
    let mut own = web();
    own.env.extend([env("PORT", "9000")]);
    assert_eq!(data(own), json!({"PORT": "9000"}));
}

#[test]
fn resources_are_those_asked_for() {
    let mut runtime = web();
    runtime.resources.cpu_limit = Quantity::parse("2").ok();
    runtime.resources.memory_request = Quantity::parse("1Gi").ok();
    let resources = container(&rendered(1, runtime))["resources"].clone();
    assert_eq!(resources, json!({"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}));
}

#[test]
fn only_a_digest_is_deployed() {
    let base = json!({"zopnight": null});
    let options = RenderOptions::default().with_base_values(base);
    assert!(render(&chart(), &request(1, web()), &options).is_ok(), "the request's own values win");
}

/// Texts that would change the document if they reached it unquoted.
fn hostile() -> Vec<String> {
    let parts = [
        "\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: evil\n",
        "---\nkind: ClusterRole",
        "\"\n---\nkind: ClusterRole\n#",
        "'\nkind: Pod\n'",
        "{{ .Release.Name }}",
        "{{ fail \"x\" }}",
        "{{- range $i := until 9 }}x{{ end }}",
        "{{/*",
        "}}",
        "{{ include \"zopnight-service.fullname\" . }}",
        "&anchor x",
        "*alias",
        "<<: *x",
        "!!binary x",
        "!!python/object:x",
        "| \n  block",
        ">-\n folded",
        "a: b",
        "- a",
        "? a",
        "#comment",
        "x #comment",
        "%YAML 1.1",
        "@at",
        "`tick`",
        "\"",
        "'",
        "\\",
        "\\n",
        "\\\"",
        "$(id)",
        "${HOME}",
        "`id`",
        "yes",
        "no",
        "on",
        "null",
        "~",
        "true",
        "0x1F",
        "0777",
        "1e3",
        "1_000",
        "12:30:45",
        "2026-01-01",
        ".inf",
        ".nan",
        "",
        " ",
        "\t",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{FEFF}",
        "\u{FFFE}",
        "\u{202E}",
        "\u{1}",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{10FFFF}",
        "é",
        "日本",
        "😀",
        "<script>",
        "a&b",
        "{}",
        "[]",
        "{a: b}",
        "[a, b]",
        "...",
        "--- a",
        "<no value>",
        "=",
        ",",
    ];
    let mut texts: Vec<String> = parts.iter().map(|p| (*p).to_owned()).collect();
    texts.extend(parts.iter().map(|p| format!("before {p}")));
    texts.extend(parts.iter().map(|p| format!("{p} after")));
    texts.extend(parts.iter().map(|p| format!("one\n{p}\ntwo")));
    texts.extend(parts.iter().map(|p| p.repeat(3)));
    texts
}

/// The same objects with what varies taken out.
fn shape(rendered: &Rendered) -> Vec<Value> {
    let mut objects: Vec<Value> = rendered.objects.iter().map(|o| o.json().clone()).collect();
    for object in &mut objects {
        if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) {
            data.values_mut().for_each(|value| *value = json!("…"));
        }
        if let Some(checksum) = object.pointer_mut("/spec/template/metadata/annotations/checksum~1config") {
            *checksum = json!("…");
        }
    }
    objects
}

/// Every string of a RuntimeSpec that is not a name by grammar is a value of `env`.
#[test]
fn hostile_values_arrive_unchanged_and_change_nothing_else() {
    let texts = hostile();
    assert!(texts.len() >= 300, "{}", texts.len());
    let with = |value: &str| {
        let mut runtime = web();
        runtime.env.extend([env("A", "x"), env("VALUE", value), env("Z", "x")]);
        rendered(1, runtime)
    };
    let plain = shape(&with("plain"));
    for text in &texts {
        let found = with(text);
        assert_eq!(find(&found, "ConfigMap")["data"]["VALUE"], json!(text), "{text:?}");
        assert_eq!(shape(&found), plain, "{text:?}");
        assert_eq!(parse_manifest(&found.manifest).unwrap(), found.objects, "{text:?}");
    }
}

/// What the grammars let through is harmless in every other place: names that YAML would take for something else.
#[test]
fn names_that_look_like_something_else_stay_names() {
    for name in ["y", "n", "yes", "null", "true", "Off", "_", "NO"] {
        let mut runtime = web();
        runtime.env.extend([env(name, "1")]);
        runtime.secret_refs.push(SecretRef {
            name: EnvName::parse(&format!("{name}_")).unwrap(),
            secret: SecretName::parse("1e3").unwrap(),
            key: SecretKey::parse(name).unwrap(),
        });
        let rendered = rendered(1, runtime);
        assert_eq!(find(&rendered, "ConfigMap")["data"][name], "1", "{name}");
        let reference = &container(&rendered)["env"][0]["valueFrom"]["secretKeyRef"];
        assert_eq!(reference, &json!({"name": "1e3", "key": name}), "{name}");
    }
    for key in ["0x1F", "1e3", "012", "1_000", ".5", "-", "2026-01-01", "true"] {
        let mut runtime = web();
        let key = SecretKey::parse(key).unwrap();
        let (name, secret) = (EnvName::parse("A").unwrap(), SecretName::parse("0").unwrap());
        runtime.secret_refs.push(SecretRef { name, secret, key: key.clone() });
        let rendered = rendered(1, runtime);
        assert_eq!(container(&rendered)["env"][0]["valueFrom"]["secretKeyRef"]["key"], key.as_str());
    }
    for path in ["/a'b", "/a:b", "/%22", "/~", "/*&", "/;,=@"] {
        let mut runtime = web();
        runtime.health_path = HealthPath::parse(path).ok();
        runtime.liveness_path = HealthPath::parse(path).ok();
        let rendered = rendered(1, runtime);
        assert_eq!(container(&rendered)["readinessProbe"]["httpGet"]["path"], path);
        assert_eq!(container(&rendered)["livenessProbe"]["httpGet"]["path"], path);
    }
}

/// The operator's free texts are quoted as well.
#[test]
fn hostile_operator_values_stay_values() {
    for text in hostile() {
        let base = json!({
            "podAnnotations": {"note": text},
            "service": {"annotations": {"note": text}},
            "serviceAccount": {"annotations": {"note": text}},
            "command": [text],
            "args": ["-c", text],
            "nodeSelector": {"note": text},
        });
        let rendered = rendered_over(1, web(), base);
        assert_eq!(kinds(&rendered), ["ServiceAccount", "ConfigMap", "Service", "Deployment"], "{text:?}");
        assert_eq!(pod(&rendered)["metadata"]["annotations"]["note"], json!(text), "{text:?}");
        assert_eq!(find(&rendered, "Service")["metadata"]["annotations"]["note"], json!(text), "{text:?}");
        assert_eq!(find(&rendered, "ServiceAccount")["metadata"]["annotations"]["note"], json!(text), "{text:?}");
        assert_eq!(container(&rendered)["command"], json!([text]), "{text:?}");
        assert_eq!(container(&rendered)["args"], json!(["-c", text]), "{text:?}");
        assert_eq!(pod(&rendered)["spec"]["nodeSelector"]["note"], json!(text), "{text:?}");
    }
}
