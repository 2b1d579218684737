//! The same chart and values through the real `helm template`: equal objects.
//!
//! Looks for helm binaries in the folders of `ZOPNIGHT_HELM_DIRS`, in `target/tools` and on `PATH`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use zopnight_core::domain::{
    CommitSha, DeployedImage, DeploymentId, EnvName, Fence, HealthPath, Namespace, OrgId, Port, ReleaseName, ReleaseRef,
    Replicas, RevisionNumber, RuntimeSpec, SecretKey, SecretName, SecretRef, SpaceId, Timestamp,
};
use zopnight_core::ports::ReleaseRequest;
use zopnight_k8s::{Chart, ChartSource, Object, RenderOptions, parse_manifest, render};

const VALUE_SETS: usize = 200;

#[expect(clippy::disallowed_methods, reason = "tests find their tools by the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The helm binaries present.
fn helms() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = variable("ZOPNIGHT_HELM_DIRS").iter().flat_map(std::env::split_paths).collect();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    if let Ok(entries) = std::fs::read_dir(tools) {
        folders.extend(entries.flatten().map(|e| e.path()));
    }
    folders.extend(variable("PATH").iter().flat_map(std::env::split_paths));
    let mut found: Vec<PathBuf> = folders.iter().map(|f| f.join("helm")).filter(|f| f.is_file()).collect();
    found.dedup();
    if found.is_empty() {
        zopnight_core::testing::skipped("there is no helm in ZOPNIGHT_HELM_DIRS, target/tools or PATH");
    }
    found
}

fn helm_template(helm: &Path, chart: &Path, values: &Value) -> Result<Vec<Object>, String> {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(helm)
        .args(["template", "web", "--namespace", "shop", "--kube-version", "1.33.0", "--values", "-"])
        .arg(chart)
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(values.to_string().replace('\u{2028}', "\\u2028").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(parse_manifest(&String::from_utf8(output.stdout).unwrap()).unwrap())
}

fn request(runtime: RuntimeSpec) -> ReleaseRequest {
    let target = ReleaseRef {
        org: OrgId::parse("acme").unwrap(),
        deployment: DeploymentId::parse("019b7b6e-7c00-7707-8707-070707070707").unwrap(),
        space: SpaceId::parse("prod").unwrap(),
        namespace: Namespace::parse("shop").unwrap(),
        release: ReleaseName::parse("web").unwrap(),
    };
    ReleaseRequest::new(
        target,
        RevisionNumber::new(3).unwrap(),
        Fence::of(1, 1),
        CommitSha::parse(&"1f".repeat(20)).unwrap(),
        DeployedImage::parse(&format!("registry.test/acme/web@sha256:{}", "ab".repeat(32))).unwrap(),
        runtime,
        Timestamp::from_secs(1_767_225_600),
    )
}

/// Without control characters: Helm cannot check a schema against values that hold any.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        "[ -~\n\té日😀\u{2028}]{0,12}",
        prop::sample::select(vec![
            "yes",
            "no",
            "null",
            "~",
            "1e3",
            "0x1F",
            "0777",
            "1_000",
            "12:30",
            "2026-01-01",
            "<>&",
            "{{ .Values.image }}",
            "---\nkind: ClusterRole",
            "a: b",
            "- a",
            "# x",
            "<no value>",
            "\n",
            " ",
            "",
        ])
        .prop_map(str::to_owned),
    ]
}

fn runtime() -> impl Strategy<Value = RuntimeSpec> {
    let path = prop::option::of("/[a-z~'%:@&=+$,;()*!._-]{0,8}".prop_filter_map("a path", |p| HealthPath::parse(&p).ok()));
    let env = prop::collection::btree_map(
        "[A-Za-z_][A-Za-z0-9_]{0,6}".prop_filter_map("a name", |n| EnvName::parse(&n).ok()),
        text(),
        0..5,
    );
    let secret = ("S_[A-Z]{1,8}", "[a-z0-9]{1,8}", "[A-Za-z0-9_-]{1,8}").prop_map(|(name, secret, key)| SecretRef {
        name: EnvName::parse(&name).unwrap(),
        secret: SecretName::parse(&secret).unwrap(),
        key: SecretKey::parse(&key).unwrap(),
    });
    (prop::option::of(1_u16..), path.clone(), path, env, prop::collection::vec(secret, 0..3), (0_u32..5, 0_u32..5)).prop_map(
        |(port, health_path, liveness_path, env, secret_refs, (min, more))| RuntimeSpec {
            port: port.and_then(|p| Port::new(p).ok()),
            health_path,
            liveness_path,
            env,
            secret_refs,
            replicas: Replicas { min, max: min + more },
            ..RuntimeSpec::default()
        },
    )
}

fn operator() -> impl Strategy<Value = Value> {
    let notes = prop::collection::btree_map("[a-z./-]{1,8}", text(), 0..3);
    (
        notes,
        any::<bool>(),
        prop::collection::vec(text(), 0..3),
        prop::sample::select(vec!["ClusterIP", "NodePort", "LoadBalancer"]),
        1_u32..5,
    )
        .prop_map(|(notes, ingress, args, service, threshold)| {
            json!({
                "podAnnotations": notes,
                "service": {"type": service, "annotations": notes},
                "serviceAccount": {"annotations": notes},
                "ingress": {"enabled": ingress, "host": "x.example.test", "annotations": notes, "tlsSecret": "cert"},
                "args": args,
                "nodeSelector": notes,
                "health": {"readinessFailureThreshold": threshold, "livenessPeriodSeconds": 7 + threshold},
                "securityContext": {"runAsUser": 1_000_000, "readOnlyRootFilesystem": true},
                "imagePullSecrets": ["a"],
                "secretEnvFrom": ["shared"],
            })
        })
}

fn by_label(objects: &[Object]) -> BTreeMap<String, Value> {
    objects.iter().map(|o| (format!("{} {}", o.kind(), o.name()), o.json().clone())).collect()
}

#[test]
fn the_service_chart_renders_as_with_helm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("chart");
    let chart = Chart::load(&ChartSource::Embedded).unwrap();
    for helm in helms() {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        for case in 0..VALUE_SETS {
            let (runtime, operator) = (runtime(), operator()).new_tree(&mut runner).unwrap().current();
            let request = request(runtime);
            let ours = render(&chart, &request, &RenderOptions::default().with_base_values(operator)).unwrap();
            let theirs = helm_template(&helm, &folder, &ours.config).unwrap();
            assert_eq!(by_label(&ours.objects), by_label(&theirs), "case {case}, {}: {}", helm.display(), ours.config);
        }
    }
}

/// Whether this helm drops the nulls of a chart's own defaults: 4.3 does, the versions up to 4.1 keep them, as we do.
fn drops_null_defaults(helm: &Path) -> bool {
    let output = Command::new(helm).args(["version", "--template", "{{.Version}}"]).env_clear().output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u32> = version.trim_start_matches('v').split('.').filter_map(|n| n.parse().ok()).collect();
    numbers.first().zip(numbers.get(1)) >= Some((&4, &3))
}

/// One fixture chart a group of functions, rendered by both.
#[test]
fn functions_answer_as_with_helm() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/functions");
    let chart = Chart::load(&ChartSource::Directory(fixture.clone())).unwrap();
    for helm in helms() {
        let ours = render(&chart, &request(RuntimeSpec::default()), &RenderOptions::default()).unwrap();
        let theirs = helm_template(&helm, &fixture, &ours.config).unwrap();
        let (ours, theirs) = (by_label(&ours.objects), by_label(&theirs));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (label, object) in &ours {
            for (key, value) in object["data"].as_object().unwrap() {
                let theirs = &theirs[label]["data"][key];
                if key == "nullDefaults" && drops_null_defaults(&helm) {
                    assert_eq!((value.as_str(), theirs.as_str()), (Some("a,z"), Some("a")), "the one difference known");
                    continue;
                }
                assert_eq!(value, theirs, "{label} {key}, {}", helm.display());
            }
        }
    }
}
