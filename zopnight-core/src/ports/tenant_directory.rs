//! What a tenant may name.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::{IntegrationId, OrgId, Target, TargetRequest};
use crate::error::Result;

/// The only authority on what a tenant may name. Unknown and foreign are both `NotFound`. It is asked at create, at each
/// change of configuration, and again before each dispatch and each deploy.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TenantDirectory: Debug + Send + Sync + 'static {
    /// Integrations the tenant connected, sorted by id, at most 100.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn integrations(&self, org: &OrgId) -> Result<Vec<IntegrationId>>;

    /// Checks space and namespace for the tenant and allots the image repository of this deployment. The repository is unique
    /// to (tenant, deployment name); two tenants never share one.
    ///
    /// # Errors
    /// `NotFound` (`space_not_found`), `Unavailable`.
    async fn target(&self, request: &TargetRequest) -> Result<Target>;
}
