//! Repositories and branches, read live.

use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;

use super::auth::Caller;
use super::config::HttpConfig;
use super::dto::repository::{BranchDto, BranchesMeta, RepositoriesMeta, RepositoryDto};
use super::dto::requests::repo;
use super::envelope::list;
use super::error::ApiResult;
use super::fields::{Faults, Fields};
use super::page::{limit, read_cursor, read_page};
use super::parse::{short, text};
use super::state::App;
use crate::domain::IntegrationId;
use crate::error::Result;
use crate::pipeline::{BranchesQuery, RepositoriesQuery};

/// Longest search text, in characters.
const MAX_SEARCH: usize = 100;

pub(super) async fn repositories(State(app): State<App>, caller: Caller, uri: Uri) -> ApiResult<impl IntoResponse> {
    let query = repositories_query(&uri, &app.config)?;
    let answer = app.pipeline.repositories(&caller.org, &query).await?;
    let meta = RepositoriesMeta::of(&answer);
    Ok(list(answer.repositories.into_iter().map(RepositoryDto::from).collect(), meta))
}

pub(super) async fn branches(State(app): State<App>, caller: Caller, uri: Uri) -> ApiResult<impl IntoResponse> {
    let query = branches_query(&uri, &app.config)?;
    let answer = app.pipeline.branches(&caller.org, &query).await?;
    let default = answer.default_branch.as_ref();
    Ok(list(answer.branches.iter().map(|b| BranchDto::of(b, default)).collect(), BranchesMeta::of(&answer)))
}

fn repositories_query(uri: &Uri, config: &HttpConfig) -> Result<RepositoriesQuery> {
    let mut faults = Faults::default();
    let mut query = Fields::query(uri, &mut faults);
    let integration = query.optional("integrationID", &mut faults, text(IntegrationId::parse));
    let contains = query.optional("q", &mut faults, short(MAX_SEARCH));
    let limit = limit(&mut query, &mut faults, config.repositories_cap, config.repositories_cap);
    let cursor = query.optional("cursor", &mut faults, read_cursor);
    if cursor.as_ref().zip(integration.as_ref()).is_some_and(|(c, i)| c.integration != *i) {
        faults.add("cursor", "is of another integration");
    }
    query.finish(&mut faults);
    faults.unless(Some(RepositoriesQuery { integration, contains, limit, cursor, within: config.live_list_timeout }))
}

fn branches_query(uri: &Uri, config: &HttpConfig) -> Result<BranchesQuery> {
    let mut faults = Faults::default();
    let mut query = Fields::query(uri, &mut faults);
    let repo = repo(&mut query, &mut faults);
    let contains = query.optional("q", &mut faults, short(MAX_SEARCH));
    let limit = limit(&mut query, &mut faults, 1_000, 5_000);
    let page = query.optional("cursor", &mut faults, read_page).unwrap_or(1);
    query.finish(&mut faults);
    let within = config.live_list_timeout;
    faults.unless(repo.map(|repo| BranchesQuery { repo, contains, limit, page, within }))
}
