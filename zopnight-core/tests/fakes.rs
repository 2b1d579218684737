//! The conformance suites, run for the fakes, and what is special to each fake.

use std::sync::Arc;

use async_trait::async_trait;
use zopnight_core::domain::*;
use zopnight_core::ports::*;
use zopnight_core::testing::fakes::*;
use zopnight_core::testing::suites::applier::ApplierHarness;
use zopnight_core::testing::suites::resolver::{IMAGE_MEDIA_TYPES, MAX_MANIFEST, ResolverHarness};

fn clock() -> Arc<ManualClock> {
    ManualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
}

struct Cluster {
    clock: Arc<ManualClock>,
    applier: Arc<FakeApplier>,
}

impl Cluster {
    async fn start() -> Self {
        let clock = clock();
        let applier = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
        Self { clock, applier }
    }
}

impl ApplierHarness for Cluster {
    fn applier(&self) -> Arc<dyn ClusterApplier> {
        Arc::<FakeApplier>::clone(&self.applier)
    }
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    fn place(&self) -> (SpaceId, Namespace) {
        (SpaceId::parse("space").unwrap(), Namespace::parse("apps").unwrap())
    }
}

zopnight_core::cluster_applier_suite!(applier, Cluster::start);

struct Registry(Arc<FakeResolver>);

impl Registry {
    async fn start() -> Self {
        Self(FakeResolver::new())
    }
}

#[async_trait]
impl ResolverHarness for Registry {
    fn resolver(&self) -> Arc<dyn ImageResolver> {
        Arc::<FakeResolver>::clone(&self.0)
    }
    fn registry(&self) -> String {
        "registry.test".to_owned()
    }
    async fn push(&self, repository: &ImageRepository, tag: &Tag, media_type: &str, body: &[u8]) {
        let digest = Digest::of(body);
        if IMAGE_MEDIA_TYPES.contains(&media_type) && body.len() <= MAX_MANIFEST {
            self.0.push(repository, tag, &digest);
        } else {
            self.0.push_other(repository, tag, &digest);
        }
    }
}

zopnight_core::image_resolver_suite!(resolver, Registry::start);
