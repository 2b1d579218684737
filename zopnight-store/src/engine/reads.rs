//! Views: rows put together.

use std::collections::HashMap;

use zopnight_core::domain::{
    BuildAttempt, Deployment, DeploymentId, DeploymentQuery, DeploymentView, Event, EventQuery, OrgId, Page, PageRequest,
    Revision, RevisionId, RevisionQuery, RevisionView,
};
use zopnight_core::{Error, Result};

use crate::database::Database;
use crate::error::StoreError;
use crate::session::Session;

type Read<T> = Result<T, StoreError>;

/// Unknown and foreign alike.
pub(super) fn no_deployment(operation: &'static str) -> Error {
    Error::not_found(operation, "deployment_not_found", "no such deployment")
}

fn check(operation: &'static str, page: PageRequest) -> Result<()> {
    if (1..=10_000).contains(&page.page) && (1..=100).contains(&page.limit) {
        return Ok(());
    }
    Err(Error::invalid(operation, "page must be 1 to 10,000 and limit 1 to 100"))
}

/// Adds the open attempt of each revision, else its last.
async fn with_attempts<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    mut views: Vec<RevisionView>,
) -> Read<Vec<RevisionView>> {
    let ids: Vec<RevisionId> = views.iter().map(|v| v.revision.id).collect();
    if ids.is_empty() {
        return Ok(views);
    }
    let mut best: HashMap<RevisionId, BuildAttempt> = HashMap::new();
    for attempt in s.attempts(org, &ids).await? {
        let keeps = best.get(&attempt.revision).is_some_and(BuildAttempt::is_open);
        if !keeps {
            best.insert(attempt.revision, attempt);
        }
    }
    for view in &mut views {
        view.attempt = best.remove(&view.revision.id);
    }
    Ok(views)
}

/// A revision of an org, of whatever deployment.
pub(super) async fn view_of<D: Database>(s: &mut Session<D>, org: &OrgId, id: RevisionId) -> Read<Option<RevisionView>> {
    let views = s.revisions_by_id(org, &[id]).await?;
    Ok(with_attempts(s, org, views).await?.pop())
}

pub(crate) async fn revision_view<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    deployment: DeploymentId,
    id: RevisionId,
) -> Read<RevisionView> {
    let live = s.counts(org, deployment).await?.is_some();
    let view = view_of(s, org, id).await?.filter(|v| live && v.revision.deployment == deployment);
    Ok(view.ok_or_else(|| Error::not_found("store.revision", "revision_not_found", "no such revision"))?)
}

async fn with_revisions<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    deployments: Vec<Deployment>,
) -> Read<Vec<DeploymentView>> {
    let of = |d: &Deployment| [Some(d.newest_revision), d.current_revision].into_iter().flatten();
    let ids: Vec<RevisionId> = deployments.iter().flat_map(of).collect();
    let rows = s.revisions_by_id(org, &ids).await?;
    let revisions: HashMap<RevisionId, Revision> = rows.into_iter().map(|v| (v.revision.id, v.revision)).collect();
    deployments
        .into_iter()
        .map(|deployment| {
            let find = |id: RevisionId, column: &'static str| {
                let key = deployment.id.to_string();
                revisions.get(&id).cloned().ok_or(StoreError::Corrupt { table: "deployments", column, key })
            };
            let newest = find(deployment.newest_revision, "newest_revision_id")?;
            let current = deployment.current_revision.map(|id| find(id, "current_revision_id")).transpose()?;
            Ok(DeploymentView { deployment, newest, current })
        })
        .collect()
}

pub(crate) async fn deployment_view<D: Database>(s: &mut Session<D>, org: &OrgId, id: DeploymentId) -> Read<DeploymentView> {
    let row = s.deployment_row(org, id).await?.filter(|r| r.deleted_at.is_none());
    let found = row.map(|r| r.deployment).into_iter().collect();
    let view = with_revisions(s, org, found).await?.pop();
    Ok(view.ok_or_else(|| no_deployment("store.deployment"))?)
}

pub(crate) async fn deployment_page<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    query: &DeploymentQuery,
) -> Read<Page<DeploymentView>> {
    check("store.deployments", query.page)?;
    let (rows, total) = s.list_deployments(org, query).await?;
    let items = with_revisions(s, org, rows.into_iter().map(|r| r.deployment).collect()).await?;
    Ok(Page { items, total: Some(total) })
}

pub(crate) async fn revision_page<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    deployment: DeploymentId,
    query: &RevisionQuery,
) -> Read<Page<RevisionView>> {
    check("store.revisions", query.page)?;
    let counts = s.counts(org, deployment).await?;
    let (all, _) = counts.ok_or_else(|| no_deployment("store.revisions"))?;
    let total = match query.state {
        None => all,
        Some(state) => s.count_revisions(org, deployment, state).await?,
    };
    let views = s.list_revisions(org, deployment, query).await?;
    Ok(Page { items: with_attempts(s, org, views).await?, total: Some(total) })
}

pub(crate) async fn unfinished<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    deployment: DeploymentId,
) -> Read<Vec<RevisionView>> {
    let live = s.counts(org, deployment).await?;
    live.ok_or_else(|| no_deployment("store.unfinished"))?;
    let limit = s.options().unfinished_per_deployment;
    let views = s.unfinished(org, deployment, limit).await?;
    with_attempts(s, org, views).await
}

pub(crate) async fn attempts_of<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    revision: RevisionId,
) -> Read<Vec<BuildAttempt>> {
    s.attempts(org, &[revision]).await
}

pub(crate) async fn event_page<D: Database>(
    s: &mut Session<D>,
    org: &OrgId,
    deployment: DeploymentId,
    query: &EventQuery,
) -> Read<Page<Event>> {
    let page = if query.after.is_some() { 1 } else { query.page.page };
    check("store.events", PageRequest { page, ..query.page })?;
    let counts = s.counts(org, deployment).await?;
    let (_, all) = counts.ok_or_else(|| no_deployment("store.events"))?;
    let items = s.list_events(org, deployment, query).await?;
    Ok(Page { items, total: query.after.is_none().then_some(all) })
}
