//! How a deployment is built and run.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{BuildSpec, EnvName, HealthPath, Port, Quantity, RepoPath, Resources, RuntimeSpec, SecretRef};
use crate::http::openapi::words;

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Build)]
pub(super) struct BuildDto {
    #[schema(schema_with = words::build_mode)]
    mode: &'static str,
    #[schema(value_type = Option<String>)]
    dockerfile: Option<RepoPath>,
    #[schema(value_type = BTreeMap<String, String>)]
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

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Runtime)]
pub(super) struct RuntimeDto {
    #[schema(value_type = Option<u16>)]
    port: Option<Port>,
    #[schema(value_type = String)]
    port_env: EnvName,
    #[schema(value_type = Option<String>)]
    health_path: Option<HealthPath>,
    #[schema(value_type = Option<String>)]
    liveness_path: Option<HealthPath>,
    #[schema(value_type = BTreeMap<String, String>)]
    env: BTreeMap<EnvName, String>,
    secret_refs: Vec<SecretRefDto>,
    replicas: ReplicasDto,
    resources: ResourcesDto,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretRef)]
struct SecretRefDto {
    name: String,
    secret_name: String,
    key: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Replicas)]
struct ReplicasDto {
    min: u32,
    max: u32,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Resources)]
struct ResourcesDto {
    #[schema(value_type = Option<String>)]
    cpu_request: Option<Quantity>,
    #[schema(value_type = Option<String>)]
    cpu_limit: Option<Quantity>,
    #[schema(value_type = Option<String>)]
    memory_request: Option<Quantity>,
    #[schema(value_type = Option<String>)]
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
