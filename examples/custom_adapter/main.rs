//! An adapter of one's own: a change freeze in front of the cluster.
//!
//! Writing one takes three things: implement the port, decide in each error what the worker should do (`retry()`), and stamp
//! the port's conformance suite with one line. `cargo run --example custom_adapter` shows it, `cargo test --example
//! custom_adapter` holds it to the contract.

mod freeze;

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{
    AppName, CommitSha, DeployedImage, DeploymentId, Digest, Fence, ImageRepository, Namespace, OrgId, ReleaseRef,
    RevisionNumber, RuntimeSpec, SpaceId, Target, Timestamp,
};
use zopnight_core::ports::{Clock as _, ClusterApplier, ReleaseRequest};
use zopnight_core::{Error, Result};
use zopnight_k8s::ManifestDirectory;

use crate::freeze::Freezable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let dir =
        tempfile::tempdir().map_err(|e| Error::unavailable("custom_adapter", "no temporary directory").with_source(e))?;
    let manifests = ManifestDirectory::new(dir.path(), Arc::new(SystemClock))?;
    let cluster = Freezable::new(Arc::new(manifests), Duration::from_secs(60));

    tell("revision 1", &cluster.apply(&request(1)?).await);
    cluster.freeze(true);
    println!("-- the change freeze begins");
    tell("revision 2", &cluster.apply(&request(2)?).await);
    let status = cluster.status(&request(2)?.target).await?;
    println!("meanwhile revision {} runs", status.revision.map_or(0, RevisionNumber::get));
    cluster.freeze(false);
    println!("-- the change freeze ends");
    tell("revision 2", &cluster.apply(&request(2)?).await);
    Ok(())
}

fn tell<T>(what: &str, answer: &Result<T>) {
    match answer {
        Ok(_) => println!("{what}: applied"),
        Err(error) => println!("{what}: {} ({}), {:?}", error.message(), error.code_or_kind(), error.retry()),
    }
}

/// What the pipeline would ask for.
fn request(revision: u32) -> Result<ReleaseRequest> {
    let image_repository = ImageRepository::parse("registry.example.test/acme/shop")?;
    let (space, namespace) = (SpaceId::parse("prod")?, Namespace::parse("shop")?);
    let target = Target { space, namespace, image_repository: image_repository.clone() };
    let deployment = DeploymentId::new(Timestamp::from_secs(1_767_225_600), [1; 10]);
    Ok(ReleaseRequest::new(
        ReleaseRef::of(&OrgId::parse("acme")?, deployment, &AppName::parse("shop")?, &target),
        RevisionNumber::new(revision)?,
        Fence::of(i64::from(revision), 1),
        CommitSha::parse(&"a".repeat(40))?,
        DeployedImage { repository: image_repository, digest: Digest::of(&revision.to_be_bytes()) },
        RuntimeSpec::default(),
        SystemClock.now().plus(Duration::from_secs(60)),
    ))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use zopnight_core::testing::suites::applier::ApplierHarness;
    use zopnight_core::{ErrorKind, Retry};

    use super::*;

    struct Harness {
        cluster: Arc<Freezable>,
        _dir: TempDir,
    }

    impl Harness {
        async fn start() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let inner = ManifestDirectory::new(dir.path(), Arc::new(SystemClock)).unwrap();
            Self { cluster: Arc::new(Freezable::new(Arc::new(inner), Duration::from_secs(60))), _dir: dir }
        }
    }

    impl ApplierHarness for Harness {
        fn applier(&self) -> Arc<dyn ClusterApplier> {
            Arc::<Freezable>::clone(&self.cluster)
        }

        fn now(&self) -> Timestamp {
            SystemClock.now()
        }

        fn place(&self) -> (SpaceId, Namespace) {
            (SpaceId::parse("prod").unwrap(), Namespace::parse("shop").unwrap())
        }
    }

    zopnight_core::cluster_applier_suite!(contract, Harness::start);

    #[tokio::test]
    async fn a_freeze_writes_nothing_and_says_when_to_come_back() {
        let harness = Harness::start().await;
        harness.cluster.freeze(true);
        let wanted = request(1).unwrap();
        let error = harness.cluster.apply(&wanted).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("change_freeze")));
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(60)));
        assert_eq!(harness.cluster.status(&wanted.target).await.unwrap().revision, None);
        harness.cluster.freeze(false);
        harness.cluster.apply(&wanted).await.unwrap();
        assert_eq!(harness.cluster.status(&wanted.target).await.unwrap().revision, Some(wanted.revision));
    }
}
