//! What the unit tests of this crate share.

use std::sync::Arc;

use zopnight_core::domain::{
    CommitSha, DeployedImage, DeploymentId, Fence, Namespace, OrgId, Port, ReleaseName, ReleaseRef, RevisionNumber,
    RuntimeSpec, SpaceId, Timestamp,
};
use zopnight_core::ports::ReleaseRequest;

use crate::chart::{Chart, ChartSource};

pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) fn request(revision: u32) -> ReleaseRequest {
    let image = format!("registry.test/acme/web@sha256:{}", "ab".repeat(32));
    ReleaseRequest::new(
        ReleaseRef {
            org: OrgId::parse("acme").unwrap(),
            deployment: DeploymentId::new(Timestamp::from_secs(NOW), [7; 10]),
            space: SpaceId::parse("prod").unwrap(),
            namespace: Namespace::parse("shop").unwrap(),
            release: ReleaseName::parse("web-0123456789").unwrap(),
        },
        RevisionNumber::new(revision).unwrap(),
        Fence::of(1, 1),
        CommitSha::parse(&"1f".repeat(20)).unwrap(),
        DeployedImage::parse(&image).unwrap(),
        RuntimeSpec { port: Port::new(8000).ok(), ..RuntimeSpec::default() },
        Timestamp::from_secs(NOW + 600),
    )
}

pub(crate) fn chart() -> Arc<Chart> {
    Chart::load(&ChartSource::Embedded).unwrap()
}
