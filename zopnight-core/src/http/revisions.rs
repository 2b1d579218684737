//! Revisions: list, read, make again, cancel.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, OfDeployment, OfRevision};
use super::deployments::made;
use super::dto::requests;
use super::dto::revision::RevisionDto;
use super::envelope::{data, list};
use super::error::ApiResult;
use super::fields::{Faults, Fields};
use super::idempotency::{Key, Route, marked};
use super::json::OptionalJson;
use super::page::{PageMeta, page};
use super::parse::one_of;
use super::state::App;
use crate::domain::{RevisionQuery, RevisionSort, RevisionState};
use crate::error::Result;

pub(super) async fn revisions(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
    uri: Uri,
) -> ApiResult<impl IntoResponse> {
    let query = query(&uri)?;
    let current = app.pipeline.deployment(&caller.org, id).await?.deployment.current_revision;
    let found = app.pipeline.revisions(&caller.org, id, &query).await?;
    let meta = PageMeta::of(query.page, found.total);
    Ok(list(found.items.iter().map(|r| RevisionDto::of(r, current)).collect(), meta))
}

pub(super) async fn revision(
    State(app): State<App>,
    caller: Caller,
    OfRevision(id, revision): OfRevision,
) -> ApiResult<impl IntoResponse> {
    let current = app.pipeline.deployment(&caller.org, id).await?.deployment.current_revision;
    let view = app.pipeline.revision(&caller.org, id, revision).await?;
    Ok(data(RevisionDto::of(&view, current)))
}

pub(super) async fn redeploy(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
    key: Key,
    OptionalJson(body): OptionalJson,
) -> ApiResult<Response> {
    let ids = [id.to_string()];
    let key = key.of(Route { template: "POST /deployments/{id}/revisions", ids: &ids }, &body, 201);
    let what = requests::redeploy(body)?;
    let accepted = app.pipeline.redeploy(&caller.context(key), id, &what).await?;
    made(&app.config, &accepted)
}

pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    OfRevision(id, revision): OfRevision,
    key: Key,
    OptionalJson(body): OptionalJson,
) -> ApiResult<Response> {
    let ids = [id.to_string(), revision.to_string()];
    let template = "POST /deployments/{id}/revisions/{revisionID}/cancel";
    let key = key.of(Route { template, ids: &ids }, &body, 200);
    requests::nothing(body)?;
    let accepted = app.pipeline.cancel(&caller.context(key), id, revision).await?;
    // The record of a cancel may name the rollback revision that it made.
    let view = app.pipeline.revision(&caller.org, id, revision).await?;
    let current = accepted.deployment.deployment.current_revision;
    Ok(marked(data(RevisionDto::of(&view, current)), accepted.replayed))
}

fn query(uri: &Uri) -> Result<RevisionQuery> {
    // Creation and numbers go together, so they are one order.
    let sorts = [
        ("-number", RevisionSort::NumberDescending),
        ("number", RevisionSort::NumberAscending),
        ("-createdAt", RevisionSort::NumberDescending),
        ("createdAt", RevisionSort::NumberAscending),
    ];
    let states = RevisionState::ALL.map(|state| (state.as_str(), state));
    let mut faults = Faults::default();
    let mut query = Fields::query(uri, &mut faults);
    let page = page(&mut query, &mut faults);
    let sort = query.optional("sort", &mut faults, one_of(&sorts)).unwrap_or_default();
    let state = query.optional("state", &mut faults, one_of(&states));
    query.finish(&mut faults);
    faults.unless(Some(RevisionQuery { page, sort, state }))
}
