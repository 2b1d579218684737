//! An analysis as it is answered. Described here, since the domain's own type knows nothing of documents.
#![expect(dead_code, reason = "these only describe; the domain's type is what is written")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::words;

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Analysis {
    language: Option<String>,
    framework: Option<String>,
    suggested_port: Option<u16>,
    suggested_health_path: Option<String>,
    dockerfile: Option<String>,
    build_context: String,
    needs_build: bool,
    /// The messages of warnings and errors.
    warnings: Vec<String>,
    /// `dockerfile` or `railpack`; null where nothing can be built.
    builder: Option<String>,
    /// Railpack's provider.
    provider: Option<String>,
    dialect: Option<String>,
    package_manager: Option<String>,
    start_command: Option<String>,
    needs_port: bool,
    /// The variable that moves the port.
    port_env: Option<String>,
    ports: Vec<FoundPort>,
    suggested_liveness_path: Option<String>,
    /// Whether the only listen call found binds a loopback address; null where that is not known.
    binds_loopback: Option<bool>,
    confidence: Confidences,
    evidence: Vec<Evidence>,
    diagnostics: Vec<Diagnostic>,
    /// Other directories that could be deployed.
    candidates: Vec<Candidate>,
    root_path: String,
    railpack: RailpackVerdict,
    railpack_version: String,
    /// Nothing was cut off by a budget.
    complete: bool,
    #[schema(rename = "commitSHA")]
    commit: String,
    /// What is configured; only for a deployment.
    #[schema(nullable = false)]
    current: Option<Current>,
}

#[derive(ToSchema)]
struct FoundPort {
    port: u16,
    #[schema(schema_with = words::port_kind)]
    kind: String,
    /// The one for main traffic.
    primary: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct Confidences {
    #[schema(schema_with = words::confidence)]
    language: String,
    #[schema(schema_with = words::confidence)]
    framework: String,
    #[schema(schema_with = words::confidence)]
    port: String,
    #[schema(schema_with = words::confidence)]
    health_path: String,
}

#[derive(ToSchema)]
struct Evidence {
    #[schema(schema_with = words::evidence)]
    field: String,
    value: String,
    file: Option<String>,
    line: Option<u32>,
    /// By which rule.
    rule: String,
    /// Lower is stronger; 0 where there is none.
    rank: u32,
    /// Whether it decided.
    used: bool,
}

#[derive(ToSchema)]
struct Diagnostic {
    code: String,
    #[schema(schema_with = words::severity)]
    severity: String,
    message: String,
    file: Option<String>,
    line: Option<u32>,
    hint: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct Candidate {
    root_path: String,
    provider: Option<String>,
    language: Option<String>,
    framework: Option<String>,
    /// The file that says so.
    manifest: String,
}

/// What Railpack would say of the directory, Dockerfile or not.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct RailpackVerdict {
    provider: Option<String>,
    detected_provider: Option<String>,
    start_command: Option<String>,
    output_directory: Option<String>,
    metadata: BTreeMap<String, String>,
    success: bool,
    failure: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct Current {
    port: Option<u16>,
    health_path: Option<String>,
    dockerfile: Option<String>,
}
