//! Looks image references up in their registry.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::{Digest, ImageRef, ImageRepository, OrgId};
use crate::error::Result;

/// Looks image references up in their registry.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ImageResolver: Debug + Send + Sync + 'static {
    /// The digest of the manifest that `image` names now, from the manifest's own bytes. A digest in the reference must equal
    /// it; with tag and digest the tag must point to it.
    ///
    /// # Errors
    /// `NotFound` (`image_not_found`), `Conflict` (`image_digest_mismatch`, `image_not_an_image`), `Forbidden`
    /// (`image_repository`: not the allotted one; `egress_refused`), `Unavailable` (`registry_unavailable`), `Unauthenticated`
    /// (`registry_unauthorized`).
    async fn resolve(&self, request: &ResolveRequest) -> Result<Digest>;
}

/// What to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveRequest {
    /// For whom; credentials and caches are kept apart by it.
    pub org: OrgId,
    /// What.
    pub image: ImageRef,
    /// The only repository it may be in.
    pub allotted: ImageRepository,
}
