//! Who acts, for the timeline.

use serde::{Deserialize, Serialize};

use super::grammar::refuse;
use crate::error::{Error, Result};

/// What kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    User,
    /// Another program.
    Service,
    /// The forge, by a webhook.
    Webhook,
    /// The pipeline itself.
    System,
}

impl ActorKind {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Webhook => "webhook",
            Self::System => "system",
        }
    }
}

/// Who acts: a kind and an id of at most 128 visible ASCII characters. It is display text and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredActor")]
pub struct Actor {
    kind: ActorKind,
    id: String,
}

#[derive(Deserialize)]
struct StoredActor {
    kind: ActorKind,
    id: String,
}

impl TryFrom<StoredActor> for Actor {
    type Error = Error;

    fn try_from(stored: StoredActor) -> Result<Self> {
        Self::new(stored.kind, &stored.id)
    }
}

impl Actor {
    /// An actor of `kind` called `id`.
    ///
    /// # Errors
    /// `Invalid` if `id` is empty, longer than 128 characters or not visible ASCII.
    pub fn new(kind: ActorKind, id: &str) -> Result<Self> {
        if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(Self { kind, id: id.to_owned() });
        }
        Err(refuse("actor", "must be 1 to 128 visible ASCII characters", id))
    }

    /// The host did not say.
    #[must_use]
    pub fn unknown() -> Self {
        Self { kind: ActorKind::Service, id: "unknown".to_owned() }
    }

    /// The pipeline itself.
    #[must_use]
    pub fn system() -> Self {
        Self { kind: ActorKind::System, id: "zopnight".to_owned() }
    }

    /// The forge, by a webhook.
    #[must_use]
    pub fn webhook() -> Self {
        Self { kind: ActorKind::Webhook, id: "forge".to_owned() }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        self.kind
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}
