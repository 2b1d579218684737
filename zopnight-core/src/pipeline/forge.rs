//! Live reads of the forge: repositories, branches, analysis.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::analyze::first_reads;
use crate::domain::{BranchName, DeploymentId, IntegrationId, OrgId, RepoPath, RepoRef};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{AnalyzeRequest, At, BranchPage, BranchesRequest, RepositoriesRequest, SnapshotRequest};

use super::access::ours_to_mend;
use super::{
    AnalysisOf, AnalyzeQuery, BranchesAnswer, BranchesQuery, ListedRepository, Pipeline, RepositoriesAnswer,
    RepositoriesCursor, RepositoriesQuery,
};

impl Pipeline {
    /// The repositories that the tenant's integrations can see, read now.
    ///
    /// When time runs out after at least one page, the answer is what there is, `incomplete`, with a cursor.
    ///
    /// # Errors
    /// `NotFound` (`integration_not_found`); `Timeout` if not even one page came in time; the first integration's error if all
    /// fail.
    pub async fn repositories(&self, org: &OrgId, query: &RepositoriesQuery) -> Result<RepositoriesAnswer> {
        let end = deadline(query.within);
        let granted = self.tenants().integrations(org).await?;
        let named = query.integration.as_ref().or(query.cursor.as_ref().map(|c| &c.integration));
        if let Some(name) = named.filter(|n| !granted.contains(n)) {
            let message = format!("integration \"{name}\" does not exist");
            return Err(Error::not_found("repositories", "integration_not_found", message));
        }
        let from = query.cursor.as_ref().map(|c| &c.integration);
        let wanted: Vec<IntegrationId> = granted
            .into_iter()
            .filter(|i| query.integration.as_ref().is_none_or(|only| only == i) && from.is_none_or(|f| i >= f))
            .collect();
        let mut answer = RepositoriesAnswer::default();
        let mut pages = 0_u32;
        let mut first_error = None;
        for integration in &wanted {
            let start = query.cursor.as_ref().filter(|c| c.integration == *integration);
            let (mut page, mut skip) = start.map_or((1, 0), |c| (c.page.max(1), c.offset));
            loop {
                let request = RepositoriesRequest { integration: integration.clone(), page };
                let Ok(read) = timeout_at(end, self.source().repositories(&request)).await else {
                    if pages == 0 {
                        return Err(Error::new(ErrorKind::Timeout, "repositories", "the forge did not answer in time"));
                    }
                    answer.incomplete = true;
                    answer.next = Some(RepositoriesCursor { integration: integration.clone(), page, offset: skip });
                    return Ok(answer);
                };
                let listed = match read.map_err(ours_to_mend) {
                    Ok(listed) => listed,
                    Err(error) => {
                        answer.failures.push((integration.clone(), error.code_or_kind().to_owned()));
                        first_error.get_or_insert(error);
                        break;
                    }
                };
                pages = pages.saturating_add(1);
                for (at, repository) in (0_u32..).zip(listed.repositories) {
                    let name = format!("{}/{}", repository.owner, repository.name);
                    if at < skip || repository.archived || !contains(&name, query.contains.as_deref()) {
                        continue;
                    }
                    if answer.repositories.len() >= query.limit as usize {
                        answer.next = Some(RepositoriesCursor { integration: integration.clone(), page, offset: at });
                        return Ok(answer);
                    }
                    answer.repositories.push(ListedRepository { integration: integration.clone(), repository });
                }
                match listed.next {
                    Some(next) => (page, skip) = (next, 0),
                    None => break,
                }
            }
        }
        match first_error {
            Some(error) if answer.failures.len() == wanted.len() => Err(error),
            _ => Ok(answer),
        }
    }

    /// The branches of a repository, read now.
    ///
    /// # Errors
    /// `NotFound` (`integration_not_found`, `repository_not_found`); `Conflict` (`integration_unauthorized`); `Timeout` if not
    /// even one page came in time; `Unavailable`.
    pub async fn branches(&self, org: &OrgId, query: &BranchesQuery) -> Result<BranchesAnswer> {
        self.check_integration(org, &query.repo.integration).await?;
        let end = deadline(query.within);
        let mut answer = BranchesAnswer::default();
        let first = query.page.max(1);
        let mut page = first;
        loop {
            let request = BranchesRequest { repo: query.repo.clone(), page };
            let Ok(read) = timeout_at(end, self.source().branches(&request)).await else {
                if page == first {
                    return Err(Error::new(ErrorKind::Timeout, "branches", "the forge did not answer in time"));
                }
                answer.incomplete = true;
                answer.next = Some(page);
                break;
            };
            let BranchPage { repository, branches, skipped, next } = read.map_err(ours_to_mend)?;
            if let Some(repository) = repository {
                answer.default_branch = repository.default_branch;
            }
            answer.skipped = answer.skipped.saturating_add(skipped);
            answer.branches.extend(branches.into_iter().filter(|b| contains(b.name.as_str(), query.contains.as_deref())));
            match next {
                Some(next) if answer.branches.len() < query.limit as usize => page = next,
                next => {
                    answer.next = next;
                    break;
                }
            }
        }
        let default = answer.default_branch.clone();
        answer.branches.sort_by(|a, b| {
            let rank = |name: &BranchName| Some(name) != default.as_ref();
            (rank(&a.name), &a.name).cmp(&(rank(&b.name), &b.name))
        });
        Ok(answer)
    }

    /// How a directory of a repository would be built and run. Reads only.
    ///
    /// # Errors
    /// `NotFound` (`integration_not_found`, `repository_not_found`, `branch_not_found`, `root_path_not_found`); `Invalid`
    /// (`root_path_not_a_directory`); `Unsupported` (`root_path_submodule`); `Conflict` (`empty_repository`,
    /// `integration_unauthorized`); `Unavailable`.
    pub async fn analyze(&self, org: &OrgId, query: &AnalyzeQuery) -> Result<AnalysisOf> {
        self.check_integration(org, &query.repo.integration).await?;
        let at = query.branch.clone().map_or(At::DefaultBranch, At::Branch);
        self.analyze_at(&query.repo, at, &query.root_path, std::collections::BTreeMap::new()).await.map_err(ours_to_mend)
    }

    /// The same for an existing deployment, with its build arguments; `None` = its own branch and root path.
    ///
    /// # Errors
    /// `NotFound` for the deployment, and as [`Pipeline::analyze`].
    pub async fn analyze_deployment(
        &self,
        org: &OrgId,
        id: DeploymentId,
        branch: Option<BranchName>,
        root_path: Option<RepoPath>,
    ) -> Result<AnalysisOf> {
        let deployment = self.store().deployment(org, id).await?.deployment;
        self.check_integration(org, &deployment.source.integration).await?;
        let at = At::Branch(branch.unwrap_or_else(|| deployment.source.branch.clone()));
        let root = root_path.unwrap_or_else(|| deployment.source.root_path.clone());
        let env = deployment.build.railpack_env();
        self.analyze_at(&deployment.source.repo(), at, &root, env).await.map_err(ours_to_mend)
    }

    pub(super) async fn analyze_at(
        &self,
        repo: &RepoRef,
        at: At,
        root: &RepoPath,
        env: std::collections::BTreeMap<String, String>,
    ) -> Result<AnalysisOf> {
        let request = SnapshotRequest { repo: repo.clone(), at, root: root.clone(), want: first_reads(root) };
        let snapshot = self.source().snapshot(&request).await?;
        let request =
            AnalyzeRequest::new(snapshot.tree, root.clone(), snapshot.repository.name.as_str()).with_railpack_env(env);
        let analysis = self.analyzer().analyze(&request).await?;
        Ok(AnalysisOf { analysis, commit: snapshot.commit.sha })
    }
}

fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within).unwrap_or(now)
}

fn contains(text: &str, part: Option<&str>) -> bool {
    part.is_none_or(|p| text.to_lowercase().contains(&p.to_lowercase()))
}
