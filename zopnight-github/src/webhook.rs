//! Webhook deliveries: verified first, then read.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod body;
mod changes;
mod header;
mod installation;
mod pull_request;
mod push;
mod repository;
mod signature;
mod skip;

use zopnight_core::domain::{Delivery, ForgeId, IgnoreReason, RepoEvent, hex};
use zopnight_core::ports::{WebhookDecoder, WebhookRequest};
use zopnight_core::{Error, Result};

pub use self::signature::WebhookSecrets;

/// The operation that errors name.
const OPERATION: &str = "github.webhook";

/// Verifies and reads the webhooks of one GitHub instance: of an App, or of hooks with the same secret.
///
/// The signature (`X-Hub-Signature-256`) is checked over the raw bytes before anything else is looked at; the SHA-1 header
/// is never looked at. Events and actions that are not used become `RepoEvent::Ignored`, never an error. The size of the
/// body is the caller's to bound; GitHub sends at most 25 MB.
#[derive(Debug)]
pub struct GithubWebhookDecoder {
    forge: ForgeId,
    secrets: WebhookSecrets,
}

impl GithubWebhookDecoder {
    /// A decoder for the instance `forge` (`github.com`, or a server's `host[:port]`). What verifies under `secrets`
    /// belongs to that instance.
    #[must_use]
    pub const fn new(forge: ForgeId, secrets: WebhookSecrets) -> Self {
        Self { forge, secrets }
    }

    fn event(&self, name: &str, encoding: body::Encoding, bytes: &[u8]) -> Result<RepoEvent> {
        let read: fn(&str, &ForgeId) -> Result<RepoEvent> = match name {
            "ping" => |text, _| body::parse::<body::Empty>(text).map(|_| RepoEvent::Ping),
            "push" => push::read,
            "pull_request" => pull_request::read,
            "installation" => |text, _| installation::read(text),
            "installation_repositories" => |text, _| installation::read_repositories(text),
            "repository" => repository::read,
            _ => return Ok(ignored(name, "", IgnoreReason::UnknownEvent)),
        };
        read(&body::text(encoding, bytes)?, &self.forge)
    }
}

impl WebhookDecoder for GithubWebhookDecoder {
    fn decode(&self, request: &WebhookRequest) -> Result<Delivery> {
        let secret = self.secrets.verify(header::signature(request)?, &request.body)?;
        let name = header::event(request)?;
        let id = header::delivery(request)?;
        let encoding = header::encoding(request)?;
        let event = self.event(name, encoding, &request.body)?;
        Ok(Delivery { forge: self.forge.clone(), id, body_sha256: hex::sha256(&request.body), secret, event })
    }
}

fn ignored(event: &str, action: &str, reason: IgnoreReason) -> RepoEvent {
    RepoEvent::Ignored { event: event.to_owned(), action: action.to_owned(), reason }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(OPERATION, message)
}
