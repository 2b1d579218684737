//! What the tenant may name: asked of the directory before every use.

use crate::domain::{Deployment, IntegrationId, Namespace, OrgId, Target, TargetRequest};
use crate::error::{Error, ErrorKind, Result};

use super::Pipeline;

impl Pipeline {
    /// Refuses an integration that is not the tenant's.
    pub(super) async fn check_integration(&self, org: &OrgId, integration: &IntegrationId) -> Result<()> {
        if self.tenants().integrations(org).await?.contains(integration) {
            return Ok(());
        }
        let message = format!("integration \"{integration}\" does not exist");
        Err(Error::not_found("tenants.integrations", "integration_not_found", message))
    }

    /// Asks again for what a deployment was granted at create; any other answer than the recorded one is a refusal.
    ///
    /// The error is `Forbidden` with code `target_not_granted` if the grant is gone; an unreachable directory stays as it is.
    pub(super) async fn check_grant(&self, deployment: &Deployment, target: &Target) -> Result<()> {
        let gone = || {
            let message = "the tenant may no longer use this integration, space or namespace";
            Error::new(ErrorKind::Forbidden, "tenants.target", message).with("code", "target_not_granted")
        };
        let refused = |e: Error| if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) { gone() } else { e };
        self.check_integration(&deployment.org, &deployment.source.integration).await.map_err(refused)?;
        let namespace: Option<Namespace> = Some(target.namespace.clone());
        let request = TargetRequest {
            org: deployment.org.clone(),
            deployment: deployment.id,
            name: deployment.name.clone(),
            space: target.space.clone(),
            namespace,
        };
        let granted = self.tenants().target(&request).await.map_err(refused)?;
        if granted == *target { Ok(()) } else { Err(gone()) }
    }
}

/// A refusal of **our** credentials by a forge, registry or cluster, as the caller's client may see it: only an operator or a
/// reconnect mends it, so it is a `Conflict` with the port's own code.
pub(super) fn ours_to_mend(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => {
            let code = match error.code() {
                Some("registry_unauthorized") => "registry_unauthorized",
                Some("cluster_unauthorized") => "cluster_unauthorized",
                Some("image_repository") => "image_repository",
                Some("egress_refused") => "egress_refused",
                Some("integration_gone") => "integration_gone",
                Some("integration_suspended") => "integration_suspended",
                Some("integration_forbidden") => "integration_forbidden",
                Some("integration_permission_missing") => "integration_permission_missing",
                _ => "integration_unauthorized",
            };
            let message = error.message().to_owned();
            Error::conflict(error.operation(), code, message).with_source(error)
        }
        _ => error,
    }
}
