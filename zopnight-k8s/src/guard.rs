//! The structural guard: what a rendered release may contain, whatever chart and values made it.

mod pods;

use std::collections::BTreeSet;

use serde_json::Value as Json;
use zopnight_core::ports::ReleaseRequest;
use zopnight_core::{Error, Result};

use crate::object::Object;
use crate::render::Rendered;

/// Kinds that a release may contain, by `apiVersion` and `kind`.
const KINDS: [(&str, &str); 12] = [
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
];

/// Kinds that no configuration allows: they reach beyond the namespace, grant rights, or carry secrets past the guard.
const NEVER: [&str; 12] = [
    "Secret",
    "Pod",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "CustomResourceDefinition",
    "PersistentVolume",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "APIService",
];

const MAX_OBJECTS: usize = 200;

/// What the guard lets through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GuardConfig {
    /// Further `(apiVersion, kind)` pairs of namespaced kinds, such as `("monitoring.coreos.com/v1", "ServiceMonitor")`.
    pub allowed_kinds: Vec<(String, String)>,
    /// Images besides the release's own, compared byte for byte.
    pub allowed_images: Vec<String>,
    /// Lets host namespaces, host paths, privileged containers and foreign service accounts through.
    pub allow_privileged: bool,
    /// The largest manifest, in bytes; 512 KiB.
    pub max_manifest_bytes: usize,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            allowed_kinds: Vec::new(),
            allowed_images: Vec::new(),
            allow_privileged: false,
            max_manifest_bytes: 512 << 10,
        }
    }
}

impl GuardConfig {
    /// Also lets this namespaced kind through.
    #[must_use]
    pub fn with_kind(mut self, api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        self.allowed_kinds.push((api_version.into(), kind.into()));
        self
    }

    /// Also lets this image through.
    #[must_use]
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.allowed_images.push(image.into());
        self
    }

    /// Lets privileged pods through.
    #[must_use]
    pub const fn with_privileged(mut self, allow: bool) -> Self {
        self.allow_privileged = allow;
        self
    }
}

/// One rule that was broken.
struct Breach {
    rule: &'static str,
    message: String,
}

type Checked = std::result::Result<(), Breach>;

fn breach(rule: &'static str, message: impl Into<String>) -> Breach {
    Breach { rule, message: message.into() }
}

fn need(ok: bool, rule: &'static str, message: impl FnOnce() -> String) -> Checked {
    if ok { Ok(()) } else { Err(breach(rule, message())) }
}

/// What the rules are checked against.
struct Rules<'a> {
    config: &'a GuardConfig,
    request: &'a ReleaseRequest,
    ingress_host: Option<&'a str>,
    image: String,
    service_accounts: BTreeSet<&'a str>,
}

/// Checks a rendered release; gives its objects as they are applied, in the order of installation.
///
/// # Errors
/// `Invalid`, naming object and rule; context key `rule`.
pub(crate) fn check(rendered: &Rendered, request: &ReleaseRequest, config: &GuardConfig) -> Result<Vec<Object>> {
    let objects = &rendered.objects;
    let rules = Rules {
        config,
        request,
        ingress_host: rendered.ingress_host.as_deref().filter(|h| !h.is_empty()),
        image: request.image.to_string(),
        service_accounts: objects.iter().filter(|o| o.kind() == "ServiceAccount").map(Object::name).collect(),
    };
    let refuse = |object: Option<&Object>, Breach { rule, message }: Breach| {
        let place = object.map_or_else(|| "release".to_owned(), Object::label);
        Error::invalid("k8s.guard", format!("{place}: {message}")).with("rule", rule)
    };
    let bytes = rendered.manifest.len();
    need(bytes <= config.max_manifest_bytes, "size", || format!("the manifest has {bytes} bytes"))
        .and_then(|()| need(objects.len() <= MAX_OBJECTS, "size", || format!("more than {MAX_OBJECTS} objects")))
        .map_err(|b| refuse(None, b))?;
    let mut seen = BTreeSet::new();
    for object in objects {
        rules.object(object).map_err(|b| refuse(Some(object), b))?;
        let unique = seen.insert((object.group(), object.kind(), object.name()));
        need(unique, "names", || "is there twice".into()).map_err(|b| refuse(Some(object), b))?;
    }
    rules.one_workload(objects).map_err(|b| refuse(None, b))?;
    let (release, namespace) = (request.target.release.as_str(), request.target.namespace.as_str());
    Ok(objects.iter().map(|o| o.owned_by(release, namespace)).collect())
}

impl Rules<'_> {
    fn object(&self, object: &Object) -> Checked {
        self.kind(object)?;
        self.metadata(object)?;
        self.network(object)?;
        pods::check(self, object)
    }

    fn kind(&self, object: &Object) -> Checked {
        let (version, kind) = (object.api_version(), object.kind());
        let listed =
            KINDS.contains(&(version, kind)) || self.config.allowed_kinds.iter().any(|(v, k)| v == version && k == kind);
        need(listed && !NEVER.contains(&kind), "kinds", || format!("kind {version} {kind} is not allowed"))
    }

    fn metadata(&self, object: &Object) -> Checked {
        let name = object.name();
        let label = |l: &str| {
            !l.is_empty()
                && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        need(name.len() <= 253 && name.split('.').all(label), "names", || "the name is no DNS subdomain".into())?;
        let namespace = object.namespace().unwrap_or_else(|| self.request.target.namespace.as_str());
        need(namespace == self.request.target.namespace.as_str(), "namespace", || {
            format!("namespace {namespace:?} is not the release's")
        })?;
        for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion", "uid", "generateName"] {
            let absent = object.json().pointer(&["/metadata/", field].concat()).is_none();
            need(absent, "ownership", || format!("metadata.{field} is not allowed"))?;
        }
        for metadata in ["/metadata", "/spec/template/metadata", "/spec/jobTemplate/spec/template/metadata"] {
            self.own_keys(object, metadata)?;
        }
        Ok(())
    }

    /// Keys of ours hold what we wrote; there are no others.
    fn own_keys(&self, object: &Object, metadata: &str) -> Checked {
        for group in ["labels", "annotations"] {
            let Some(map) = object.json().pointer(&[metadata, "/", group].concat()) else { continue };
            let Some(map) = map.as_object() else {
                return Err(breach("ownership", format!("{group} is not a map")));
            };
            for (key, value) in map {
                need(value.is_string(), "ownership", || format!("{group} {key:?} is not a text"))?;
                let Some(own) = key.strip_prefix("zopnight.dev/") else { continue };
                let expected = match own {
                    "deployment" => self.request.target.deployment.to_string(),
                    "revision" => self.request.revision.to_string(),
                    "commit" => self.request.commit.to_string(),
                    _ => return Err(breach("ownership", format!("{key} is not ours"))),
                };
                let ours = group == "annotations" && value.as_str() == Some(&expected);
                need(ours, "ownership", || format!("{key} does not hold what was asked for"))?;
            }
        }
        Ok(())
    }

    fn network(&self, object: &Object) -> Checked {
        match object.kind() {
            "Service" => {
                let external = object.json().pointer("/spec/externalIPs");
                need(external.is_none_or(is_empty), "services", || "spec.externalIPs is not allowed".into())?;
                let named = object.text("/spec/type") == Some("ExternalName");
                need(!named, "services", || "type ExternalName is not allowed".into())
            }
            "Ingress" => {
                let rules = items(object.json(), "/spec/rules");
                let hosts = rules.map(|rule| rule.get("host").and_then(Json::as_str));
                let tls = items(object.json(), "/spec/tls").flat_map(|t| items(t, "/hosts")).map(Json::as_str);
                let allowed = self.ingress_host;
                let ours = hosts.chain(tls).all(|host| host.is_some() && host == allowed);
                need(ours, "services", || "a host is not the one of the values".into())?;
                let fallback = object.json().pointer("/spec/defaultBackend").is_some();
                need(!fallback, "services", || "spec.defaultBackend takes every host".into())
            }
            _ => Ok(()),
        }
    }

    fn one_workload(&self, objects: &[Object]) -> Checked {
        let mut workloads = objects.iter().filter(|o| self.is_workload(o));
        let (Some(workload), None) = (workloads.next(), workloads.next()) else {
            return Err(breach("workload count", "there must be exactly one Deployment or StatefulSet of this release"));
        };
        let main = workload.text("/spec/template/spec/containers/0/image");
        need(main == Some(&self.image), "image", || format!("{} does not run the release's image", workload.label()))
    }

    /// A Deployment or StatefulSet that selects by the release's name.
    fn is_workload(&self, object: &Object) -> bool {
        is_workload(object, self.request.target.release.as_str())
    }
}

pub(crate) fn is_workload(object: &Object, release: &str) -> bool {
    matches!(object.kind(), "Deployment" | "StatefulSet")
        && object
            .json()
            .pointer("/spec/selector/matchLabels")
            .and_then(Json::as_object)
            .is_some_and(|labels| labels.values().any(|v| v.as_str() == Some(release)))
}

fn items<'j>(json: &'j Json, pointer: &str) -> impl Iterator<Item = &'j Json> {
    json.pointer(pointer).and_then(Json::as_array).into_iter().flatten()
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::String(text) => text.is_empty(),
        Json::Bool(true) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
