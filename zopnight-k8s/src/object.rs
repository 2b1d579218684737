//! Kubernetes objects as plain JSON, and the orders in which they are installed and removed.

use serde_json::{Map, Value as Json};
use zopnight_core::{Error, Result};

use crate::render::{yaml_in, yaml_out};

/// In this order objects are installed; unknown kinds come last, by name.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// In this order objects are removed; it is not the reverse of the other: a Service goes early.
const UNINSTALL_ORDER: [&str; 38] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBinding",
    "RoleBindingList",
    "Role",
    "RoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "ClusterRole",
    "ClusterRoleList",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// One object of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
    json: Json,
}

impl Object {
    /// Reads an object from JSON: `apiVersion`, `kind` and `metadata.name` must be texts.
    pub(crate) fn from_json(json: Json) -> std::result::Result<Self, String> {
        let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
        let need = |pointer: &str, name: &str| {
            text(pointer).filter(|t| !t.is_empty()).ok_or_else(|| format!("{name} is missing or not a text"))
        };
        let namespace = match json.pointer("/metadata/namespace") {
            None | Some(Json::Null) => None,
            Some(Json::String(namespace)) => Some(namespace.clone()),
            Some(_) => return Err("metadata.namespace is not a text".into()),
        };
        Ok(Self {
            api_version: need("/apiVersion", "apiVersion")?,
            kind: need("/kind", "kind")?,
            name: need("/metadata/name", "metadata.name")?,
            namespace,
            json,
        })
    }

    /// Such as `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Such as `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace, if the chart wrote one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The whole object.
    #[must_use]
    pub const fn json(&self) -> &Json {
        &self.json
    }

    /// The object as YAML, with a trailing newline.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = yaml_out::to_yaml(&self.json);
        text.push('\n');
        text
    }

    /// `Kind/name`, for messages.
    pub(crate) fn label(&self) -> String {
        [&self.kind, "/", &self.name].concat()
    }

    /// The API group: empty for core objects.
    pub(crate) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// A text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.json.pointer(pointer).and_then(Json::as_str)
    }

    /// The object as it is applied: in the release's namespace, marked as the release's own, as Helm marks it.
    #[must_use]
    pub fn owned_by(&self, release: &str, namespace: &str) -> Self {
        let mut owned = self.clone();
        if let Some(metadata) = owned.json.get_mut("metadata").and_then(Json::as_object_mut) {
            metadata.insert("namespace".into(), Json::from(namespace));
            put(metadata, "labels", "app.kubernetes.io/managed-by", "Helm");
            put(metadata, "annotations", "meta.helm.sh/release-name", release);
            put(metadata, "annotations", "meta.helm.sh/release-namespace", namespace);
        }
        owned.namespace = Some(namespace.to_owned());
        owned
    }
}

fn put(metadata: &mut Map<String, Json>, group: &str, key: &str, value: &str) {
    let entry = metadata.entry(group).or_insert_with(|| Json::Object(Map::new()));
    if !entry.is_object() {
        *entry = Json::Object(Map::new());
    }
    if let Some(map) = entry.as_object_mut() {
        map.insert(key.to_owned(), Json::from(value));
    }
}

fn rank(order: &[&str], kind: &str) -> usize {
    order.iter().position(|k| *k == kind).unwrap_or(order.len())
}

fn sort_by(order: &[&str], objects: &mut [Object]) {
    objects.sort_by(|a, b| {
        let known = rank(order, &a.kind).cmp(&rank(order, &b.kind));
        known.then_with(|| a.kind.cmp(&b.kind)).then_with(|| a.name.cmp(&b.name))
    });
}

/// Sorts into the order of installation; stable by name within a kind.
pub(crate) fn sort_for_install(objects: &mut [Object]) {
    sort_by(&INSTALL_ORDER, objects);
}

/// Sorts into the order of removal.
pub(crate) fn sort_for_uninstall(objects: &mut [Object]) {
    sort_by(&UNINSTALL_ORDER, objects);
}

/// The objects of a manifest, in its order.
///
/// # Errors
/// `Invalid` if a document is no YAML, or no object.
pub fn parse_manifest(manifest: &str) -> Result<Vec<Object>> {
    crate::render::split::documents(manifest)
        .map(|document| {
            let source = document.lines().next().and_then(|l| l.strip_prefix("# Source: ")).unwrap_or("manifest").to_owned();
            let parsed = yaml_in::parse(&document).and_then(Object::from_json);
            parsed.map_err(|fault| Error::invalid("k8s.manifest", format!("{source}: {fault}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str) -> Object {
        Object::from_json(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})).unwrap()
    }

    #[test]
    fn orders() {
        let kinds = ["Zebra", "Ingress", "Deployment", "Service", "ConfigMap", "Apple", "ServiceAccount"];
        let mut objects: Vec<Object> = kinds.iter().map(|k| object(k, "x")).collect();
        objects.push(object("Service", "a"));
        sort_for_install(&mut objects);
        let order: Vec<String> = objects.iter().map(Object::label).collect();
        assert_eq!(
            order,
            ["ServiceAccount/x", "ConfigMap/x", "Service/a", "Service/x", "Deployment/x", "Ingress/x", "Apple/x", "Zebra/x"]
        );
        sort_for_uninstall(&mut objects);
        assert_eq!(objects[0].kind(), "Ingress");
        assert_eq!(objects[1].label(), "Service/a");
    }

    #[test]
    fn ownership_is_written_over_what_was_there() {
        let foreign = Object::from_json(json!({"apiVersion": "v1", "kind": "Service", "metadata": {
            "name": "x", "labels": {"app.kubernetes.io/managed-by": "someone", "a": "b"}}}));
        let owned = foreign.unwrap().owned_by("web", "prod");
        assert_eq!(
            owned.json()["metadata"],
            json!({"name": "x", "namespace": "prod",
                "labels": {"app.kubernetes.io/managed-by": "Helm", "a": "b"},
                "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod"}})
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["- a", "kind: A", "apiVersion: v1\nkind: A", "apiVersion: v1\nkind: A\nmetadata: {name: 1}", "a: [", "x"]
        {
            assert!(parse_manifest(bad).is_err(), "{bad}");
        }
        let two = "---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n# Source: b\napiVersion: v1\nkind: B\nmetadata: {name: b}\n";
        assert_eq!(parse_manifest(two).unwrap().len(), 2);
    }
}
