//! `POST /build-callbacks/{revisionID}`: the raw body goes to the pipeline, the verdict comes back as a status.

use axum::extract::{Request, State};
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::auth::revision_id;
use super::body::{is_json, read};
use super::envelope::data;
use super::error::{ApiError, ApiResult};
use super::openapi::words;
use super::state::App;
use crate::callback::CallbackRefusal;
use crate::pipeline::Completed;

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BuildCompleted)]
pub(super) struct CompletedDto {
    #[serde(rename = "revisionID")]
    revision_id: String,
    #[schema(schema_with = words::revision_state)]
    state: &'static str,
    image_ref: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

impl From<Completed> for CompletedDto {
    fn from(done: Completed) -> Self {
        Self {
            revision_id: done.revision.to_string(),
            state: done.state.as_str(),
            image_ref: done.image.map(|image| image.to_string()),
            replayed: done.replayed,
        }
    }
}

pub(super) async fn complete(State(app): State<App>, request: Request) -> ApiResult<impl IntoResponse> {
    let began = Instant::now();
    let by = |after| began.checked_add(after).unwrap_or(began);
    let (mut parts, body) = request.into_parts();
    let revision = revision_id(&mut parts, &app).await.ok_or_else(ApiError::unknown_path)?;
    if !is_json(&parts.headers) {
        return Err(ApiError::of_body(CallbackRefusal::ContentType));
    }
    let _slot = app.callbacks.try_acquire().map_err(|_| CallbackRefusal::Busy)?;
    let slow = by(app.config.body_read_timeout);
    let body = read(&parts.headers, body, app.config.callback_body_limit, slow).await.map_err(ApiError::of_body)?;
    let verdict = timeout_at(by(app.config.callback_timeout), app.pipeline.complete_build(revision, &body)).await;
    let done = verdict.map_err(|_| CallbackRefusal::Unavailable)??;
    Ok(data(CompletedDto::from(done)))
}
