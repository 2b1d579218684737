//! What the catalog answers.

use super::catalog::{Catalog, DeploymentRow};
use super::data::Data;
use crate::domain::{
    BranchKey, DeploymentId, DeploymentQuery, DeploymentRef, DeploymentSort, DeploymentView, Event, EventQuery,
    IdempotencyRecord, IdempotencyRef, JobKind, OrgId, Page, PageRequest, Revision, RevisionId, RevisionQuery, RevisionSort,
    RevisionState, RevisionView, SweepPage, SweepQuery, Timestamp, TrackedBranch,
};
use crate::error::{Error, Result};

const SWEEP: usize = 500;
const UNFINISHED: usize = 50;

fn check_page(page: PageRequest) -> Result<()> {
    if (1..=10_000).contains(&page.page) && (1..=100).contains(&page.limit) {
        return Ok(());
    }
    Err(Error::invalid("store.page", "page must be 1 to 10,000 and limit 1 to 100"))
}

fn cut<T, U>(items: &[T], page: PageRequest, make: impl Fn(&T) -> Option<U>) -> Page<U> {
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    Page {
        items: items.iter().skip(offset).take(limit).filter_map(make).collect(),
        total: Some(u64::try_from(items.len()).unwrap_or(u64::MAX)),
    }
}

impl Data {
    pub(super) fn known(&self, now: Timestamp, org: &OrgId, key: &IdempotencyRef) -> Option<&IdempotencyRecord> {
        let record = self.catalog.idempotency.get(&(org.clone(), *key))?;
        Some(record).filter(|r| now.since(r.created_at) <= self.options.idempotency_ttl)
    }

    pub(super) fn find(&self, org: &OrgId, id: DeploymentId) -> Result<&DeploymentRow> {
        let missing = || Error::not_found("store.deployment", "deployment_not_found", "no such deployment");
        self.catalog.row(org, id).ok_or_else(missing)
    }

    pub(super) fn deployment(&self, org: &OrgId, id: DeploymentId) -> Result<DeploymentView> {
        let missing = || Error::internal("store.deployment", "a deployment has no newest revision");
        Catalog::deployment_view(self.find(org, id)?).ok_or_else(missing)
    }

    pub(super) fn deployments(&self, org: &OrgId, query: &DeploymentQuery) -> Result<Page<DeploymentView>> {
        check_page(query.page)?;
        let first = DeploymentRef { org: org.clone(), id: DeploymentId::from_uuid(uuid::Uuid::nil()) };
        let rows = self.catalog.deployments.range(first..).take_while(|(key, _)| key.org == *org).map(|(_, row)| row);
        let mut rows: Vec<&DeploymentRow> = rows.filter(|row| row.deleted_at.is_none() && matches(row, query)).collect();
        match query.sort {
            DeploymentSort::CreatedAscending => rows.sort_by_key(|r| (r.deployment.created_at, r.deployment.id)),
            DeploymentSort::CreatedDescending => {
                rows.sort_by_key(|r| std::cmp::Reverse((r.deployment.created_at, r.deployment.id)));
            }
            DeploymentSort::NameAscending => rows.sort_by(|a, b| a.deployment.name.cmp(&b.deployment.name)),
            DeploymentSort::NameDescending => rows.sort_by(|a, b| b.deployment.name.cmp(&a.deployment.name)),
        }
        Ok(cut(&rows, query.page, |row| Catalog::deployment_view(row)))
    }

    pub(super) fn revision(&self, org: &OrgId, deployment: DeploymentId, id: RevisionId) -> Result<RevisionView> {
        let row = self.catalog.revision(org, id).filter(|row| row.revision.deployment == deployment);
        let missing = || Error::not_found("store.revision", "revision_not_found", "no such revision");
        row.map(|row| self.catalog.view(row)).ok_or_else(missing)
    }

    pub(super) fn revisions(&self, org: &OrgId, id: DeploymentId, query: &RevisionQuery) -> Result<Page<RevisionView>> {
        check_page(query.page)?;
        let wanted = |r: &Revision| query.state.is_none_or(|state| r.state == state);
        let mut rows: Vec<_> = self.find(org, id)?.revisions.values().filter(|row| wanted(&row.revision)).collect();
        if query.sort == RevisionSort::NumberDescending {
            rows.reverse();
        }
        Ok(cut(&rows, query.page, |row| Some(self.catalog.view(row))))
    }

    pub(super) fn unfinished(&self, org: &OrgId, id: DeploymentId) -> Result<Vec<RevisionView>> {
        let row = self.find(org, id)?;
        let rows = row.unfinished.iter().filter_map(|number| row.revisions.get(number));
        Ok(rows.take(UNFINISHED).map(|row| self.catalog.view(row)).collect())
    }

    pub(super) fn events(&self, org: &OrgId, id: DeploymentId, query: &EventQuery) -> Result<Page<Event>> {
        check_page(PageRequest { page: if query.after.is_some() { 1 } else { query.page.page }, ..query.page })?;
        let events = &self.find(org, id)?.events;
        if let Some(after) = query.after {
            let limit = usize::try_from(query.page.limit).unwrap_or(usize::MAX);
            let from = events.partition_point(|e| e.seq <= after);
            return Ok(Page { items: events.iter().skip(from).take(limit).cloned().collect(), total: None });
        }
        let mut all: Vec<&Event> = events.iter().collect();
        if query.newest_first {
            all.reverse();
        }
        Ok(cut(&all, query.page, |e| Some((*e).clone())))
    }

    pub(super) fn following(&self, key: &BranchKey, after: Option<&DeploymentRef>) -> Vec<DeploymentRef> {
        let followers = self.catalog.followers.get(key).into_iter().flatten();
        followers.filter(|at| after.is_none_or(|after| *at > after)).take(SWEEP).cloned().collect()
    }

    fn tracked<'a>(
        &'a self,
        after: Option<&'a DeploymentRef>,
    ) -> impl Iterator<Item = (&'a DeploymentRef, &'a DeploymentRow)> {
        let live = |row: &DeploymentRow| row.deleted_at.is_none() && row.deployment.deleting_at.is_none();
        let rows = self.catalog.deployments.iter().filter(move |(at, _)| after.is_none_or(|after| *at > after));
        rows.filter(move |(_, row)| live(row) && row.deployment.source.auto_deploy)
    }

    pub(super) fn sweep_page(&self, now: Timestamp, query: &SweepQuery) -> SweepPage {
        match query {
            SweepQuery::Tracked { after } => {
                SweepPage::Tracked(self.tracked(after.as_ref()).take(SWEEP).map(|(at, row)| tracked(at, row)).collect())
            }
            SweepQuery::Stalled { idle, after } => SweepPage::Stalled(self.stalled(now.minus(*idle), after.as_ref())),
        }
    }

    fn stalled(
        &self,
        before: Timestamp,
        after: Option<&(DeploymentRef, RevisionId)>,
    ) -> Vec<(DeploymentRef, RevisionId, RevisionState)> {
        let mut found = Vec::new();
        for (at, row) in self.catalog.deployments.iter().filter(|(_, row)| row.deleted_at.is_none()) {
            let unfinished = row.unfinished.iter().filter_map(|number| row.revisions.get(number));
            let idle = unfinished.map(|row| &row.revision).filter(|r| r.updated_at <= before && !self.moves(r));
            found.extend(idle.map(|r| (at.clone(), r.id, r.state)));
        }
        found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        found.retain(|(at, id, _)| after.is_none_or(|(deployment, revision)| (at, id) > (deployment, revision)));
        found.truncate(SWEEP);
        found
    }

    /// Whether a live job will move the revision.
    fn moves(&self, revision: &Revision) -> bool {
        self.line.jobs.of_revision(revision.id).any(|row| {
            row.job.scope.org() == Some(&revision.org)
                && matches!(row.job.kind, JobKind::Build | JobKind::WatchBuild | JobKind::Deploy)
        })
    }
}

fn matches(row: &DeploymentRow, query: &DeploymentQuery) -> bool {
    let d = &row.deployment;
    query.name_contains.as_ref().is_none_or(|part| d.name.as_str().contains(part.as_str()))
        && query.integration.as_ref().is_none_or(|integration| d.source.integration == *integration)
        && query.repo.as_ref().is_none_or(|(owner, name)| d.source.owner == *owner && d.source.name == *name)
}

fn tracked(at: &DeploymentRef, row: &DeploymentRow) -> TrackedBranch {
    let d = &row.deployment;
    TrackedBranch {
        deployment: at.clone(),
        repo: d.source.repo(),
        forge: d.source.forge.clone(),
        branch: d.source.branch.clone(),
        source_head: d.source_head.clone(),
        skipped_head: d.skipped_head.clone(),
        mark: d.branch_mark,
        newest_number: d.newest_number,
        last_accepted_at: d.last_accepted_at,
    }
}
