//! Repositories, branches, analyses.

use utoipa::openapi::Required;

use crate::http::dto::repository::{BranchDto, BranchesMeta, RepositoriesMeta, RepositoryDto};
use crate::http::openapi::Draft;
use crate::http::openapi::analysis::Analysis;
use crate::http::openapi::words::{number, short, text};
use crate::http::openapi::{bodies, examples};

pub(in crate::http) fn repositories() -> Draft {
    Draft::new("listRepositories", "The tenant's repositories, read live from the forge")
        .query("integrationID", "Only this integration.", text())
        .query("q", "Part of `owner/repo`, whatever its case.", short(100))
        .query("limit", "At most so many; default and bound are the host's.", number(1, Some(5_000)))
        .query("cursor", "`meta.nextCursor` of the answer before.", short(512))
        .lists::<RepositoryDto, RepositoriesMeta>(
            "Repositories; archived ones are left out.",
            Some(examples::repositories()),
        )
        .refuses(404, &["integration_not_found"])
        .refuses(409, &["integration_unauthorized"])
}

pub(in crate::http) fn branches() -> Draft {
    Draft::new("listBranches", "A repository's branches, read live from the forge")
        .required_query("integrationID", "The integration.", text())
        .required_query("owner", "The repository's owner.", text())
        .required_query("repo", "The repository's name.", text())
        .query("q", "Part of the branch's name.", short(100))
        .query("limit", "At most so many; default 1000.", number(1, Some(5_000)))
        .query("cursor", "`meta.nextCursor` of the answer before.", short(512))
        .lists::<BranchDto, BranchesMeta>("Branches, the default branch first, then by name.", None)
        .refuses(404, &["integration_not_found", "repository_not_found"])
        .refuses(409, &["integration_unauthorized"])
}

pub(in crate::http) fn analyze() -> Draft {
    analyses(Draft::new("analyze", "Says how a repository would be built and run"), "The analysis.")
        .body::<bodies::Analyze>(Required::True, Some(examples::analyze()))
}

pub(in crate::http) fn analyze_deployment() -> Draft {
    analyses(Draft::new("analyzeDeployment", "Says the same of a deployment's repository"), "The analysis, with `current`.")
        .body::<bodies::AnalyzeDeployment>(Required::False, None)
}

fn analyses(draft: Draft, about: &str) -> Draft {
    draft
        .answers_with::<Analysis>(200, about, Some(examples::analysis()))
        .refuses(400, &["invalid_request", "root_path_not_a_directory"])
        .refuses(
            404,
            &[
                "integration_not_found",
                "repository_not_found",
                "branch_not_found",
                "root_path_not_found",
                "deployment_not_found",
            ],
        )
        .refuses(409, &["empty_repository", "integration_unauthorized"])
        .refuses(501, &["root_path_submodule"])
}
