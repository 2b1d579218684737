//! What every [`ImageResolver`] keeps, whatever registry it asks.
//!
//! An adapter implements [`ResolverHarness`] and stamps the cases with `image_resolver_suite!`. Each case gets a harness of
//! its own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Digest, ImageRef, ImageRepository, OrgId, Tag};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ports::{ImageResolver, ResolveRequest};

/// The media types of image manifests and indexes.
pub const IMAGE_MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The largest manifest, in bytes.
pub const MAX_MANIFEST: usize = 4 << 20;

/// A resolver over an empty registry that the suite can fill.
#[async_trait]
pub trait ResolverHarness: Send + Sync {
    /// The resolver under test; the same on every call.
    fn resolver(&self) -> Arc<dyn ImageResolver>;

    /// `host` or `host:port` of the registry.
    fn registry(&self) -> String;

    /// Stores a manifest in a repository and points the tag to it; a tag that exists moves.
    async fn push(&self, repository: &ImageRepository, tag: &Tag, media_type: &str, body: &[u8]);
}

struct Repository<'h, H: ?Sized> {
    harness: &'h H,
    repository: ImageRepository,
}

fn manifest(media_type: &str, n: u32) -> Vec<u8> {
    format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","annotations":{{"n":"{n}"}}}}"#).into_bytes()
}

impl<'h, H: ResolverHarness + ?Sized> Repository<'h, H> {
    fn of(harness: &'h H, path: &str) -> Self {
        let text = [&harness.registry(), "/", path].concat();
        let repository = ImageRepository::parse(&text).expect("the harness names a registry");
        Self { harness, repository }
    }

    async fn push(&self, tag: &str, media_type: &str, body: &[u8]) -> Digest {
        let tag = Tag::parse(tag).expect("the suite's tags are well formed");
        self.harness.push(&self.repository, &tag, media_type, body).await;
        Digest::of(body)
    }

    async fn push_image(&self, tag: &str, n: u32) -> Digest {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        self.push(tag, media_type, &manifest(media_type, n)).await
    }

    /// Resolves `<repository><suffix>` with this repository allotted.
    async fn resolve(&self, suffix: &str) -> Result<Digest> {
        self.resolve_allotted(suffix, &self.repository).await
    }

    async fn resolve_allotted(&self, suffix: &str, allotted: &ImageRepository) -> Result<Digest> {
        let image =
            ImageRef::parse(&[self.repository.as_str(), suffix].concat()).expect("the suite's images are well formed");
        let org = OrgId::parse("suite").expect("the suite's org is well formed");
        let request = ResolveRequest { org, image, allotted: allotted.clone() };
        self.harness.resolver().resolve(&request).await
    }
}

#[track_caller]
fn refused(answer: Result<Digest>, kind: ErrorKind, code: &str) -> Error {
    let error = answer.expect_err("the image is refused");
    assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error:?}");
    error
}

fn at(digest: &Digest) -> String {
    ["@", digest.as_str()].concat()
}

/// A tag gives the SHA-256 of the manifest's bytes.
pub async fn a_tag_gives_the_digest_of_the_manifest(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    let digest = app.push_image("one", 1).await;
    app.push_image("two", 2).await;
    assert_eq!(app.resolve(":one").await.expect("it is there"), digest);
}

/// Manifests and indexes of OCI and Docker are images.
pub async fn every_image_media_type_is_taken(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    for (n, media_type) in (0_u32..).zip(IMAGE_MEDIA_TYPES) {
        let digest = app.push("latest", media_type, &manifest(media_type, n)).await;
        assert_eq!(app.resolve(":latest").await.expect("it is there"), digest, "{media_type}");
    }
}

/// A digest resolves to itself if the repository holds it.
pub async fn a_digest_is_looked_up(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    let digest = app.push_image("one", 1).await;
    assert_eq!(app.resolve(&at(&digest)).await.expect("it is there"), digest);
    let absent = Digest::of(b"absent");
    refused(app.resolve(&at(&absent)).await, ErrorKind::NotFound, "image_not_found");
}

/// A tag that nobody pushed is not found, and worth asking for again.
pub async fn an_unknown_tag_is_not_found(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    app.push_image("one", 1).await;
    let error = refused(app.resolve(":two").await, ErrorKind::NotFound, "image_not_found");
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
}

/// A repository that nobody pushed to is not found.
pub async fn an_unknown_repository_is_not_found(harness: &impl ResolverHarness) {
    Repository::of(harness, "suite/app").push_image("one", 1).await;
    let other = Repository::of(harness, "suite/other");
    refused(other.resolve(":one").await, ErrorKind::NotFound, "image_not_found");
}

/// With tag and digest, the tag must point to that digest.
pub async fn a_tag_must_point_to_the_digest_given(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    let (one, two) = (app.push_image("one", 1).await, app.push_image("two", 2).await);
    assert_eq!(app.resolve(&[":one", &at(&one)].concat()).await.expect("they agree"), one);
    let error = refused(app.resolve(&[":one", &at(&two)].concat()).await, ErrorKind::Conflict, "image_digest_mismatch");
    assert_eq!(error.retry(), Retry::Never);
}

/// A tag that moved gives what it names now.
pub async fn a_moved_tag_gives_the_new_digest(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    let old = app.push_image("latest", 1).await;
    let new = app.push_image("latest", 2).await;
    assert_eq!(app.resolve(":latest").await.expect("it is there"), new);
    refused(app.resolve(&[":latest", &at(&old)].concat()).await, ErrorKind::Conflict, "image_digest_mismatch");
}

/// An image of another repository is refused although it exists; a common prefix does not help.
pub async fn a_foreign_repository_is_refused(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    app.push_image("one", 1).await;
    for path in ["suite/app2", "suite/app/sub", "other/app", "suite/ap"] {
        let foreign = Repository::of(harness, path);
        let digest = foreign.push_image("one", 2).await;
        for suffix in [":one".to_owned(), at(&digest)] {
            let error =
                refused(foreign.resolve_allotted(&suffix, &app.repository).await, ErrorKind::Forbidden, "image_repository");
            assert_eq!(error.retry(), Retry::Never, "{path}");
        }
    }
    let elsewhere = ImageRepository::parse("elsewhere.test/suite/app").expect("a repository");
    refused(app.resolve_allotted(":one", &elsewhere).await, ErrorKind::Forbidden, "image_repository");
}

/// A digest that only another repository holds is not found here.
pub async fn a_digest_of_another_repository_is_not_found(harness: &impl ResolverHarness) {
    let (app, other) = (Repository::of(harness, "suite/app"), Repository::of(harness, "suite/other"));
    app.push_image("one", 1).await;
    let digest = other.push_image("one", 2).await;
    refused(app.resolve(&at(&digest)).await, ErrorKind::NotFound, "image_not_found");
}

/// Something that is no image is refused.
pub async fn another_media_type_is_not_an_image(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    for media_type in ["application/vnd.oci.image.config.v1+json", "application/json", "text/html"] {
        app.push("odd", media_type, &manifest(media_type, 1)).await;
        let error = refused(app.resolve(":odd").await, ErrorKind::Conflict, "image_not_an_image");
        assert_eq!(error.retry(), Retry::Never);
    }
}

/// A manifest has at most 4 MiB.
pub async fn an_oversized_manifest_is_not_an_image(harness: &impl ResolverHarness) {
    let app = Repository::of(harness, "suite/app");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let mut body = manifest(media_type, 1);
    body.resize(MAX_MANIFEST, b' ');
    let digest = app.push("full", media_type, &body).await;
    assert_eq!(app.resolve(":full").await.expect("exactly at the bound"), digest);
    body.push(b' ');
    app.push("over", media_type, &body).await;
    refused(app.resolve(":over").await, ErrorKind::Conflict, "image_not_an_image");
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of a [`ResolverHarness`].
#[macro_export]
macro_rules! image_resolver_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            resolver,
            [
                a_tag_gives_the_digest_of_the_manifest,
                every_image_media_type_is_taken,
                a_digest_is_looked_up,
                an_unknown_tag_is_not_found,
                an_unknown_repository_is_not_found,
                a_tag_must_point_to_the_digest_given,
                a_moved_tag_gives_the_new_digest,
                a_foreign_repository_is_refused,
                a_digest_of_another_repository_is_not_found,
                another_media_type_is_not_an_image,
                an_oversized_manifest_is_not_an_image,
            ]
        );
    };
}
