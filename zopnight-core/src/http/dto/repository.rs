//! Repositories and branches.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Branch, BranchName};
use crate::http::page::{write_cursor, write_page};
use crate::pipeline::{BranchesAnswer, ListedRepository, RepositoriesAnswer};

/// An item of `GET /repositories`: exactly these five fields.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Repository)]
pub(in crate::http) struct RepositoryDto {
    #[serde(rename = "integrationID")]
    integration_id: String,
    owner: String,
    repo: String,
    #[schema(value_type = Option<String>)]
    default_branch: Option<BranchName>,
    private: bool,
}

impl From<ListedRepository> for RepositoryDto {
    fn from(listed: ListedRepository) -> Self {
        let repository = listed.repository;
        Self {
            integration_id: listed.integration.to_string(),
            owner: repository.owner.to_string(),
            repo: repository.name.to_string(),
            default_branch: repository.default_branch,
            private: repository.private,
        }
    }
}

/// What stands beside the repositories.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RepositoriesMeta {
    next_cursor: Option<String>,
    incomplete: bool,
    failures: Vec<FailureDto>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IntegrationFailure)]
struct FailureDto {
    #[serde(rename = "integrationID")]
    integration_id: String,
    code: String,
}

impl RepositoriesMeta {
    pub(in crate::http) fn of(answer: &RepositoriesAnswer) -> Self {
        let failure = |(id, code): &(crate::domain::IntegrationId, String)| FailureDto {
            integration_id: id.to_string(),
            code: code.clone(),
        };
        Self {
            next_cursor: answer.next.as_ref().map(write_cursor),
            incomplete: answer.incomplete,
            failures: answer.failures.iter().map(failure).collect(),
        }
    }
}

/// An item of `GET /branches`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Branch)]
pub(in crate::http) struct BranchDto {
    name: String,
    sha: String,
    default: bool,
    protected: bool,
}

impl BranchDto {
    pub(in crate::http) fn of(branch: &Branch, default: Option<&BranchName>) -> Self {
        Self {
            name: branch.name.to_string(),
            sha: branch.commit.to_string(),
            default: Some(&branch.name) == default,
            protected: branch.protected,
        }
    }
}

/// What stands beside the branches. `skipped` only when names were left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct BranchesMeta {
    next_cursor: Option<String>,
    incomplete: bool,
    #[serde(skip_serializing_if = "is_zero")]
    skipped: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl BranchesMeta {
    pub(in crate::http) fn of(answer: &BranchesAnswer) -> Self {
        Self { next_cursor: answer.next.map(write_page), incomplete: answer.incomplete, skipped: answer.skipped }
    }
}
