//! Every rule with an object that breaks it.

use serde_json::{Value as Json, json};

use super::*;
use crate::object::parse_manifest;
use crate::render::{RenderOptions, render};
use crate::testkit::{chart, request};

/// The service chart's release with one more object, or with a change to its Deployment.
fn verdict(change: impl FnOnce(&mut Vec<Json>), config: &GuardConfig) -> std::result::Result<(), String> {
    let request = request(3);
    let mut rendered = render(&chart(), &request, &RenderOptions::default()).unwrap();
    let mut objects: Vec<Json> = rendered.objects.iter().map(|o| o.json().clone()).collect();
    change(&mut objects);
    rendered.objects = objects.into_iter().map(|json| Object::from_json(json).unwrap()).collect();
    match check(&rendered, &request, config) {
        Ok(_) => Ok(()),
        Err(error) => {
            assert_eq!(error.kind(), zopnight_core::ErrorKind::Invalid);
            Err(error.context("rule").unwrap().to_owned())
        }
    }
}

fn deployment(objects: &mut [Json]) -> &mut Json {
    objects.iter_mut().find(|o| o["kind"] == "Deployment").unwrap()
}

fn adding(object: Json) -> std::result::Result<(), String> {
    verdict(|objects| objects.push(object), &GuardConfig::default())
}

fn changing(pointer: &str, value: Json) -> std::result::Result<(), String> {
    verdict(|objects| put(deployment(objects), pointer, value), &GuardConfig::default())
}

fn put(json: &mut Json, pointer: &str, value: Json) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    match json.pointer_mut(parent).unwrap() {
        Json::Object(map) => drop(map.insert(key, value)),
        Json::Array(items) => items.push(value),
        other => panic!("{other}"),
    }
}

fn object(version: &str, kind: &str, more: Json) -> Json {
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
    let Json::Object(more) = more else { panic!("{more}") };
    object.as_object_mut().unwrap().extend(more);
    object
}

#[test]
fn the_service_chart_passes_and_its_objects_are_marked() {
    let request = request(3);
    let rendered = render(&chart(), &request, &RenderOptions::default()).unwrap();
    for object in check(&rendered, &request, &GuardConfig::default()).unwrap() {
        assert_eq!(object.namespace(), Some("shop"));
        assert_eq!(object.text("/metadata/labels/app.kubernetes.io~1managed-by"), Some("Helm"));
        assert_eq!(object.text("/metadata/annotations/meta.helm.sh~1release-name"), Some("web-0123456789"));
        assert_eq!(object.text("/metadata/annotations/meta.helm.sh~1release-namespace"), Some("shop"));
    }
}

#[test]
fn kinds() {
    for (version, kind) in [
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("v1", "Secret"),
        ("v1", "Pod"),
        ("v1", "Namespace"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1beta1", "Deployment"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ] {
        assert_eq!(adding(object(version, kind, json!({}))), Err("kinds".into()), "{kind}");
    }
    let monitor = || object("monitoring.coreos.com/v1", "ServiceMonitor", json!({}));
    let wider = GuardConfig::default().with_kind("monitoring.coreos.com/v1", "ServiceMonitor").with_kind("v1", "Secret");
    assert_eq!(verdict(|o| o.push(monitor()), &wider), Ok(()));
    assert_eq!(verdict(|o| o.push(object("v1", "Secret", json!({}))), &wider), Err("kinds".into()));
}

#[test]
fn namespace_and_names() {
    assert_eq!(changing("/metadata/namespace", json!("shop")), Ok(()));
    assert_eq!(changing("/metadata/namespace", json!("other")), Err("namespace".into()));
    for name in ["UPPER", "a_b", "-a", "a..b", &"a".repeat(254)] {
        let named = json!({"metadata": {"name": name}});
        assert_eq!(adding(object("v1", "ConfigMap", named)), Err("names".into()), "{name}");
    }
    let twice = |objects: &mut Vec<Json>| objects.push(objects[0].clone());
    assert_eq!(verdict(twice, &GuardConfig::default()), Err("names".into()));
}

#[test]
fn one_workload_with_the_image_asked_for() {
    let none = |objects: &mut Vec<Json>| objects.retain(|o| o["kind"] != "Deployment");
    assert_eq!(verdict(none, &GuardConfig::default()), Err("workload count".into()));
    let two = |objects: &mut Vec<Json>| {
        let mut second = deployment(objects).clone();
        put(&mut second, "/metadata/name", json!("second"));
        objects.push(second);
    };
    assert_eq!(verdict(two, &GuardConfig::default()), Err("workload count".into()));
    let foreign = format!("registry.test/acme/other@sha256:{}", "ab".repeat(32));
    let tagged = json!("registry.test/acme/web:latest");
    assert_eq!(changing("/spec/template/spec/containers/0/image", tagged), Err("image".into()));
    let sidecar = json!({"name": "s", "image": foreign});
    assert_eq!(changing("/spec/template/spec/containers/-", sidecar.clone()), Err("image".into()));
    assert_eq!(changing("/spec/template/spec/initContainers", json!([sidecar])), Err("image".into()));
    let allowed = GuardConfig::default().with_image(&foreign);
    let add =
        |o: &mut Vec<Json>| put(deployment(o), "/spec/template/spec/containers/-", json!({"name": "s", "image": foreign}));
    assert_eq!(verdict(add, &allowed), Ok(()));
    let main = |o: &mut Vec<Json>| put(deployment(o), "/spec/template/spec/containers/0/image", json!(foreign));
    assert_eq!(verdict(main, &allowed), Err("image".into()));
    let job = json!({"spec": {"template": {"spec": {"containers": [{"name": "j", "image": "busybox"}]}}}});
    assert_eq!(adding(object("batch/v1", "Job", job)), Err("image".into()));
    let cron = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"image": "busybox"}]}}}}}});
    assert_eq!(adding(object("batch/v1", "CronJob", cron)), Err("image".into()));
}

#[test]
fn pods() {
    for (pointer, value) in [
        ("/spec/template/spec/hostNetwork", json!(true)),
        ("/spec/template/spec/hostPID", json!(true)),
        ("/spec/template/spec/hostIPC", json!(true)),
        ("/spec/template/spec/nodeName", json!("n1")),
        ("/spec/template/spec/volumes", json!([{"name": "v", "hostPath": {"path": "/"}}])),
        ("/spec/template/spec/serviceAccountName", json!("admin")),
        ("/spec/template/spec/containers/0/securityContext", json!({"privileged": true})),
        ("/spec/template/spec/containers/0/securityContext", json!({"capabilities": {"add": ["NET_ADMIN"]}})),
    ] {
        assert_eq!(changing(pointer, value.clone()), Err("pod".into()), "{pointer}");
        let open = GuardConfig::default().with_privileged(true);
        assert_eq!(verdict(|o| put(deployment(o), pointer, value), &open), Ok(()), "{pointer}");
    }
    assert_eq!(changing("/spec/template/spec/serviceAccountName", json!("default")), Ok(()));
    assert_eq!(adding(object("batch/v1", "Job", json!({"spec": {}}))), Err("pod".into()));
}

#[test]
fn ownership() {
    for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion", "uid"] {
        assert_eq!(changing(&["/metadata/", field].concat(), json!("x")), Err("ownership".into()), "{field}");
    }
    for (pointer, value) in [
        ("/metadata/annotations/zopnight.dev~1other", "x"),
        ("/metadata/annotations/zopnight.dev~1revision", "4"),
        ("/spec/template/metadata/annotations/zopnight.dev~1revision", "4"),
        ("/spec/template/metadata/labels/zopnight.dev~1revision", "3"),
        ("/metadata/annotations/zopnight.dev~1commit", "x"),
    ] {
        assert_eq!(changing(pointer, json!(value)), Err("ownership".into()), "{pointer}");
    }
    assert_eq!(changing("/metadata/labels/a", json!(1)), Err("ownership".into()));
}

#[test]
fn environment() {
    let from = |source: Json| json!([{"name": "A", "valueFrom": source}]);
    let pointer = "/spec/template/spec/containers/0/env";
    assert_eq!(changing(pointer, from(json!({"fileKeyRef": {"path": "x"}}))), Err("env".into()));
    for kind in ["secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"] {
        let mut source = serde_json::Map::new();
        source.insert(kind.into(), json!({}));
        assert_eq!(changing(pointer, from(Json::Object(source))), Ok(()), "{kind}");
    }
}

#[test]
fn services_and_ingresses() {
    let service = |spec: Json| adding(object("v1", "Service", json!({ "spec": spec })));
    assert_eq!(service(json!({"externalIPs": ["10.0.0.1"]})), Err("services".into()));
    assert_eq!(service(json!({"type": "ExternalName", "externalName": "evil.test"})), Err("services".into()));
    assert_eq!(service(json!({"type": "LoadBalancer"})), Ok(()));
    let ingress = |spec: Json| adding(object("networking.k8s.io/v1", "Ingress", json!({ "spec": spec })));
    assert_eq!(ingress(json!({"rules": [{"host": "other.test"}]})), Err("services".into()));
    assert_eq!(ingress(json!({"rules": [{}]})), Err("services".into()));
    assert_eq!(ingress(json!({"defaultBackend": {}})), Err("services".into()));
}

#[test]
fn size() {
    let small = GuardConfig { max_manifest_bytes: 100, ..GuardConfig::default() };
    assert_eq!(verdict(|_| {}, &small), Err("size".into()));
    let many = |objects: &mut Vec<Json>| {
        for n in 0..200 {
            objects.push(object("v1", "ConfigMap", json!({"metadata": {"name": format!("c{n}")}})));
        }
    };
    assert_eq!(verdict(many, &GuardConfig::default()), Err("size".into()));
}

#[test]
fn an_ingress_of_the_values_host_passes() {
    let request = request(3);
    let base = json!({"ingress": {"enabled": true, "host": "{release}.{namespace}.test", "tlsSecret": "cert"}});
    let rendered = render(&chart(), &request, &RenderOptions::default().with_base_values(base)).unwrap();
    let objects = check(&rendered, &request, &GuardConfig::default()).unwrap();
    let ingress = objects.iter().find(|o| o.kind() == "Ingress").unwrap();
    assert_eq!(ingress.text("/spec/rules/0/host"), Some("web-0123456789.shop.test"));
    assert_eq!(parse_manifest(&rendered.manifest).unwrap(), rendered.objects);
}
