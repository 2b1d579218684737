//! Deployments.

use utoipa::openapi::Required;

use crate::http::dto::deployment::{ChangedDto, DeploymentDto};
use crate::http::dto::event::{EventDto, LoadBalancerDto};
use crate::http::dto::revision::RevisionDto;
use crate::http::openapi::Draft;
use crate::http::openapi::words::{number, one_of, short, text};
use crate::http::openapi::{bodies, examples};
use crate::http::page::PageMeta;

pub(super) fn paged(draft: Draft) -> Draft {
    draft.query("page", "Which page; default 1.", number(1, Some(10_000))).query(
        "limit",
        "Items of a page; default 20.",
        number(1, Some(100)),
    )
}

pub(in crate::http) fn deployments() -> Draft {
    paged(Draft::new("listDeployments", "The tenant's deployments"))
        .query("sort", "Default `-createdAt`.", one_of(&["-createdAt", "createdAt", "name", "-name"]))
        .query("q", "Part of the name.", short(100))
        .query("integrationID", "Only of this integration.", text())
        .query("repo", "Only of this `owner/repo`.", text())
        .lists::<DeploymentDto, PageMeta>("A page of deployments.", None)
        .refuses(400, &["invalid_request"])
}

pub(in crate::http) fn create() -> Draft {
    Draft::new("createDeployment", "Makes a deployment and its first revision")
        .keyed()
        .body::<bodies::Create>(Required::True, Some(examples::create()))
        .made::<ChangedDto>("The deployment and its revision, queued.")
        .refuses(400, &["invalid_request"])
        .refuses(404, &["integration_not_found", "repository_not_found", "branch_not_found", "space_not_found"])
        .refuses(409, &["name_taken", "quota", "empty_repository", "integration_unauthorized"])
        .refuses(501, &["builds_disabled", "cluster_disabled"])
}

pub(in crate::http) fn deployment() -> Draft {
    Draft::new("readDeployment", "One deployment")
        .answers::<DeploymentDto>(200, "The deployment.")
        .refuses(404, &["deployment_not_found"])
}

pub(in crate::http) fn configure() -> Draft {
    Draft::new("configureDeployment", "Changes how a deployment is built and run")
        .about("A change confined to the runtime reuses the image that serves; else the commit is built anew.")
        .keyed()
        .body::<bodies::Configure>(Required::True, None)
        .answers::<ChangedDto>(200, "Changed without a new revision.")
        .answers::<ChangedDto>(202, "Changed, with a new revision.")
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found", "branch_not_found"])
        .refuses(409, &["config_version_conflict", "deployment_deleting", "empty_repository", "integration_unauthorized"])
}

pub(in crate::http) fn remove() -> Draft {
    Draft::new("deleteDeployment", "Uninstalls a deployment and forgets it")
        .answers::<DeploymentDto>(202, "Being deleted; reading it gives 404 once that is done.")
        .refuses(404, &["deployment_not_found"])
}

pub(in crate::http) fn rollback() -> Draft {
    Draft::new("rollBack", "Deploys the image and the configuration of an earlier revision again")
        .keyed()
        .body::<bodies::Rollback>(Required::False, None)
        .made::<RevisionDto>("The new revision, built.")
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found", "revision_not_found"])
        .refuses(
            409,
            &[
                "nothing_to_roll_back_to",
                "revision_not_deployable",
                "already_current",
                "image_gone",
                "deployment_deleting",
                "registry_unauthorized",
            ],
        )
        .refuses(503, &["unavailable", "registry_unavailable"])
}

pub(in crate::http) fn events() -> Draft {
    paged(Draft::new("listEvents", "A deployment's timeline"))
        .query("sort", "Default `-seq`.", one_of(&["-seq", "seq"]))
        .query("after", "Only events after this `seq`.", number(0, None))
        .lists::<EventDto, PageMeta>("A page of events.", None)
        .refuses(400, &["invalid_request"])
        .refuses(404, &["deployment_not_found"])
}

pub(in crate::http) fn load_balancer() -> Draft {
    Draft::new("readLoadBalancer", "How a deployment is reached from outside")
        .answers::<LoadBalancerDto>(200, "Its addresses; `none` while nothing is exposed.")
        .refuses(404, &["deployment_not_found"])
        .refuses(409, &["cluster_unauthorized"])
        .refuses(503, &["unavailable", "cluster_unreachable"])
}
