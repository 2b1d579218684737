//! Images as files: a deterministic layer, and the OCI image layout that many images share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use zopnight_core::domain::{CommitSha, Digest, ImageRef, RepoPath};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const REVISION: &str = "org.opencontainers.image.revision";
const BLOCK: usize = 512;

/// What a layer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory,
    File { bytes: Vec<u8>, executable: bool },
    Link { target: String },
}

/// A tar archive of `entries`, the same bytes whatever their order: names sorted, no owner, no time.
pub(crate) fn layer(entries: &[(RepoPath, Entry)]) -> Vec<u8> {
    let mut sorted: Vec<&(RepoPath, Entry)> = entries.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut tar = Vec::new();
    for (path, entry) in sorted {
        let (name, kind, mode, bytes, target) = match entry {
            Entry::Directory => (format!("{path}/"), b'5', 0o755, [].as_slice(), ""),
            Entry::File { bytes, executable: true } => (path.to_string(), b'0', 0o755, bytes.as_slice(), ""),
            Entry::File { bytes, executable: false } => (path.to_string(), b'0', 0o644, bytes.as_slice(), ""),
            Entry::Link { target } => (path.to_string(), b'2', 0o777, [].as_slice(), target.as_str()),
        };
        let mut records = String::new();
        if name.len() > 100 {
            records.push_str(&record("path", &name));
        }
        if target.len() > 100 {
            records.push_str(&record("linkpath", target));
        }
        if !records.is_empty() {
            member(&mut tar, "pax", b'x', 0o644, records.as_bytes(), "");
        }
        member(&mut tar, &name, kind, mode, bytes, target);
    }
    tar.resize(tar.len().saturating_add(2 * BLOCK), 0);
    tar
}

/// A pax record, whose length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len().saturating_add(value.len()).saturating_add(3);
    let mut length = rest;
    while rest.saturating_add(length.to_string().len()) != length {
        length = rest.saturating_add(length.to_string().len());
    }
    format!("{length} {key}={value}\n")
}

fn member(tar: &mut Vec<u8>, name: &str, kind: u8, mode: u32, bytes: &[u8], target: &str) {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, width: usize, value: &[u8]| {
        header.iter_mut().skip(at).take(width).zip(value).for_each(|(to, from)| *to = *from);
    };
    put(0, 100, name.as_bytes());
    put(100, 8, format!("{mode:07o}").as_bytes());
    put(108, 8, b"0000000");
    put(116, 8, b"0000000");
    put(124, 12, format!("{:011o}", bytes.len()).as_bytes());
    put(136, 12, b"00000000000");
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, target.as_bytes());
    put(257, 8, b"ustar\x0000");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    let sum = format!("{sum:06o}\0 ");
    header.iter_mut().skip(148).zip(sum.as_bytes()).for_each(|(to, from)| *to = *from);
    tar.extend_from_slice(&header);
    tar.extend_from_slice(bytes);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}

/// A directory that holds an OCI image layout, one for all repositories: an image is named in full in `index.json`.
#[derive(Debug)]
pub(crate) struct ImageLayout {
    root: PathBuf,
    writing: Mutex<()>,
}

impl ImageLayout {
    /// Over `root`, which is made when the first image is put.
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root, writing: Mutex::new(()) }
    }

    /// Puts an image of one layer on an empty base.
    pub(crate) fn put_packed(&self, image: &ImageRef, commit: &CommitSha, layer: &[u8]) -> io::Result<Digest> {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Labels": {REVISION: commit.as_str()}},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(layer).as_str()]},
        })
        .to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config.as_bytes()),
            "layers": [descriptor(LAYER, layer)],
            "annotations": {REVISION: commit.as_str()},
        })
        .to_string();
        let _one = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for blob in [layer, config.as_bytes(), manifest.as_bytes()] {
            self.put_blob(blob)?;
        }
        self.name(image, descriptor(MANIFEST, manifest.as_bytes()))?;
        Ok(Digest::of(manifest.as_bytes()))
    }

    /// Takes over the image of a layout that a container builder wrote: all its blobs, and the first entry of its index.
    pub(crate) fn take_over(&self, from: &Path, image: &ImageRef) -> io::Result<Digest> {
        let index: Value = parse(&fs::read(from.join("index.json"))?)?;
        let entry = index.get("manifests").and_then(|m| m.get(0)).cloned();
        let mut entry = entry.ok_or_else(|| io::Error::other("the builder's image layout names no image"))?;
        let digest = entry.get("digest").and_then(Value::as_str).and_then(|d| Digest::parse(d).ok());
        let digest = digest.ok_or_else(|| io::Error::other("the builder's image has no SHA-256 digest"))?;
        let _one = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for blob in fs::read_dir(from.join("blobs").join("sha256"))? {
            let blob = blob?;
            if blob.file_type()?.is_file() {
                let to = self.blobs()?.join(blob.file_name());
                fs::copy(blob.path(), to)?;
            }
        }
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("annotations");
        }
        self.name(image, entry)?;
        Ok(digest)
    }

    fn blobs(&self) -> io::Result<PathBuf> {
        let blobs = self.root.join("blobs").join("sha256");
        fs::create_dir_all(&blobs)?;
        Ok(blobs)
    }

    fn put_blob(&self, bytes: &[u8]) -> io::Result<()> {
        replace(&self.blobs()?.join(Digest::of(bytes).hex()), bytes)
    }

    /// Points `image` at a manifest.
    fn name(&self, image: &ImageRef, mut entry: Value) -> io::Result<()> {
        let name = json!(image.as_str());
        let path = self.root.join("index.json");
        let mut manifests = match fs::read(&path) {
            Ok(bytes) => parse(&bytes)?.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        manifests.retain(|m| m.pointer("/annotations").and_then(|a| a.get(REF_NAME)) != Some(&name));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("annotations".to_owned(), json!({REF_NAME: name}));
        }
        manifests.push(entry);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        replace(&self.root.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        replace(&path, format!("{index:#}\n").as_bytes())
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes).as_str(), "size": bytes.len()})
}

fn parse(bytes: &[u8]) -> io::Result<Value> {
    serde_json::from_slice(bytes).map_err(io::Error::other)
}

/// A reader sees the old file or the new one, never half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use zopnight_core::domain::OrgId;
    use zopnight_core::ports::{ImageResolver as _, ResolveRequest};
    use zopnight_k8s::OciLayoutResolver;

    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    fn file(text: &str) -> Entry {
        Entry::File { bytes: text.as_bytes().to_vec(), executable: false }
    }

    fn entries() -> Vec<(RepoPath, Entry)> {
        vec![
            (path("b"), Entry::Directory),
            (path("b/run"), Entry::File { bytes: b"#!/bin/sh\n".to_vec(), executable: true }),
            (path("a"), file("1")),
            (path("l"), Entry::Link { target: "b/run".to_owned() }),
            (path(&format!("{}/x", "d".repeat(120))), file("long")),
        ]
    }

    #[test]
    fn a_layer_is_the_same_whatever_the_order() {
        let mut reversed = entries();
        reversed.reverse();
        let tar = layer(&entries());
        assert_eq!(tar, layer(&reversed));
        // A change here changes the digest of every packed image.
        assert_eq!(Digest::of(&tar).as_str(), "sha256:c08bf3effe171c94d9cf6768080ba8974d9bcd470d7d4aa5b9bc03f67ce880d5");
        assert_eq!(tar.len() % BLOCK, 0);
    }

    #[test]
    fn the_tar_program_reads_a_layer() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("layer.tar");
        fs::write(&archive, layer(&entries())).unwrap();
        let answer = std::process::Command::new("tar").arg("-tvf").arg(&archive).env("TZ", "UTC").output();
        let Ok(answer) = answer else { return eprintln!("skipped: there is no tar program") };
        assert!(answer.status.success(), "{answer:?}");
        let listed = String::from_utf8(answer.stdout).unwrap();
        let names: Vec<&str> = listed.lines().filter_map(|l| l.split_whitespace().nth(5)).collect();
        let long = format!("{}/x", "d".repeat(120));
        assert_eq!(names, ["a", "b/", "b/run", long.as_str(), "l"], "{listed}");
        assert!(listed.contains("l -> b/run") && listed.contains("-rwxr-xr-x"), "{listed}");
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for n in [1, 85, 86, 87, 88, 89, 90, 985, 986, 990] {
            let record = record("path", &"x".repeat(n));
            let (length, _) = record.split_once(' ').unwrap();
            assert_eq!(length.parse::<usize>().unwrap(), record.len(), "{n}");
        }
    }

    #[tokio::test]
    async fn the_resolver_finds_what_was_put() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("images");
        let layout = ImageLayout::new(root.clone());
        let commit = CommitSha::parse(&"a".repeat(40)).unwrap();
        let image = |tag: &str| ImageRef::parse(&format!("registry.local/demo/hello:{tag}")).unwrap();
        let one = layout.put_packed(&image("one"), &commit, &layer(&entries())).unwrap();
        let two = layout.put_packed(&image("two"), &commit, &layer(&[(path("a"), file("2"))])).unwrap();
        let again = layout.put_packed(&image("one"), &commit, &layer(&entries())).unwrap();
        assert!(one == again && one != two);
        let resolver = OciLayoutResolver::new(&root);
        for (tag, digest) in [("one", &one), ("two", &two)] {
            let allotted = image(tag).repository().clone();
            let request = ResolveRequest { org: OrgId::parse("demo").unwrap(), image: image(tag), allotted };
            assert_eq!(resolver.resolve(&request).await.unwrap(), *digest);
        }
        let elsewhere = dir.path().join("other");
        let other = ImageLayout::new(elsewhere.clone());
        let taken = other.take_over(&root, &image("taken")).unwrap();
        assert_eq!(taken, two, "the first entry of the index");
        let request = ResolveRequest {
            org: OrgId::parse("demo").unwrap(),
            image: image("taken"),
            allotted: image("taken").repository().clone(),
        };
        assert_eq!(OciLayoutResolver::new(&elsewhere).resolve(&request).await.unwrap(), taken);
    }
}
