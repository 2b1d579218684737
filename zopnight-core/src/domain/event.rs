//! The timeline: one line a fact, written in the transaction of the change it tells of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::id::RevisionId;
use super::redact::Redactor;
use super::text;
use super::time::Timestamp;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// What a line of the timeline tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[$doc])* $variant),+ }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in the store and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The kind of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|k| k.as_str() == name)
            }
        }
    };
}

kinds! {
    /// A deployment was created.
    DeploymentCreated => "deployment.created",
    /// Its configuration changed; data names the fields, never values.
    DeploymentConfigChanged => "deployment.config_changed",
    /// Its removal was asked.
    DeploymentDeleting => "deployment.deleting",
    /// It is gone.
    DeploymentDeleted => "deployment.deleted",
    /// A revision was accepted.
    RevisionQueued => "revision.queued",
    /// Its build was handed to the builder.
    RevisionBuilding => "revision.building",
    /// It has its image.
    RevisionBuilt => "revision.built",
    /// Its rollout began.
    RevisionDeploying => "revision.deploying",
    /// It serves.
    RevisionSucceeded => "revision.succeeded",
    /// It failed.
    RevisionFailed => "revision.failed",
    /// Its build took too long.
    RevisionTimedOut => "revision.timed_out",
    /// It was cancelled.
    RevisionCancelled => "revision.cancelled",
    /// A newer one took its place.
    RevisionSuperseded => "revision.superseded",
    /// An attempt was persisted.
    BuildAttempt => "build.attempt",
    /// The builder took it.
    BuildDispatched => "build.dispatched",
    /// The builder's answer was lost.
    BuildDispatchUnknown => "build.dispatch_unknown",
    /// A lost answer was settled.
    BuildDispatchSettled => "build.dispatch_settled",
    /// A run was cancelled.
    BuildRunCancelled => "build.run_cancelled",
    /// A callback with a good signature was refused.
    CallbackRefused => "callback.refused",
    /// A callback came after its revision had ended.
    CallbackLate => "callback.late",
    /// A callback's log link was not kept.
    CallbackLogUrlDropped => "callback.log_url_dropped",
    /// A digest was looked up.
    ImageResolved => "image.resolved",
    /// A webhook made a revision, or was left to the sweep.
    WebhookAccepted => "webhook.accepted",
    /// A webhook brought nothing new.
    WebhookDuplicate => "webhook.duplicate",
    /// A delivery id came back with another body.
    WebhookConflict => "webhook.conflict",
    /// The sweep found what no webhook told.
    WebhookRecovered => "webhook.recovered",
    /// A webhook was noted and not followed.
    WebhookIgnored => "webhook.ignored",
    /// A cluster credential was made for one deploy.
    DeployCredentialsMinted => "deploy.credentials_minted",
    /// The objects were written.
    DeployApplied => "deploy.applied",
    /// The cluster already ran a newer revision.
    DeployFenced => "deploy.fenced",
    /// A stale lock on the release was removed.
    DeployReleaseUnlocked => "deploy.release_unlocked",
    /// The rollout's verdict.
    DeployRollout => "deploy.rollout",
    /// Somebody asked for a rollback.
    RollbackRequested => "rollback.requested",
    /// Somebody asked for a redeploy.
    RedeployRequested => "redeploy.requested",
    /// Somebody asked to cancel.
    CancelRequested => "cancel.requested",
    /// A plain environment variable is named like a secret.
    ConfigEnvLooksSecret => "config.env_looks_secret",
    /// The tenant may no longer use the target.
    TargetNotGranted => "target.not_granted",
    /// The integration cannot be used.
    IntegrationDisconnected => "integration.disconnected",
    /// The forge refused a status report.
    StatusRefused => "status.refused",
    /// A job was given up.
    JobParked => "job.parked",
    /// A worker lost its lease.
    JobLeaseLost => "job.lease_lost",
}

/// A value in an event's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<bool> for EventValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<u32> for EventValue {
    fn from(value: u32) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl From<&str> for EventValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for EventValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A flat map of facts.
pub type EventData = BTreeMap<String, EventValue>;

/// A line to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What it tells.
    pub kind: EventKind,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
    /// Who acted.
    pub actor: Actor,
    /// One sentence, at most 1 KiB.
    pub message: String,
    /// Facts, at most 8 KiB as JSON.
    pub data: EventData,
}

impl NewEvent {
    /// Most bytes of a message.
    pub const MAX_MESSAGE: usize = 1_024;
    /// Most bytes of the data as JSON.
    pub const MAX_DATA: usize = 8_192;

    /// A line by the pipeline itself. The message is cleaned, redacted and cut.
    #[must_use]
    pub fn new(kind: EventKind, message: impl Into<String>) -> Self {
        let message = text::cut_bytes(&shown(&message.into()), Self::MAX_MESSAGE);
        Self { kind, revision: None, actor: Actor::system(), message, data: EventData::new() }
    }

    /// About this revision.
    #[must_use]
    pub fn of(mut self, revision: RevisionId) -> Self {
        self.revision = Some(revision);
        self
    }

    /// By this actor.
    #[must_use]
    pub fn by(mut self, actor: &Actor) -> Self {
        self.actor = actor.clone();
        self
    }

    /// With this fact. Text is cleaned, redacted and cut to what the data has room for; a fact without room is left out.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<EventValue>) -> Self {
        let (value, text) = match value.into() {
            EventValue::Text(text) => (EventValue::Text(String::new()), shown(&text)),
            other => (other, String::new()),
        };
        self.data.insert(key.to_owned(), value);
        let room = serde_json::to_string(&self.data).ok().and_then(|json| Self::MAX_DATA.checked_sub(json.len()));
        match (room, self.data.get_mut(key)) {
            (Some(room), Some(EventValue::Text(kept))) => *kept = text::cut_json(&text, room),
            (None, _) => drop(self.data.remove(key)),
            _ => {}
        }
        self
    }
}

/// Text as the timeline may show it.
fn shown(text: &str) -> String {
    Redactor::default().text(&text::clean(text))
}

/// A line of a deployment's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// 1, 2, 3 … in the deployment, without gaps, in the order of commits.
    pub seq: u64,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What it tells.
    pub kind: EventKind,
    /// The revision it is about.
    pub revision: Option<RevisionId>,
    /// Who acted.
    pub actor: Actor,
    /// One sentence.
    pub message: String,
    /// Facts.
    pub data: EventData,
}
