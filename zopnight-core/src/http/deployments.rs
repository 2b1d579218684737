//! Deployments: list, create, read, configure, remove, roll back.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::auth::{Caller, OfDeployment};
use super::config::HttpConfig;
use super::dto::deployment::{ChangedDto, DeploymentDto};
use super::dto::requests::{self, Wanted};
use super::dto::revision::RevisionDto;
use super::envelope::{data, list};
use super::error::ApiResult;
use super::fields::{Faults, Fields};
use super::idempotency::{Key, Route, marked};
use super::json::{JsonBody, OptionalJson};
use super::page::{PageMeta, page};
use super::parse::{one_of, short, string, text};
use super::state::App;
use crate::domain::{
    BranchName, Deployment, DeploymentId, DeploymentQuery, DeploymentSort, IntegrationId, OwnerName, RepoName,
};
use crate::error::{Error, Result};
use crate::pipeline::{Accepted, BranchesQuery, RequestContext};

/// How often a change is applied anew to a configuration that others change meanwhile.
const ROUNDS: u32 = 8;

pub(super) async fn deployments(State(app): State<App>, caller: Caller, uri: Uri) -> ApiResult<impl IntoResponse> {
    let query = query(&uri)?;
    let found = app.pipeline.deployments(&caller.org, &query).await?;
    let meta = PageMeta::of(query.page, found.total);
    Ok(list(found.items.iter().map(DeploymentDto::from).collect(), meta))
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    key: Key,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    let key = key.of(Route { template: "POST /deployments", ids: &[] }, &body, 201);
    let spec = requests::create(body)?;
    let accepted = app.pipeline.create_deployment(&caller.context(key), &spec).await?;
    let location = app.config.location(&format!("/deployments/{}", accepted.deployment.deployment.id));
    let answer = (StatusCode::CREATED, [(LOCATION, location)], data(ChangedDto::from(&accepted)));
    Ok(marked(answer, accepted.replayed))
}

pub(super) async fn deployment(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
) -> ApiResult<impl IntoResponse> {
    let view = app.pipeline.deployment(&caller.org, id).await?;
    Ok(data(DeploymentDto::from(&view)))
}

pub(super) async fn configure(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
    key: Key,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    let ids = [id.to_string()];
    let key = key.of(Route { template: "PATCH /deployments/{id}/configs", ids: &ids }, &body, 202);
    let accepted = configured(&app, &caller.context(key), id, &body).await?;
    // A replay gives the first status, and that followed from whether a revision was made.
    let status = if accepted.revision.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(marked((status, data(ChangedDto::from(&accepted))), accepted.replayed))
}

pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
) -> ApiResult<impl IntoResponse> {
    let accepted = app.pipeline.teardown(&caller.context(None), id).await?;
    Ok((StatusCode::ACCEPTED, data(DeploymentDto::from(&accepted.deployment))))
}

pub(super) async fn rollback(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
    key: Key,
    OptionalJson(body): OptionalJson,
) -> ApiResult<Response> {
    let ids = [id.to_string()];
    let key = key.of(Route { template: "POST /deployments/{id}/rollback", ids: &ids }, &body, 201);
    let to = requests::rollback(body)?;
    let accepted = app.pipeline.rollback(&caller.context(key), id, to).await?;
    made(&app.config, &accepted)
}

/// 201 for a new revision.
pub(super) fn made(config: &HttpConfig, accepted: &Accepted) -> ApiResult<Response> {
    let deployment = &accepted.deployment.deployment;
    let missing = || Error::internal("http", "a change that makes a revision made none");
    let view = accepted.revision.as_ref().ok_or_else(missing)?;
    let location = config.location(&format!("/deployments/{}/revisions/{}", deployment.id, view.revision.id));
    let revision = RevisionDto::of(view, deployment.current_revision);
    Ok(marked((StatusCode::CREATED, [(LOCATION, location)], data(revision)), accepted.replayed))
}

/// Applies a body to the configuration as it is, and again when that changed meanwhile and the body names no version.
async fn configured(app: &App, request: &RequestContext, id: DeploymentId, body: &Value) -> Result<Accepted> {
    for _ in 0..ROUNDS {
        let present = app.pipeline.deployment(&request.org, id).await?.deployment;
        let Wanted { mut change, versioned, default_branch } = requests::change(body.clone(), &present)?;
        if default_branch {
            change.branch = Some(self::default_branch(app, request, &present).await?);
        }
        match app.pipeline.update_config(request, id, &change).await {
            Err(error) if error.code() == Some("config_version_conflict") && !versioned => {}
            answer => return answer,
        }
    }
    Err(Error::unavailable("http.configs", "others kept changing the same configuration"))
}

async fn default_branch(app: &App, request: &RequestContext, present: &Deployment) -> Result<BranchName> {
    let within = app.config.live_list_timeout;
    let query = BranchesQuery { repo: present.source.repo(), contains: None, limit: 1, page: 1, within };
    let found = app.pipeline.branches(&request.org, &query).await?.default_branch;
    found.ok_or_else(|| Error::conflict("http.configs", "empty_repository", "the repository has no default branch"))
}

fn query(uri: &Uri) -> Result<DeploymentQuery> {
    let sorts = [
        ("-createdAt", DeploymentSort::CreatedDescending),
        ("createdAt", DeploymentSort::CreatedAscending),
        ("name", DeploymentSort::NameAscending),
        ("-name", DeploymentSort::NameDescending),
    ];
    let mut faults = Faults::default();
    let mut query = Fields::query(uri, &mut faults);
    let page = page(&mut query, &mut faults);
    let sort = query.optional("sort", &mut faults, one_of(&sorts)).unwrap_or_default();
    let name_contains = query.optional("q", &mut faults, short(100));
    let integration = query.optional("integrationID", &mut faults, text(IntegrationId::parse));
    let repo = query.optional("repo", &mut faults, |value| {
        let full = string(value)?;
        let (owner, name) = full.split_once('/').ok_or("must be owner/repo")?;
        let told = |error: Error| error.message().to_owned();
        Ok((OwnerName::parse(owner).map_err(told)?, RepoName::parse(name).map_err(told)?))
    });
    query.finish(&mut faults);
    faults.unless(Some(DeploymentQuery { page, sort, name_contains, integration, repo }))
}
