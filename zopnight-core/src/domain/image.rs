//! Container images, by the OCI reference grammar with the registry always written out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::grammar::{parsed, refuse, rule, text_traits, text_type};
use super::hex::is_hex;
use crate::error::Result;

text_type! {
    /// The SHA-256 of a manifest: `sha256:` and 64 lower-case hex digits.
    Digest, "digest", |t| rule(
        t.strip_prefix("sha256:").is_some_and(|hex| is_hex(hex, 64)),
        "must be sha256: and 64 lower-case hex digits",
    )
}
text_type! {
    /// An image tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
    Tag, "tag", |t| rule(
        (1..=128).contains(&t.len())
            && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !t.starts_with(['.', '-']),
        "must be 1 to 128 of A-Z a-z 0-9 . _ - and not begin with . or -",
    )
}

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(["sha256:", &super::hex::encode(&super::hex::sha256(bytes))].concat().into())
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or_default()
    }
}

/// `registry/path`, at most 255 bytes: the registry is a host with a dot, `localhost` or `host:port`, lower-cased; it is
/// never implied. Path components are `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRepository(Box<str>);

impl ImageRepository {
    /// Parses `registry/path`.
    ///
    /// # Errors
    /// `Invalid`, naming the rule that was broken.
    pub fn parse(text: &str) -> Result<Self> {
        repository(text).map(|t| Self(t.into())).map_err(|r| refuse("image repository", r, text))
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `host[:port]`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.split_once('/').map_or("", |(registry, _)| registry)
    }

    /// The path inside the registry.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }
}

text_traits!(ImageRepository);

fn repository(text: &str) -> std::result::Result<String, &'static str> {
    rule(text.len() <= 255, "must be at most 255 bytes long")?;
    let (registry, path) = text.split_once('/').ok_or("must name the registry: registry/path")?;
    let (host, port) = registry.split_once(':').map_or((registry, None), |(h, p)| (h, Some(p)));
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    rule(host.split('.').all(label), "must have a registry that is a host name")?;
    rule(
        host.contains('.') || host.eq_ignore_ascii_case("localhost") || port.is_some(),
        "must have a registry with a dot or a port, or localhost",
    )?;
    rule(port.is_none_or(super::url::is_port), "must have a registry port between 1 and 65535")?;
    rule(path.split('/').all(is_component), "must have path components of a-z 0-9, separated by . _ __ or -")?;
    Ok([&registry.to_ascii_lowercase(), "/", path].concat())
}

fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let Some((first, last)) = text.bytes().next().zip(text.bytes().last()) else { return false };
    if !alphanumeric(first) || !alphanumeric(last) || !text.bytes().all(|b| alphanumeric(b) || b"._-".contains(&b)) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .filter(|separator| !separator.is_empty())
        .all(|s| s == "." || s == "_" || s == "__" || s.bytes().all(|b| b == b'-'))
}

/// `ImageRepository[:tag][@digest]` with at least one of tag and digest.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImageRef {
    repository: ImageRepository,
    tag: Option<Tag>,
    digest: Option<Digest>,
    text: Box<str>,
}

impl ImageRef {
    /// Parses `text`.
    ///
    /// # Errors
    /// `Invalid`, naming the rule that was broken.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(Tag::parse(tag)?)),
            _ => (name, None),
        };
        if tag.is_none() && digest.is_none() {
            return Err(refuse("image", "must have a tag or a digest", text));
        }
        Ok(Self::assemble(ImageRepository::parse(repository)?, tag, digest))
    }

    /// `repository:tag`.
    #[must_use]
    pub fn tagged(repository: ImageRepository, tag: Tag) -> Self {
        Self::assemble(repository, Some(tag), None)
    }

    fn assemble(repository: ImageRepository, tag: Option<Tag>, digest: Option<Digest>) -> Self {
        let mut text = repository.to_string();
        for (mark, part) in [(":", tag.as_ref().map(Tag::as_str)), ("@", digest.as_ref().map(Digest::as_str))] {
            if let Some(part) = part {
                text.push_str(mark);
                text.push_str(part);
            }
        }
        Self { repository, tag, digest, text: text.into() }
    }

    /// Where it lies.
    #[must_use]
    pub const fn repository(&self) -> &ImageRepository {
        &self.repository
    }

    /// The tag, if given.
    #[must_use]
    pub const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if given.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The whole reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

text_traits!(ImageRef);

/// `ImageRepository@digest`: the only form in which an image reaches a cluster.
///
/// ```compile_fail
/// # use zopnight_core::domain::{DeployedImage, ImageRepository};
/// let image = DeployedImage { repository: ImageRepository::parse("r.test/a").unwrap() };
/// ```
/// ```
/// # use zopnight_core::domain::{DeployedImage, Digest, ImageRepository};
/// let image = DeployedImage { repository: ImageRepository::parse("r.test/a").unwrap(), digest: Digest::of(b"{}") };
/// assert!(image.to_string().starts_with("r.test/a@sha256:"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeployedImage {
    /// The repository allotted to the deployment.
    pub repository: ImageRepository,
    /// The digest that we resolved there.
    pub digest: Digest,
}

impl DeployedImage {
    /// Parses `repository@sha256:…`, without a tag.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match ImageRef::parse(text)? {
            ImageRef { repository, tag: None, digest: Some(digest), .. } => Ok(Self { repository, digest }),
            _ => Err(refuse("deployed image", "must be repository@digest without a tag", text)),
        }
    }

    /// The same as a reference.
    #[must_use]
    pub fn to_ref(&self) -> ImageRef {
        ImageRef::assemble(self.repository.clone(), None, Some(self.digest.clone()))
    }
}

impl fmt::Display for DeployedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl Serialize for DeployedImage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeployedImage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        parsed(deserializer, Self::parse)
    }
}
