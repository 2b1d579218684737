//! Deployments.

use serde::Serialize;
use utoipa::ToSchema;

use super::config::{BuildDto, RuntimeDto};
use super::revision::RevisionDto;
use crate::domain::{DeploymentView, Source, Target, Timestamp};
use crate::http::openapi::words;
use crate::pipeline::Accepted;

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Deployment)]
pub(in crate::http) struct DeploymentDto {
    id: String,
    name: String,
    #[schema(schema_with = words::deployment_status)]
    status: &'static str,
    source: SourceDto,
    build: BuildDto,
    runtime: RuntimeDto,
    target: TargetDto,
    #[serde(rename = "currentRevisionID")]
    current_revision_id: Option<String>,
    #[serde(rename = "latestRevisionID")]
    latest_revision_id: String,
    config_version: u32,
    #[schema(schema_with = words::time)]
    created_at: Timestamp,
    #[schema(schema_with = words::time)]
    updated_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Source)]
struct SourceDto {
    #[serde(rename = "integrationID")]
    integration_id: String,
    #[serde(rename = "repositoryID")]
    repository_id: String,
    owner: String,
    repo: String,
    branch: String,
    root_path: String,
    auto_deploy: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Target)]
struct TargetDto {
    #[serde(rename = "spaceID")]
    space_id: String,
    namespace: String,
    image_repository: String,
}

impl From<&DeploymentView> for DeploymentDto {
    fn from(view: &DeploymentView) -> Self {
        let d = &view.deployment;
        Self {
            id: d.id.to_string(),
            name: d.name.to_string(),
            status: d.status(&view.newest).as_str(),
            source: SourceDto::from(&d.source),
            build: BuildDto::from(&d.build),
            runtime: RuntimeDto::from(&d.runtime),
            target: TargetDto::from(&d.target),
            current_revision_id: d.current_revision.map(|id| id.to_string()),
            latest_revision_id: d.newest_revision.to_string(),
            config_version: d.config_version,
            created_at: d.created_at,
            updated_at: d.updated_at,
        }
    }
}

impl From<&Source> for SourceDto {
    fn from(s: &Source) -> Self {
        Self {
            integration_id: s.integration.to_string(),
            repository_id: s.repository.to_string(),
            owner: s.owner.to_string(),
            repo: s.name.to_string(),
            branch: s.branch.to_string(),
            root_path: s.root_path.to_string(),
            auto_deploy: s.auto_deploy,
        }
    }
}

impl From<&Target> for TargetDto {
    fn from(t: &Target) -> Self {
        Self {
            space_id: t.space.to_string(),
            namespace: t.namespace.to_string(),
            image_repository: t.image_repository.to_string(),
        }
    }
}

/// A deployment and the revision that a change of it made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Changed)]
pub(in crate::http) struct ChangedDto {
    deployment: DeploymentDto,
    revision: Option<RevisionDto>,
}

impl From<&Accepted> for ChangedDto {
    fn from(accepted: &Accepted) -> Self {
        let current = accepted.deployment.deployment.current_revision;
        Self {
            deployment: DeploymentDto::from(&accepted.deployment),
            revision: accepted.revision.as_ref().map(|r| RevisionDto::of(r, current)),
        }
    }
}
