//! Who asks, and for what.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::error::{ApiError, ApiResult};
use crate::domain::{Actor, DeploymentId, Idempotency, OrgId, RevisionId};
use crate::error::Error;
use crate::pipeline::RequestContext;

/// The tenant and the actor that the host's authentication put into the request's extensions. Without a tenant: 401, before
/// anything else is looked at.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) org: OrgId,
    actor: Actor,
}

impl Caller {
    pub(super) fn context(&self, idempotency: Option<Idempotency>) -> RequestContext {
        RequestContext::new(self.org.clone()).with_actor(self.actor.clone()).with_idempotency(idempotency)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let org = parts.extensions.get::<OrgId>().cloned();
        let org = org.ok_or_else(|| ApiError::unauthenticated("this needs an authenticated tenant"))?;
        let actor = parts.extensions.get::<Actor>().cloned().unwrap_or_else(Actor::unknown);
        Ok(Self { org, actor })
    }
}

/// The deployment in the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfDeployment(pub(super) DeploymentId);

/// The deployment and the revision in the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfRevision(pub(super) DeploymentId, pub(super) RevisionId);

impl<S: Send + Sync> FromRequestParts<S> for OfDeployment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let id = path_id(parts, state, "id").await.and_then(|id| DeploymentId::parse(&id).ok());
        let missing = || Error::not_found("http.path", "deployment_not_found", "no such deployment");
        id.map(Self).ok_or_else(|| missing().into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfRevision {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let OfDeployment(deployment) = OfDeployment::from_request_parts(parts, state).await?;
        let id = revision_id(parts, state).await;
        let missing = || Error::not_found("http.path", "revision_not_found", "no such revision");
        id.map(|revision| Self(deployment, revision)).ok_or_else(|| missing().into())
    }
}

/// The revision in the path, where it is a canonical id.
pub(super) async fn revision_id<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<RevisionId> {
    path_id(parts, state, "revisionID").await.and_then(|id| RevisionId::parse(&id).ok())
}

async fn path_id<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
