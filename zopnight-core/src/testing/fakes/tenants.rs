//! A tenant directory with faults.

use std::sync::Arc;

use async_trait::async_trait;

use super::faults::Faults;
use crate::domain::{IntegrationId, OrgId, Target, TargetRequest};
use crate::error::Result;
use crate::ports::TenantDirectory;
use crate::tenants::StaticTenants;

/// [`StaticTenants`] that can also be unreachable. Faults are named `integrations` and `target`.
#[derive(Debug)]
pub struct FakeTenants {
    inner: StaticTenants,
    faults: Faults,
}

impl FakeTenants {
    /// Answers as `inner` does, but for the faults.
    #[must_use]
    pub fn new(inner: StaticTenants, faults: Faults) -> Arc<Self> {
        Arc::new(Self { inner, faults })
    }

    /// The grants, to give and withdraw.
    #[must_use]
    pub const fn grants(&self) -> &StaticTenants {
        &self.inner
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
}

#[async_trait]
impl TenantDirectory for FakeTenants {
    async fn integrations(&self, org: &OrgId) -> Result<Vec<IntegrationId>> {
        let after = self.faults.enter("integrations").await?;
        after.with(self.inner.integrations(org).await?).await
    }

    async fn target(&self, request: &TargetRequest) -> Result<Target> {
        let after = self.faults.enter("target").await?;
        after.with(self.inner.target(request).await?).await
    }
}
