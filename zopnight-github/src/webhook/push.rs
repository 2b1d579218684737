//! Pushes to branches and tags.

use std::borrow::Cow;

use serde::Deserialize;
use zopnight_core::Result;
use zopnight_core::domain::{
    BranchName, ChangedPaths, CommitInfo, CommitSha, ForgeId, IgnoreReason, PushEvent, RefEvent, RepoEvent,
};

use super::body::{self, Object};
use super::changes::Commits;
use super::installation::Installation;
use super::repository::Repository;
use super::{ignored, invalid, skip};

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "ref", borrow)]
    git_ref: Cow<'a, str>,
    #[serde(borrow)]
    before: Cow<'a, str>,
    #[serde(borrow)]
    after: Cow<'a, str>,
    created: bool,
    deleted: bool,
    forced: bool,
    #[serde(borrow)]
    repository: Object<Repository<'a>>,
    installation: Option<Object<Installation>>,
    head_commit: Option<Object<HeadCommit>>,
    commits: Option<Commits>,
}

#[derive(Deserialize)]
struct HeadCommit {
    id: Option<String>,
    message: Option<String>,
    author: Option<Object<Author>>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
}

/// What a full ref names.
enum Ref<'r> {
    Branch(&'r str),
    Tag(&'r str),
    Other,
}

/// git's rules for a full ref, and for a branch also ours.
fn git_ref(text: &str) -> Result<Ref<'_>> {
    let refused = || invalid("the ref is not a valid git ref");
    let forbidden = |b: u8| b <= 0x20 || b == 0x7F || b"~^:?*[\\".contains(&b);
    let component = |c: &str| !c.is_empty() && !c.starts_with('.') && !c.ends_with(".lock");
    let name = text.strip_prefix("refs/").filter(|name| {
        text.len() <= 1_024
            && name.split('/').all(component)
            && !name.contains("..")
            && !name.contains("@{")
            && !name.ends_with('.')
            && !name.bytes().any(forbidden)
    });
    let name = name.ok_or_else(refused)?;
    if let Some(branch) = name.strip_prefix("heads/") {
        BranchName::parse(branch)?;
        return Ok(Ref::Branch(branch));
    }
    match name.strip_prefix("tags/") {
        Some(tag) => Ok(Ref::Tag(tag)),
        None if name.contains('/') => Ok(Ref::Other),
        None => Err(refused()),
    }
}

/// A commit; all zeros, in either length, is none.
fn commit(text: &str) -> Result<Option<CommitSha>> {
    if [40, 64].contains(&text.len()) && text.bytes().all(|b| b == b'0') {
        return Ok(None);
    }
    CommitSha::parse(text).map(Some)
}

impl HeadCommit {
    fn info(&self) -> Option<CommitInfo> {
        let sha = CommitSha::parse(self.id.as_deref()?).ok()?;
        let author = self.author.as_ref().and_then(|a| a.0.name.as_deref());
        Some(CommitInfo::described(sha, self.message.as_deref(), author))
    }
}

/// Reads a `push` event.
pub(super) fn read(json: &str, forge: &ForgeId) -> Result<RepoEvent> {
    let payload: Payload<'_> = body::parse(json)?;
    let target = git_ref(&payload.git_ref)?;
    let (before, after) = (commit(&payload.before)?, commit(&payload.after)?);
    let repository = payload.repository.0.info(forge)?;
    let installation = payload.installation.as_ref().map(|i| i.0.id()).transpose()?;
    let (name, is_tag) = match target {
        Ref::Branch(name) => (name.to_owned(), false),
        Ref::Tag(name) => (name.to_owned(), true),
        Ref::Other => return Ok(ignored("push", "", IgnoreReason::UnusedAction)),
    };
    let after = match after {
        Some(after) if !payload.deleted => after,
        _ if is_tag => return Ok(RepoEvent::TagDeleted(RefEvent { repository, name })),
        _ => return Ok(RepoEvent::BranchDeleted(RefEvent { repository, name })),
    };
    let created = payload.created || before.is_none();
    let changed = if created {
        ChangedPaths::Unknown("the ref is new")
    } else if payload.forced {
        ChangedPaths::Unknown("history was rewritten")
    } else {
        payload.commits.unwrap_or_default().changed(&after)
    };
    let head_commit = payload.head_commit.map(|head| head.0);
    // An annotated tag points to a tag object, so that its head commit has another id than `after`.
    let head = head_commit.as_ref().and_then(HeadCommit::info).filter(|info| is_tag || info.sha == after);
    let message = head_commit.as_ref().and_then(|head| head.message.as_deref()).filter(|_| head.is_some());
    let push = PushEvent {
        repository,
        installation,
        git_ref: payload.git_ref.into_owned(),
        name,
        before,
        after,
        created,
        forced: payload.forced,
        head,
        changed,
        skip: message.and_then(skip::find),
    };
    Ok(if is_tag { RepoEvent::TagPushed(push) } else { RepoEvent::Push(push) })
}
