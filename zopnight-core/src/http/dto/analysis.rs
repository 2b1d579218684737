//! Analyses.

use serde::Serialize;

use crate::domain::{Analysis, Deployment, HealthPath, Port, RepoPath};
use crate::pipeline::AnalysisOf;

/// An analysis, its commit last.
#[derive(Clone, Debug, Serialize)]
pub(in crate::http) struct AnalysisDto {
    #[serde(flatten)]
    analysis: Analysis,
    #[serde(rename = "commitSHA")]
    commit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<CurrentDto>,
}

/// What is configured, so that the difference can be shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CurrentDto {
    port: Option<Port>,
    health_path: Option<HealthPath>,
    dockerfile: Option<RepoPath>,
}

impl AnalysisDto {
    pub(in crate::http) fn of(found: AnalysisOf) -> Self {
        Self { analysis: found.analysis, commit: found.commit.to_string(), current: None }
    }

    pub(in crate::http) fn beside(found: AnalysisOf, deployment: &Deployment) -> Self {
        let current = CurrentDto {
            port: deployment.runtime.port,
            health_path: deployment.runtime.health_path.clone(),
            dockerfile: deployment.build.dockerfile.clone(),
        };
        Self { current: Some(current), ..Self::of(found) }
    }
}
