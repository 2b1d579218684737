//! What the analyzer answers. Field order is the order on the wire; every key is always present there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::repo_path::RepoPath;
use super::runtime::{HealthPath, Port};

/// The Railpack version whose verdict this is.
pub const RAILPACK_VERSION: &str = "0.37.0";

/// How a directory of a repository would be built and run, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Analysis {
    /// The ecosystem; `None` = nothing recognised.
    pub language: Option<String>,
    /// The framework; never a guess.
    pub framework: Option<String>,
    /// Where the container listens for its main traffic.
    pub suggested_port: Option<Port>,
    /// What to probe for readiness.
    pub suggested_health_path: Option<HealthPath>,
    /// The chosen Dockerfile; `None` = Railpack, or none.
    pub dockerfile: Option<RepoPath>,
    /// The build context.
    pub build_context: RepoPath,
    /// Whether an image can be built from here.
    pub needs_build: bool,
    /// The messages of warnings and errors.
    pub warnings: Vec<String>,
    /// Which builder; `None` iff `needs_build` is false.
    pub builder: Option<Builder>,
    /// Railpack's provider.
    pub provider: Option<String>,
    /// The language's dialect, such as `typescript`.
    pub dialect: Option<String>,
    /// The package manager.
    pub package_manager: Option<String>,
    /// What will run.
    pub start_command: Option<String>,
    /// Whether something listens.
    pub needs_port: bool,
    /// The variable that moves the port.
    pub port_env: Option<String>,
    /// All listening ports found.
    pub ports: Vec<FoundPort>,
    /// What to probe for liveness, where it differs.
    pub suggested_liveness_path: Option<HealthPath>,
    /// The only listen call found binds a loopback address; `None` = not known.
    pub binds_loopback: Option<bool>,
    /// How sure each answer is.
    pub confidence: Confidences,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What is noteworthy or wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Other directories that could be deployed.
    pub candidates: Vec<Candidate>,
    /// The analysed directory.
    pub root_path: RepoPath,
    /// What Railpack would say of it.
    pub railpack: RailpackVerdict,
    /// Always [`RAILPACK_VERSION`].
    pub railpack_version: String,
    /// Nothing was cut off by a budget.
    pub complete: bool,
}

impl Analysis {
    /// The answer for a directory of which nothing is recognised.
    #[must_use]
    pub fn nothing(root_path: RepoPath) -> Self {
        Self {
            language: None,
            framework: None,
            suggested_port: None,
            suggested_health_path: None,
            dockerfile: None,
            build_context: root_path.clone(),
            needs_build: false,
            warnings: Vec::new(),
            builder: None,
            provider: None,
            dialect: None,
            package_manager: None,
            start_command: None,
            needs_port: false,
            port_env: None,
            ports: Vec::new(),
            suggested_liveness_path: None,
            binds_loopback: None,
            confidence: Confidences::default(),
            evidence: Vec::new(),
            diagnostics: Vec::new(),
            candidates: Vec::new(),
            root_path,
            railpack: RailpackVerdict::default(),
            railpack_version: RAILPACK_VERSION.to_owned(),
            complete: true,
        }
    }
}

/// Which builder makes the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Builder {
    /// The Dockerfile.
    Dockerfile,
    /// Railpack.
    Railpack,
}

/// A listening port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPort {
    /// The port.
    pub port: Port,
    /// What it speaks.
    pub kind: PortKind,
    /// The one for main traffic.
    pub primary: bool,
}

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// HTTP.
    Http,
    /// gRPC.
    Grpc,
    /// Metrics.
    Metrics,
    /// Administration.
    Admin,
    /// A debugger.
    Debug,
    /// Anything else.
    Tcp,
}

/// How sure an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// There is no answer.
    #[default]
    None,
    /// Likely.
    Low,
    /// Very likely.
    Medium,
    /// As good as certain.
    High,
}

/// How sure the four main answers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confidences {
    /// Of `language`.
    pub language: Confidence,
    /// Of `framework`.
    pub framework: Confidence,
    /// Of `suggestedPort`.
    pub port: Confidence,
    /// Of `suggestedHealthPath`.
    pub health_path: Confidence,
}

/// Which answer a piece of evidence is for, in the order of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EvidenceField {
    /// The language.
    Language,
    /// The framework.
    Framework,
    /// The port.
    Port,
    /// The readiness path.
    HealthPath,
    /// The Dockerfile.
    Dockerfile,
    /// The build context.
    BuildContext,
    /// The start command.
    StartCommand,
    /// Whether something listens.
    NeedsPort,
    /// The liveness path.
    LivenessPath,
}

/// Why an answer is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which answer.
    pub field: EvidenceField,
    /// What was found, at most 200 characters.
    pub value: String,
    /// Where.
    pub file: Option<RepoPath>,
    /// 1-based.
    pub line: Option<u32>,
    /// By which rule.
    pub rule: String,
    /// The rung of the ladder; lower is stronger; 0 where there is none.
    pub rank: u8,
    /// Whether it decided.
    pub used: bool,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The build or the start will fail.
    Error,
    /// It may surprise.
    Warning,
    /// Good to know.
    Info,
}

/// Something noteworthy or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable, kebab-case.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// Where.
    pub file: Option<RepoPath>,
    /// 1-based.
    pub line: Option<u32>,
    /// What to do.
    pub hint: Option<String>,
}

/// Another directory that could be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The directory.
    pub root_path: RepoPath,
    /// Railpack's provider there.
    pub provider: Option<String>,
    /// The language there.
    pub language: Option<String>,
    /// The framework there.
    pub framework: Option<String>,
    /// The file that says so.
    pub manifest: RepoPath,
}

/// What Railpack would say of the directory, Dockerfile or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RailpackVerdict {
    /// The provider it would use.
    pub provider: Option<String>,
    /// The provider its rules find.
    pub detected_provider: Option<String>,
    /// The command its image would run.
    pub start_command: Option<String>,
    /// Where a static site's files end up.
    pub output_directory: Option<String>,
    /// Railpack's own keys.
    pub metadata: BTreeMap<String, String>,
    /// Whether its plan can be made.
    pub success: bool,
    /// Why not.
    pub failure: Option<String>,
}
