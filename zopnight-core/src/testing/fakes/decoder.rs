//! Webhooks of the fake forge, with a wire form of our own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::FakeForge;
use super::faults::Faults;
use crate::domain::{
    BranchName, ChangedPaths, CommitInfo, CommitSha, Delivery, DeliveryId, IgnoreReason, InstallationEvent, InstallationId,
    OwnerName, PushEvent, RefEvent, RepoEvent, RepoInfo, RepoName, RepoPath, RepositoryEvent, RepositoryId, SecretSlot,
    SkipToken, hex,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{WebhookDecoder, WebhookRequest};

/// Carries `sha256=` and the hex SHA-256 of the secret followed by the body; the name is GitHub's, so that routes that look
/// for a signature before they read a body can be tried with it.
const SIGNATURE: &str = "x-hub-signature-256";
const DELIVERY: &str = "x-github-delivery";

/// A [`WebhookDecoder`] for the deliveries that a [`FakeForge`] makes: [`FakeDecoder::request`] writes one as a request,
/// `decode` reads it back. Pull requests are written as ignored. Its fault is named `decode`.
#[derive(Debug)]
pub struct FakeDecoder {
    secret: String,
    faults: Faults,
}

impl FakeDecoder {
    /// A decoder that trusts this secret.
    #[must_use]
    pub fn new(secret: &str) -> Arc<Self> {
        Self::with_faults(secret, Faults::new())
    }

    /// The same with this script of faults.
    #[must_use]
    pub fn with_faults(secret: &str, faults: Faults) -> Arc<Self> {
        Arc::new(Self { secret: secret.to_owned(), faults })
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The delivery as it would come in, signed.
    ///
    /// # Panics
    /// Never: the wire form can hold every delivery.
    #[must_use]
    pub fn request(&self, delivery: &Delivery) -> WebhookRequest {
        let body = serde_json::to_vec(&Wire::of(&delivery.event)).expect("the wire form is plain JSON");
        self.sign(delivery.id.as_str(), body)
    }

    /// Any body, signed.
    #[must_use]
    pub fn sign(&self, id: &str, body: Vec<u8>) -> WebhookRequest {
        let headers =
            [("content-type", "application/json".to_owned()), (DELIVERY, id.to_owned()), (SIGNATURE, self.signature(&body))];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        WebhookRequest { headers, body: body.into() }
    }

    fn signature(&self, body: &[u8]) -> String {
        let digest = hex::sha256(&[self.secret.as_bytes(), &[0], body].concat());
        ["sha256=", &hex::encode(&digest)].concat()
    }
}

fn only<'r>(request: &'r WebhookRequest, name: &str) -> Option<&'r [u8]> {
    let mut values = request.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_slice());
    values.next().filter(|_| values.next().is_none())
}

impl WebhookDecoder for FakeDecoder {
    fn decode(&self, request: &WebhookRequest) -> Result<Delivery> {
        self.faults.enter_now("decode")?;
        if only(request, SIGNATURE) != Some(self.signature(&request.body).as_bytes()) {
            return Err(Error::new(ErrorKind::Unauthenticated, "decoder.decode", "the signature is wrong"));
        }
        let invalid = |message: &str| Error::invalid("decoder.decode", message);
        let id = only(request, DELIVERY).and_then(|v| std::str::from_utf8(v).ok());
        let id = DeliveryId::parse(id.ok_or_else(|| invalid("one delivery id is needed"))?)?;
        let wire: Wire = serde_json::from_slice(&request.body)
            .map_err(|error| invalid("the body is not a delivery").with_source(error))?;
        let body_sha256 = hex::sha256(&request.body);
        Ok(Delivery { forge: FakeForge::id(), id, body_sha256, secret: SecretSlot::Current, event: wire.into_event() })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Wire {
    Ping,
    Push(WirePush),
    TagPushed(WirePush),
    BranchDeleted {
        repository: WireRepo,
        name: String,
    },
    TagDeleted {
        repository: WireRepo,
        name: String,
    },
    Installation {
        action: String,
        installation: InstallationId,
    },
    Repository {
        action: String,
        repository: WireRepo,
    },
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
struct WireRepo {
    id: RepositoryId,
    owner: OwnerName,
    name: RepoName,
    default_branch: Option<BranchName>,
    private: bool,
    archived: bool,
}

#[derive(Serialize, Deserialize)]
struct WirePush {
    repository: WireRepo,
    installation: Option<InstallationId>,
    git_ref: String,
    name: String,
    before: Option<CommitSha>,
    after: CommitSha,
    created: bool,
    forced: bool,
    head: Option<CommitInfo>,
    changed: Option<Vec<RepoPath>>,
    skip: Option<String>,
}

impl WireRepo {
    fn of(repo: &RepoInfo) -> Self {
        Self {
            id: repo.id,
            owner: repo.owner.clone(),
            name: repo.name.clone(),
            default_branch: repo.default_branch.clone(),
            private: repo.private,
            archived: repo.archived,
        }
    }

    fn into_info(self) -> RepoInfo {
        RepoInfo {
            forge: FakeForge::id(),
            id: self.id,
            owner: self.owner,
            name: self.name,
            default_branch: self.default_branch,
            private: self.private,
            archived: self.archived,
        }
    }
}

impl WirePush {
    fn of(push: &PushEvent) -> Self {
        Self {
            repository: WireRepo::of(&push.repository),
            installation: push.installation,
            git_ref: push.git_ref.clone(),
            name: push.name.clone(),
            before: push.before.clone(),
            after: push.after.clone(),
            created: push.created,
            forced: push.forced,
            head: push.head.clone(),
            changed: match &push.changed {
                ChangedPaths::Known(paths) => Some(paths.clone()),
                ChangedPaths::Unknown(_) => None,
            },
            skip: push.skip.as_ref().map(|s| s.0.clone()),
        }
    }

    fn into_event(self) -> PushEvent {
        PushEvent {
            repository: self.repository.into_info(),
            installation: self.installation,
            git_ref: self.git_ref,
            name: self.name,
            before: self.before,
            after: self.after,
            created: self.created,
            forced: self.forced,
            head: self.head,
            changed: self.changed.map_or(ChangedPaths::Unknown("not told"), ChangedPaths::Known),
            skip: self.skip.map(SkipToken),
        }
    }
}

impl Wire {
    fn of(event: &RepoEvent) -> Self {
        let gone = |e: &RefEvent| (WireRepo::of(&e.repository), e.name.clone());
        match event {
            RepoEvent::Ping => Self::Ping,
            RepoEvent::Push(push) => Self::Push(WirePush::of(push)),
            RepoEvent::TagPushed(push) => Self::TagPushed(WirePush::of(push)),
            RepoEvent::BranchDeleted(e) => {
                let (repository, name) = gone(e);
                Self::BranchDeleted { repository, name }
            }
            RepoEvent::TagDeleted(e) => {
                let (repository, name) = gone(e);
                Self::TagDeleted { repository, name }
            }
            RepoEvent::Installation(e) => Self::Installation { action: e.action.clone(), installation: e.installation },
            RepoEvent::Repository(e) => {
                Self::Repository { action: e.action.clone(), repository: WireRepo::of(&e.repository) }
            }
            RepoEvent::PullRequest(_) | RepoEvent::Ignored { .. } => Self::Other,
        }
    }

    fn into_event(self) -> RepoEvent {
        match self {
            Self::Ping => RepoEvent::Ping,
            Self::Push(push) => RepoEvent::Push(push.into_event()),
            Self::TagPushed(push) => RepoEvent::TagPushed(push.into_event()),
            Self::BranchDeleted { repository, name } => {
                RepoEvent::BranchDeleted(RefEvent { repository: repository.into_info(), name })
            }
            Self::TagDeleted { repository, name } => {
                RepoEvent::TagDeleted(RefEvent { repository: repository.into_info(), name })
            }
            Self::Installation { action, installation } => {
                RepoEvent::Installation(InstallationEvent { action, installation })
            }
            Self::Repository { action, repository } => {
                RepoEvent::Repository(RepositoryEvent { action, repository: repository.into_info() })
            }
            Self::Other => {
                RepoEvent::Ignored { event: "other".to_owned(), action: String::new(), reason: IgnoreReason::UnknownEvent }
            }
        }
    }
}
