//! The end of a revision's log.

use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;

use super::auth::{Caller, OfRevision};
use super::dto::event::LogDto;
use super::envelope::data;
use super::error::ApiResult;
use super::fields::{Faults, Fields};
use super::parse::{number, one_of};
use super::state::App;
use crate::domain::LogSource;
use crate::error::Result;

pub(super) async fn logs(
    State(app): State<App>,
    caller: Caller,
    OfRevision(id, revision): OfRevision,
    uri: Uri,
) -> ApiResult<impl IntoResponse> {
    let (source, tail) = query(&uri)?;
    let view = app.pipeline.revision(&caller.org, id, revision).await?;
    let log = app.pipeline.log_tail(&caller.org, id, revision, source).await?;
    let url = view.attempt.and_then(|a| a.run).map(|run| run.url);
    Ok(data(LogDto::of(source, log, tail, url)))
}

fn query(uri: &Uri) -> Result<(LogSource, usize)> {
    let sources = [("build", LogSource::Build), ("rollout", LogSource::Rollout)];
    let mut faults = Faults::default();
    let mut query = Fields::query(uri, &mut faults);
    let source = query.optional("source", &mut faults, one_of(&sources)).unwrap_or(LogSource::Build);
    let tail = query.optional("tail", &mut faults, number(1..=2_000)).unwrap_or(200);
    query.finish(&mut faults);
    faults.unless(usize::try_from(tail).ok().map(|tail| (source, tail)))
}
