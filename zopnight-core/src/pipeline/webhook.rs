//! A webhook comes in.

use crate::domain::{Delivery, RepoEvent};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::WebhookRequest;

use super::{Pipeline, WebhookAnswer, WebhookOutcome};

impl Pipeline {
    /// Verifies, decodes and carries out a webhook. When it answers `Ok`, all it means is committed.
    ///
    /// # Errors
    /// `Unauthenticated` for the signature; `Invalid` for headers or body after a good signature; `Conflict`
    /// (`delivery_conflict`) if the delivery's id came before with another body; `NotFound` if webhooks are not configured;
    /// `Unavailable` if something could not be written: the sweep, or a redelivery, completes it.
    pub async fn accept_webhook(&self, request: &WebhookRequest) -> Result<WebhookAnswer> {
        let Some(decoder) = self.webhooks() else {
            return Err(Error::new(ErrorKind::NotFound, "webhook", "webhooks are not configured here"));
        };
        let delivery = decoder.decode(request)?;
        metrics::counter!("zopnight_webhook_secret_used_total", "slot" => delivery.secret.as_str()).increment(1);
        self.push(&delivery).await
    }

    /// Carries out a decoded webhook, for hosts that decode themselves.
    ///
    /// # Errors
    /// As [`Pipeline::accept_webhook`] after decoding.
    pub async fn push(&self, delivery: &Delivery) -> Result<WebhookAnswer> {
        let answer = |outcome, reason| WebhookAnswer { delivery: delivery.id.clone(), outcome, reason, revisions: 0 };
        let ignored = |reason| Ok(answer(WebhookOutcome::Ignored, Some(reason)));
        let result = match &delivery.event {
            RepoEvent::Ping => Ok(answer(WebhookOutcome::Pong, None)),
            RepoEvent::Push(push) => self.push_branch(delivery, push).await,
            RepoEvent::BranchDeleted(gone) => self.branch_deleted(delivery, gone).await,
            RepoEvent::TagPushed(_) | RepoEvent::TagDeleted(_) => ignored("tag"),
            RepoEvent::PullRequest(_) => ignored("previews_off"),
            RepoEvent::Installation(_) | RepoEvent::Repository(_) => {
                // What is gone or renamed is found by the sweep, which is made due now.
                self.ensure_sweep().await?;
                ignored("noted")
            }
            RepoEvent::Ignored { reason, .. } => ignored(reason.as_str()),
        };
        let outcome = match &result {
            Ok(answer) => answer.outcome.as_str(),
            Err(error) => error.kind().as_str(),
        };
        metrics::counter!("zopnight_webhooks_total", "event" => event_name(&delivery.event), "outcome" => outcome)
            .increment(1);
        result
    }
}

const fn event_name(event: &RepoEvent) -> &'static str {
    match event {
        RepoEvent::Ping => "ping",
        RepoEvent::Push(_) | RepoEvent::TagPushed(_) | RepoEvent::BranchDeleted(_) | RepoEvent::TagDeleted(_) => "push",
        RepoEvent::PullRequest(_) => "pull_request",
        RepoEvent::Installation(_) => "installation",
        RepoEvent::Repository(_) => "repository",
        RepoEvent::Ignored { .. } => "other",
    }
}
