//! Digests from an OCI image layout: a directory instead of a registry.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value as Json;
use zopnight_core::domain::{Digest, ImageRef};
use zopnight_core::ports::{ImageResolver, ResolveRequest};
use zopnight_core::{Error, ErrorKind, Result, Retry};

const OPERATION: &str = "registry.layout";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MAX_MANIFEST: u64 = 4 << 20;
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Resolves images in a directory that holds an [OCI image layout](https://github.com/opencontainers/image-spec): the
/// files `oci-layout` and `index.json`, and blobs under `blobs/sha256/`.
///
/// One layout holds many repositories: an entry of `index.json` belongs to the one that its annotation
/// `org.opencontainers.image.ref.name` names in full, `registry/path:tag`. Of several entries with one name the last counts.
/// Nothing is cached, so a tag that moves is seen at once. Links are not followed.
#[derive(Clone, Debug)]
pub struct OciLayoutResolver {
    root: PathBuf,
}

#[derive(Deserialize)]
struct Layout {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl OciLayoutResolver {
    /// Over the layout in `root`; it may come into being later.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn find(&self, image: &ImageRef) -> Result<Digest> {
        let layout: Layout = self.json("oci-layout")?;
        if !layout.version.starts_with("1.") {
            return Err(unavailable("oci-layout names a version that is not 1.x"));
        }
        let index: Index = self.json("index.json")?;
        let here = index.manifests.iter().rev().filter_map(|entry| {
            let name = ImageRef::parse(entry.annotations.get(REF_NAME)?).ok()?;
            (name.repository() == image.repository()).then_some((name, entry))
        });
        let found = match (image.tag(), image.digest()) {
            (Some(tag), _) => here.into_iter().find(|(name, _)| name.tag() == Some(tag)),
            (None, Some(digest)) => here.into_iter().find(|(_, entry)| entry.digest == digest.as_str()),
            (None, None) => None,
        };
        let (_, entry) = found.ok_or_else(not_found)?;
        if !MEDIA_TYPES.contains(&entry.media_type.as_str()) {
            return Err(not_an_image("its media type is not one of an image"));
        }
        let digest = Digest::parse(&entry.digest).map_err(|_| not_an_image("its digest is not a SHA-256"))?;
        if image.digest().is_some_and(|wanted| *wanted != digest) {
            return Err(mismatch("the tag points to another digest"));
        }
        self.verify(&digest, &entry.media_type)?;
        Ok(digest)
    }

    /// The manifest's own bytes are what counts.
    fn verify(&self, digest: &Digest, media_type: &str) -> Result<()> {
        let path = self.root.join("blobs").join("sha256").join(digest.hex());
        let body = match read(&path, MAX_MANIFEST)? {
            None => return Err(not_found()),
            Some(Content::TooLarge) => return Err(not_an_image("its manifest is larger than 4 MiB")),
            Some(Content::Bytes(body)) => body,
        };
        if Digest::of(&body) != *digest {
            return Err(mismatch("the manifest's bytes have another digest"));
        }
        let manifest: Json = serde_json::from_slice(&body).map_err(|_| not_an_image("its manifest is no JSON"))?;
        let named = manifest.get("mediaType").and_then(Json::as_str).unwrap_or(media_type);
        if !manifest.is_object() || named != media_type {
            return Err(not_an_image("its manifest is of another media type"));
        }
        Ok(())
    }

    fn json<T: serde::de::DeserializeOwned>(&self, file: &'static str) -> Result<T> {
        match read(&self.root.join(file), MAX_MANIFEST)? {
            Some(Content::Bytes(bytes)) => {
                serde_json::from_slice(&bytes).map_err(|e| unavailable(&format!("{file} cannot be read")).with_source(e))
            }
            Some(Content::TooLarge) => Err(unavailable(&format!("{file} is larger than 4 MiB"))),
            None => Err(unavailable(&format!("there is no {file}"))),
        }
    }
}

enum Content {
    Bytes(Vec<u8>),
    TooLarge,
}

/// A regular file's bytes; `None` if there is none.
fn read(path: &Path, max: u64) -> Result<Option<Content>> {
    let failed = |e: std::io::Error| unavailable("the image layout cannot be read").with_source(e);
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
        Ok(metadata) if !metadata.is_file() => return Err(unavailable("the image layout holds something that is no file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(if bytes.len() as u64 > max { Content::TooLarge } else { Content::Bytes(bytes) }))
}

fn unavailable(message: &str) -> Error {
    Error::unavailable(OPERATION, message).with("code", "registry_unavailable")
}

fn not_found() -> Error {
    Error::not_found(OPERATION, "image_not_found", "the image is not there").with_retry(Retry::After(Duration::from_secs(5)))
}

fn mismatch(message: &str) -> Error {
    Error::conflict(OPERATION, "image_digest_mismatch", message)
}

fn not_an_image(message: &str) -> Error {
    Error::conflict(OPERATION, "image_not_an_image", message)
}

#[async_trait]
impl ImageResolver for OciLayoutResolver {
    async fn resolve(&self, request: &ResolveRequest) -> Result<Digest> {
        if *request.image.repository() != request.allotted {
            let message = "the image is not in the repository allotted to the deployment";
            return Err(Error::new(ErrorKind::Forbidden, OPERATION, message).with("code", "image_repository"));
        }
        let (resolver, image) = (self.clone(), request.image.clone());
        let found = tokio::task::spawn_blocking(move || resolver.find(&image)).await;
        found.map_err(|e| Error::internal(OPERATION, "the lookup ended early").with_source(e))?
    }
}
