//! A deployment's timeline.

use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;

use super::auth::{Caller, OfDeployment};
use super::dto::event::EventDto;
use super::envelope::list;
use super::error::ApiResult;
use super::fields::{Faults, Fields};
use super::page::{PageMeta, page};
use super::parse::{number, one_of};
use super::state::App;
use crate::domain::EventQuery;
use crate::error::Result;

pub(super) async fn events(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
    uri: Uri,
) -> ApiResult<impl IntoResponse> {
    let query = query(&uri)?;
    let found = app.pipeline.events(&caller.org, id, &query).await?;
    let meta = PageMeta::of(query.page, found.total);
    Ok(list(found.items.into_iter().map(EventDto::from).collect(), meta))
}

fn query(uri: &Uri) -> Result<EventQuery> {
    let mut faults = Faults::default();
    let mut query = Fields::query(uri, &mut faults);
    let page = page(&mut query, &mut faults);
    let sort = query.optional("sort", &mut faults, one_of(&[("-seq", true), ("seq", false)]));
    let after = query.optional("after", &mut faults, number(0..=0x7FFF_FFFF_FFFF_FFFF));
    query.finish(&mut faults);
    faults.unless(Some(EventQuery { page, newest_first: sort.unwrap_or(true), after }))
}
