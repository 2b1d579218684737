//! The bodies that routes read. What is optional may be left out or `null`.
#![expect(dead_code, reason = "these only describe; bodies are read field by field, so that every fault is told")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::words;

#[derive(ToSchema)]
#[schema(as = AnalyzeRequest, rename_all = "camelCase")]
pub(super) struct Analyze {
    #[schema(rename = "integrationID")]
    integration_id: String,
    owner: String,
    repo: String,
    /// Default: the repository's default branch.
    branch: Option<String>,
    /// Default: `.`.
    root_path: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = AnalyzeDeploymentRequest, rename_all = "camelCase")]
pub(super) struct AnalyzeDeployment {
    /// Default: the deployment's own.
    branch: Option<String>,
    /// Default: the deployment's own.
    root_path: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = CreateRequest)]
pub(super) struct Create {
    /// Unique in the tenant; also the name of the release.
    name: String,
    source: CreateSource,
    build: Option<Build>,
    runtime: Option<Runtime>,
    target: CreateTarget,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct CreateSource {
    #[schema(rename = "integrationID")]
    integration_id: String,
    owner: String,
    repo: String,
    /// Default: the repository's default branch.
    branch: Option<String>,
    /// Default: `.`.
    root_path: Option<String>,
    /// Whether a push to the branch is deployed. Default: true.
    auto_deploy: Option<bool>,
}

#[derive(ToSchema)]
struct CreateTarget {
    #[schema(rename = "spaceID")]
    space_id: String,
    /// Default: the one that the tenant was granted.
    namespace: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = BuildRequest, rename_all = "camelCase")]
struct Build {
    /// `auto`, `dockerfile` or `railpack`. Default: `auto`.
    mode: Option<String>,
    /// Its path in the repository.
    dockerfile: Option<String>,
    /// Build arguments, not secret: at most 32, each at most 4 KiB. Those named `RAILPACK_*` configure Railpack.
    args: Option<BTreeMap<String, String>>,
    /// Default: 1800.
    #[schema(minimum = 60, maximum = 14400)]
    timeout_seconds: Option<u32>,
}

#[derive(ToSchema)]
#[schema(as = RuntimeRequest, rename_all = "camelCase")]
struct Runtime {
    /// Default: from the analysis of the commit.
    #[schema(minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// The variable that is set to the port, unless `env` names it. Default: `PORT`.
    port_env: Option<String>,
    /// Default: from the analysis of the commit.
    health_path: Option<String>,
    /// Default: from the analysis of the commit.
    liveness_path: Option<String>,
    env: Option<BTreeMap<String, String>>,
    /// Secrets that already exist in the namespace; no route takes a secret's value.
    #[schema(max_items = 64)]
    secret_refs: Option<Vec<SecretRef>>,
    replicas: Option<Replicas>,
    resources: Option<Resources>,
}

#[derive(ToSchema)]
#[schema(as = SecretRefRequest, rename_all = "camelCase")]
struct SecretRef {
    /// The variable.
    name: String,
    secret_name: String,
    key: String,
}

#[derive(ToSchema)]
#[schema(as = ReplicasRequest)]
struct Replicas {
    #[schema(maximum = 100)]
    min: Option<u32>,
    #[schema(maximum = 100)]
    max: Option<u32>,
}

#[derive(ToSchema)]
#[schema(as = ResourcesRequest, rename_all = "camelCase")]
struct Resources {
    cpu_request: Option<String>,
    cpu_limit: Option<String>,
    memory_request: Option<String>,
    memory_limit: Option<String>,
}

/// What is given replaces, what is absent stays, `null` is back to the default; `env` and `args` replace as a whole.
#[derive(ToSchema)]
#[schema(as = ConfigureRequest, rename_all = "camelCase")]
pub(super) struct Configure {
    /// Refused where this is no longer the deployment's.
    config_version: Option<u32>,
    source: Option<ConfigureSource>,
    build: Option<Build>,
    runtime: Option<Runtime>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct ConfigureSource {
    branch: Option<String>,
    root_path: Option<String>,
    auto_deploy: Option<bool>,
}

#[derive(ToSchema)]
#[schema(as = RedeployRequest, rename_all = "camelCase")]
pub(super) struct Redeploy {
    /// Default: the head of the branch. Not together with `reuseImage`.
    #[schema(rename = "commitSHA", pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$")]
    commit: Option<String>,
    /// The image that serves, with the configuration of now. Default: false.
    reuse_image: Option<bool>,
}

/// At most one of the two; without, the newest that succeeded before the one that serves.
#[derive(ToSchema)]
#[schema(as = RollbackRequest)]
pub(super) struct Rollback {
    #[schema(rename = "revisionID")]
    revision: Option<String>,
    #[schema(minimum = 1, maximum = 2147483647)]
    number: Option<u32>,
}

/// Nothing.
#[derive(ToSchema)]
#[schema(as = EmptyRequest)]
pub(super) struct Nothing {}

/// How a build ended.
#[derive(ToSchema)]
#[schema(as = BuildReport, rename_all = "camelCase")]
pub(super) struct Report {
    /// The token that the build was started with.
    jwt: String,
    #[schema(schema_with = words::report)]
    status: String,
    /// Where the image lies, best with its digest; only with `succeeded`.
    #[schema(nullable = false)]
    image_ref: Option<String>,
    /// Where a person reads the log.
    #[schema(nullable = false)]
    log_tail_url: Option<String>,
    /// Why there is no image; not with `succeeded`.
    #[schema(nullable = false)]
    error: Option<ReportedError>,
}

#[derive(ToSchema)]
struct ReportedError {
    code: String,
    #[schema(nullable = false)]
    message: Option<String>,
}
