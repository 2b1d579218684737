//! A registry in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::faults::{Faults, lock};
use crate::domain::{Digest, ImageRef, ImageRepository, OrgId, Tag};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ports::{ImageResolver, ResolveRequest};

#[derive(Debug, Default)]
struct Repository {
    tags: BTreeMap<Tag, Digest>,
    /// Whether each manifest is an image's.
    manifests: BTreeMap<Digest, bool>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<ImageRepository, Repository>,
    unauthorized: BTreeSet<OrgId>,
    refused: BTreeSet<String>,
    asked: Vec<ResolveRequest>,
}

/// An [`ImageResolver`] over repositories, tags and manifests in memory. Its fault is named `resolve`.
#[derive(Debug, Default)]
pub struct FakeResolver {
    faults: Faults,
    state: Mutex<State>,
}

impl FakeResolver {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// An empty registry with this script of faults.
    #[must_use]
    pub fn with_faults(faults: Faults) -> Arc<Self> {
        Arc::new(Self { faults, state: Mutex::default() })
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// An image is pushed: its manifest is there and the tag points to it.
    pub fn push(&self, repository: &ImageRepository, tag: &Tag, digest: &Digest) {
        self.put(repository, tag, digest, true);
    }

    /// Pushes the image that a build of `image` would have made and answers its digest: the same reference gives the same
    /// digest, as a repeatable build does.
    ///
    /// # Panics
    /// If `image` has no tag.
    pub fn push_build(&self, image: &ImageRef) -> Digest {
        let digest = Digest::of(image.as_str().as_bytes());
        let tag = image.tag().expect("an image to push has a tag");
        self.push(image.repository(), tag, &digest);
        digest
    }

    /// Something is pushed that is no image, such as a chart.
    pub fn push_other(&self, repository: &ImageRepository, tag: &Tag, digest: &Digest) {
        self.put(repository, tag, digest, false);
    }

    /// The manifest and all tags on it are deleted.
    pub fn delete(&self, repository: &ImageRepository, digest: &Digest) {
        if let Some(found) = lock(&self.state).repositories.get_mut(repository) {
            found.manifests.remove(digest);
            found.tags.retain(|_, d| d != digest);
        }
    }

    /// The registry refuses this tenant's credentials from now on.
    pub fn refuse_credentials(&self, org: &OrgId) {
        lock(&self.state).unauthorized.insert(org.clone());
    }

    /// The egress policy refuses this registry (`host[:port]`) from now on.
    pub fn refuse_egress(&self, registry: &str) {
        lock(&self.state).refused.insert(registry.to_owned());
    }

    /// What was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<ResolveRequest> {
        lock(&self.state).asked.clone()
    }

    fn put(&self, repository: &ImageRepository, tag: &Tag, digest: &Digest, is_image: bool) {
        let mut state = lock(&self.state);
        let found = state.repositories.entry(repository.clone()).or_default();
        found.manifests.insert(digest.clone(), is_image);
        found.tags.insert(tag.clone(), digest.clone());
    }
}

fn missing(image: &ImageRef) -> Error {
    Error::not_found("resolver.resolve", "image_not_found", format!("{image} is not in its registry"))
        .with_retry(Retry::After(Duration::from_secs(5)))
}

fn look_up(state: &State, request: &ResolveRequest) -> Result<Digest> {
    let image = &request.image;
    let forbidden = |code, message: String| Error::new(ErrorKind::Forbidden, "resolver.resolve", message).with("code", code);
    if *image.repository() != request.allotted {
        return Err(forbidden("image_repository", format!("{image} is not in the repository {}", request.allotted)));
    }
    if state.refused.contains(image.repository().registry()) {
        return Err(forbidden("egress_refused", format!("{} may not be called", image.repository().registry())));
    }
    if state.unauthorized.contains(&request.org) {
        let message = "the registry refuses the credentials";
        return Err(
            Error::new(ErrorKind::Unauthenticated, "resolver.resolve", message).with("code", "registry_unauthorized")
        );
    }
    let repository = state.repositories.get(image.repository()).ok_or_else(|| missing(image))?;
    let tagged = match image.tag() {
        Some(tag) => Some(repository.tags.get(tag).ok_or_else(|| missing(image))?),
        None => None,
    };
    let digest = match (image.digest(), tagged) {
        (Some(asked), Some(found)) if asked != found => {
            let message = format!("the tag of {image} points to {found}");
            return Err(Error::conflict("resolver.resolve", "image_digest_mismatch", message));
        }
        (Some(digest), _) | (None, Some(digest)) => digest,
        (None, None) => return Err(missing(image)),
    };
    match repository.manifests.get(digest) {
        Some(true) => Ok(digest.clone()),
        Some(false) => {
            Err(Error::conflict("resolver.resolve", "image_not_an_image", format!("{image} is not a container image")))
        }
        None => Err(missing(image)),
    }
}

#[async_trait]
impl ImageResolver for FakeResolver {
    async fn resolve(&self, request: &ResolveRequest) -> Result<Digest> {
        let after = self.faults.enter("resolve").await?;
        let answer = {
            let mut state = lock(&self.state);
            state.asked.push(request.clone());
            look_up(&state, request)?
        };
        after.with(answer).await
    }
}
