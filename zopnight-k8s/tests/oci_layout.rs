//! The OCI image layout: the contract's suite, then what is special to a directory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zopnight_core::domain::{Digest, ImageRef, ImageRepository, OrgId, Tag};
use zopnight_core::ports::{ImageResolver, ResolveRequest};
use zopnight_core::testing::suites::resolver::ResolverHarness;
use zopnight_core::{ErrorKind, Result};
use zopnight_k8s::OciLayoutResolver;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

struct Harness {
    root: tempfile::TempDir,
}

impl Harness {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("blobs/sha256")).unwrap();
        fs::write(root.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::write(root.path().join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        Self { root }
    }

    fn blob(&self, digest: &Digest) -> std::path::PathBuf {
        self.root.path().join("blobs/sha256").join(digest.hex())
    }

    fn change_index(&self, change: impl FnOnce(&mut Vec<Value>)) {
        let path = self.root.path().join("index.json");
        let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(index["manifests"].as_array_mut().unwrap());
        fs::write(path, index.to_string()).unwrap();
    }

    async fn image(&self) -> Digest {
        let body = br#"{"schemaVersion":2}"#;
        self.push(&repository(), &Tag::parse("v1").unwrap(), MANIFEST, body).await;
        Digest::of(body)
    }

    async fn resolve(&self, suffix: &str) -> Result<Digest> {
        resolve(self.root.path(), suffix).await
    }
}

fn repository() -> ImageRepository {
    ImageRepository::parse("registry.test/acme/web").unwrap()
}

async fn resolve(root: &Path, suffix: &str) -> Result<Digest> {
    let image = ImageRef::parse(&format!("{}{suffix}", repository())).unwrap();
    let request = ResolveRequest { org: OrgId::parse("acme").unwrap(), image, allotted: repository() };
    OciLayoutResolver::new(root).resolve(&request).await
}

#[async_trait]
impl ResolverHarness for Harness {
    fn resolver(&self) -> Arc<dyn ImageResolver> {
        Arc::new(OciLayoutResolver::new(self.root.path()))
    }

    fn registry(&self) -> String {
        "registry.test".into()
    }

    async fn push(&self, repository: &ImageRepository, tag: &Tag, media_type: &str, body: &[u8]) {
        let digest = Digest::of(body);
        fs::write(self.blob(&digest), body).unwrap();
        let name = format!("{repository}:{tag}");
        self.change_index(|manifests| {
            manifests.retain(|m| m["annotations"]["org.opencontainers.image.ref.name"] != name.as_str());
            manifests.push(json!({
                "mediaType": media_type,
                "digest": digest.as_str(),
                "size": body.len(),
                "annotations": {"org.opencontainers.image.ref.name": name},
            }));
        });
    }
}

zopnight_core::image_resolver_suite!(contract, Harness::start);

#[tokio::test]
async fn bytes_that_do_not_match_their_name_are_refused() {
    let harness = Harness::start().await;
    let digest = harness.image().await;
    fs::write(harness.blob(&digest), br#"{"schemaVersion":2 }"#).unwrap();
    let error = harness.resolve(":v1").await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, Some("image_digest_mismatch")));
}

#[tokio::test]
async fn an_index_cannot_lead_out_of_the_layout() {
    let harness = Harness::start().await;
    harness.image().await;
    for digest in ["sha256:../../../../etc/passwd", "sha256:", "../x", "md5:00", "sha512:00"] {
        harness.change_index(|manifests| manifests[0]["digest"] = json!(digest));
        let error = harness.resolve(":v1").await.unwrap_err();
        assert_eq!(error.code(), Some("image_not_an_image"), "{digest}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    let harness = Harness::start().await;
    let digest = harness.image().await;
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::rename(harness.blob(&digest), outside.path()).unwrap();
    std::os::unix::fs::symlink(outside.path(), harness.blob(&digest)).unwrap();
    assert_eq!(harness.resolve(":v1").await.unwrap_err().code(), Some("registry_unavailable"));
}

#[tokio::test]
async fn what_is_no_layout_is_unavailable() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(resolve(empty.path(), ":v1").await.unwrap_err().code(), Some("registry_unavailable"));
    let harness = Harness::start().await;
    harness.image().await;
    for (file, content) in
        [("oci-layout", "{}"), ("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#), ("index.json", r#"{"manifests":1}"#)]
    {
        let path = harness.root.path().join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let error = harness.resolve(":v1").await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("registry_unavailable")), "{file} {content}");
        fs::write(&path, before).unwrap();
    }
    assert!(harness.resolve(":v1").await.is_ok());
}

#[tokio::test]
async fn a_manifest_of_another_media_type_than_its_entry_is_no_image() {
    let harness = Harness::start().await;
    for body in [r#"{"mediaType":"application/json"}"#, "[]", "not json"] {
        harness.push(&repository(), &Tag::parse("v1").unwrap(), MANIFEST, body.as_bytes()).await;
        assert_eq!(harness.resolve(":v1").await.unwrap_err().code(), Some("image_not_an_image"), "{body}");
    }
}

#[tokio::test]
async fn a_missing_blob_is_not_found() {
    let harness = Harness::start().await;
    let digest = harness.image().await;
    fs::remove_file(harness.blob(&digest)).unwrap();
    assert_eq!(harness.resolve(":v1").await.unwrap_err().code(), Some("image_not_found"));
}
