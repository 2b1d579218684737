//! Revisions.

use utoipa::openapi::Required;

use super::deployments::paged;
use crate::http::dto::event::LogDto;
use crate::http::dto::revision::RevisionDto;
use crate::http::openapi::words::{log_source, number, one_of, revision_state};
use crate::http::openapi::{Draft, bodies};
use crate::http::page::PageMeta;

pub(in crate::http) fn revisions() -> Draft {
    paged(Draft::new("listRevisions", "A deployment's revisions"))
        .query("sort", "Default `-number`.", one_of(&["-number", "number", "-createdAt", "createdAt"]))
        .query("state", "Only in this state.", revision_state())
        .lists::<RevisionDto, PageMeta>("A page of revisions.", None)
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found"])
}

pub(in crate::http) fn redeploy() -> Draft {
    Draft::new("redeploy", "Makes a new revision")
        .keyed()
        .body::<bodies::Redeploy>(Required::False, None)
        .made::<RevisionDto>("The new revision. Older ones that have not ended are superseded.")
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found", "branch_not_found", "commit_not_found", "repository_not_found"])
        .refuses(409, &["no_image", "deployment_deleting", "empty_repository", "integration_unauthorized"])
        .refuses(501, &["builds_disabled"])
}

pub(in crate::http) fn revision() -> Draft {
    Draft::new("readRevision", "One revision")
        .answers::<RevisionDto>(200, "The revision.")
        .refuses(404, &["deployment_not_found", "revision_not_found"])
}

pub(in crate::http) fn cancel() -> Draft {
    Draft::new("cancelRevision", "Ends a revision that has not ended")
        .keyed()
        .body::<bodies::Nothing>(Required::False, None)
        .answers::<RevisionDto>(200, "The revision, cancelled now or before.")
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found", "revision_not_found"])
        .refuses(409, &["revision_terminal", "deployment_deleting"])
}

pub(in crate::http) fn logs() -> Draft {
    Draft::new("readLogs", "The end of a revision's log")
        .query("tail", "At most so many lines; default 200.", number(1, Some(2_000)))
        .query("source", "Default `build`.", log_source())
        .answers::<LogDto>(200, "The lines, known secrets redacted.")
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found", "revision_not_found"])
}
