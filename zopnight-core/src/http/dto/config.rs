//! How a deployment is built and run.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{BuildSpec, EnvName, HealthPath, Port, Quantity, RepoPath, Resources, RuntimeSpec, SecretRef};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BuildDto {
    mode: &'static str,
    dockerfile: Option<RepoPath>,
    args: BTreeMap<EnvName, String>,
    timeout_seconds: u32,
}

impl From<&BuildSpec> for BuildDto {
    fn from(b: &BuildSpec) -> Self {
        Self {
            mode: b.mode.as_str(),
            dockerfile: b.dockerfile.clone(),
            args: b.args.clone(),
            timeout_seconds: b.timeout_seconds,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuntimeDto {
    port: Option<Port>,
    port_env: EnvName,
    health_path: Option<HealthPath>,
    liveness_path: Option<HealthPath>,
    env: BTreeMap<EnvName, String>,
    secret_refs: Vec<SecretRefDto>,
    replicas: ReplicasDto,
    resources: ResourcesDto,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretRefDto {
    name: String,
    secret_name: String,
    key: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct ReplicasDto {
    min: u32,
    max: u32,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourcesDto {
    cpu_request: Option<Quantity>,
    cpu_limit: Option<Quantity>,
    memory_request: Option<Quantity>,
    memory_limit: Option<Quantity>,
}

impl From<&RuntimeSpec> for RuntimeDto {
    fn from(r: &RuntimeSpec) -> Self {
        Self {
            port: r.port,
            port_env: r.port_env.clone(),
            health_path: r.health_path.clone(),
            liveness_path: r.liveness_path.clone(),
            env: r.env.clone(),
            secret_refs: r.secret_refs.iter().map(SecretRefDto::from).collect(),
            replicas: ReplicasDto { min: r.replicas.min, max: r.replicas.max },
            resources: ResourcesDto::from(&r.resources),
        }
    }
}

impl From<&SecretRef> for SecretRefDto {
    fn from(s: &SecretRef) -> Self {
        Self { name: s.name.to_string(), secret_name: s.secret.to_string(), key: s.key.to_string() }
    }
}

impl From<&Resources> for ResourcesDto {
    fn from(r: &Resources) -> Self {
        Self {
            cpu_request: r.cpu_request.clone(),
            cpu_limit: r.cpu_limit.clone(),
            memory_request: r.memory_request.clone(),
            memory_limit: r.memory_limit.clone(),
        }
    }
}
