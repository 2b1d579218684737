//! How a repository would be built and run.

use axum::extract::State;
use axum::response::IntoResponse;

use super::auth::{Caller, OfDeployment};
use super::dto::analysis::AnalysisDto;
use super::dto::requests;
use super::envelope::data;
use super::error::ApiResult;
use super::json::{JsonBody, OptionalJson};
use super::state::App;

pub(super) async fn analyze(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> ApiResult<impl IntoResponse> {
    let found = app.pipeline.analyze(&caller.org, &requests::analyze(body)?).await?;
    Ok(data(AnalysisDto::of(found)))
}

pub(super) async fn analyze_deployment(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
    OptionalJson(body): OptionalJson,
) -> ApiResult<impl IntoResponse> {
    let (branch, root_path) = requests::analyze_deployment(body)?;
    let present = app.pipeline.deployment(&caller.org, id).await?.deployment;
    let found = app.pipeline.analyze_deployment(&caller.org, id, branch, root_path).await?;
    Ok(data(AnalysisDto::beside(found, &present)))
}
