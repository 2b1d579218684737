//! The values of the service chart, from what a release asks for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use zopnight_core::domain::{Quantity, Resources};
use zopnight_core::ports::ReleaseRequest;

/// What the service chart is given. Secrets are references only.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceValues {
    image: String,
    zopnight: Identity,
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    autoscaling: Autoscaling,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret_env: Vec<SecretEnv>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    resources: Map<String, Json>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    health: Map<String, Json>,
}

#[derive(Clone, Debug, Serialize)]
struct Identity {
    deployment: String,
    revision: String,
    commit: String,
}

#[derive(Clone, Debug, Serialize)]
struct Autoscaling {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u32>,
}

#[derive(Clone, Debug, Serialize)]
struct SecretEnv {
    name: String,
    secret: String,
    key: String,
}

impl ServiceValues {
    /// The values of `request`. `below` are the values that these are laid over: their resources must stay consistent with
    /// what the request names.
    pub(crate) fn of(request: &ReleaseRequest, below: &Json) -> Self {
        let runtime = &request.runtime;
        let mut env: BTreeMap<String, String> =
            runtime.env.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let taken = runtime.secret_refs.iter().any(|s| s.name == runtime.port_env);
        if let Some(port) = runtime.port.filter(|_| !taken) {
            env.entry(runtime.port_env.to_string()).or_insert_with(|| port.to_string());
        }
        let fixed = runtime.replicas.min == runtime.replicas.max;
        let mut health = Map::new();
        for (key, path) in [("path", &runtime.health_path), ("livenessPath", &runtime.liveness_path)] {
            if let Some(path) = path {
                health.insert(key.into(), Json::from(path.as_str()));
            }
        }
        Self {
            image: request.image.to_string(),
            zopnight: Identity {
                deployment: request.target.deployment.to_string(),
                revision: request.revision.to_string(),
                commit: request.commit.to_string(),
            },
            port: runtime.port.map(|p| p.get()),
            replicas: fixed.then_some(runtime.replicas.min),
            // An autoscaler cannot scale to zero.
            autoscaling: Autoscaling {
                enabled: !fixed,
                min: (!fixed).then_some(runtime.replicas.min.max(1)),
                max: (!fixed).then_some(runtime.replicas.max),
            },
            env,
            secret_env: runtime
                .secret_refs
                .iter()
                .map(|s| SecretEnv { name: s.name.to_string(), secret: s.secret.to_string(), key: s.key.to_string() })
                .collect(),
            resources: resources(&runtime.resources, below),
            health,
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or(Json::Null)
    }
}

/// The resources named, and for one of which only one side is named the other side where the one below would contradict it.
fn resources(wanted: &Resources, below: &Json) -> Map<String, Json> {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    for (name, request, limit) in
        [("cpu", &wanted.cpu_request, &wanted.cpu_limit), ("memory", &wanted.memory_request, &wanted.memory_limit)]
    {
        let default = |side: &str| {
            let text = below.pointer(&["/resources/", side, "/", name].concat()).and_then(Json::as_str);
            text.and_then(|t| Quantity::parse(t).ok())
        };
        let (request, limit) = match (request, limit) {
            (Some(request), None) if default("limits").is_some_and(|l| l.milli() < request.milli()) => {
                (Some(request), Some(request))
            }
            (None, Some(limit)) if default("requests").is_some_and(|r| r.milli() > limit.milli()) => {
                (Some(limit), Some(limit))
            }
            (request, limit) => (request.as_ref(), limit.as_ref()),
        };
        for (side, quantity) in [(&mut requests, request), (&mut limits, limit)] {
            if let Some(quantity) = quantity {
                side.insert(name.into(), Json::from(quantity.as_str()));
            }
        }
    }
    let sides = [("requests", requests), ("limits", limits)];
    sides.into_iter().filter(|(_, map)| !map.is_empty()).map(|(k, map)| (k.to_owned(), Json::Object(map))).collect()
}

/// Lays `over` over `base`, map by map. With `drop_nulls`, a null removes what lies below, as Helm has it for a chart's
/// defaults.
pub(crate) fn lay_over(base: &Json, over: &Json, drop_nulls: bool) -> Json {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            let mut laid = base.clone();
            for (key, value) in over {
                match laid.get(key) {
                    Some(_) if drop_nulls && value.is_null() => {
                        laid.remove(key);
                    }
                    Some(below) => {
                        let value = lay_over(below, value, drop_nulls);
                        laid.insert(key.clone(), value);
                    }
                    None => {
                        laid.insert(key.clone(), value.clone());
                    }
                }
            }
            Json::Object(laid)
        }
        (_, over) => over.clone(),
    }
}

/// The operator's values with `{release}` and `{namespace}` in the Ingress host filled in.
pub(crate) fn operator_values(values: &Json, release: &str, namespace: &str) -> Json {
    let mut values = values.clone();
    if let Some(host) = values.pointer_mut("/ingress/host")
        && let Some(template) = host.as_str()
    {
        *host = Json::from(template.replace("{release}", release).replace("{namespace}", namespace));
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nulls_remove_defaults_and_maps_merge() {
        let base = json!({"a": {"b": 1, "c": 2}, "d": 1});
        let over = json!({"a": {"b": null, "e": 3}, "d": [1], "f": null});
        assert_eq!(lay_over(&base, &over, true), json!({"a": {"c": 2, "e": 3}, "d": [1], "f": null}));
        assert_eq!(lay_over(&base, &over, false), json!({"a": {"b": null, "c": 2, "e": 3}, "d": [1], "f": null}));
    }

    #[test]
    fn one_side_of_the_resources_does_not_contradict_the_default_of_the_other() {
        let below = json!({"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}});
        let q = |t: &str| Quantity::parse(t).ok();
        let of = |wanted: Resources| Json::Object(resources(&wanted, &below));
        assert_eq!(of(Resources::default()), json!({}));
        let high = Resources { memory_request: q("1Gi"), ..Resources::default() };
        assert_eq!(of(high), json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}));
        let low = Resources { memory_limit: q("64Mi"), cpu_limit: q("50m"), ..Resources::default() };
        assert_eq!(
            of(low),
            json!({"requests": {"memory": "64Mi", "cpu": "50m"}, "limits": {"memory": "64Mi", "cpu": "50m"}})
        );
        let inside = Resources { memory_request: q("256Mi"), cpu_request: q("2"), ..Resources::default() };
        assert_eq!(of(inside), json!({"requests": {"memory": "256Mi", "cpu": "2"}}));
    }
}
