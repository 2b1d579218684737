//! `POST /webhooks/github`: the signature's header first, then the body, then the pipeline.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use utoipa::ToSchema;

use super::body::{declared_length, read};
use super::envelope::data;
use super::error::{ApiError, ApiResult};
use super::openapi::words;
use super::state::App;
use crate::error::{Error, ErrorKind};
use crate::pipeline::{WebhookAnswer, WebhookOutcome};
use crate::ports::WebhookRequest;

const SIGNATURE: &str = "x-hub-signature-256";
/// How long a request waits for room for its body.
const ROOM: Duration = Duration::from_secs(1);

/// Counts only: whoever can sign may not learn of tenants.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookAnswer)]
pub(super) struct AnswerDto {
    #[serde(rename = "deliveryID")]
    delivery_id: String,
    #[schema(schema_with = words::outcome)]
    outcome: &'static str,
    reason: Option<&'static str>,
    revisions: u32,
}

pub(super) async fn webhook(State(app): State<App>, request: Request) -> ApiResult<impl IntoResponse> {
    let began = Instant::now();
    let deadline = began.checked_add(app.config.webhook_timeout).unwrap_or(began);
    let (parts, body) = request.into_parts();
    if !is_signed(&parts.headers) {
        return Err(refused());
    }
    let limit = app.config.webhook_body_limit;
    let _room = reserved(&app, declared_length(&parts.headers).unwrap_or(limit).min(limit)).await?;
    let body = read(&parts.headers, body, limit, deadline).await.map_err(ApiError::of_body)?;
    let request = WebhookRequest { headers: copied(&parts.headers), body };
    let late = || Error::unavailable("http.webhook", "the webhook's deadline passed");
    match timeout_at(deadline, app.pipeline.accept_webhook(&request)).await.map_err(|_| late())? {
        Ok(answer) => Ok(told(&answer)),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Err(refused()),
        Err(error) => Err(error.into()),
    }
}

fn told(answer: &WebhookAnswer) -> impl IntoResponse + use<> {
    let status = if answer.outcome == WebhookOutcome::Pong { StatusCode::OK } else { StatusCode::ACCEPTED };
    let answer = AnswerDto {
        delivery_id: answer.delivery.to_string(),
        outcome: answer.outcome.as_str(),
        reason: answer.reason,
        revisions: answer.revisions,
    };
    (status, data(answer))
}

/// One answer for every way in which a signature can be wrong.
fn refused() -> ApiError {
    ApiError::unauthenticated("webhook signature refused")
}

/// Whether there is exactly one signature of the one form.
fn is_signed(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(SIGNATURE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let hex = value.as_bytes().strip_prefix(b"sha256=");
    hex.is_some_and(|hex| hex.len() == 64 && hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Room for so many bytes among all webhook bodies in memory.
async fn reserved(app: &App, bytes: usize) -> ApiResult<OwnedSemaphorePermit> {
    let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX);
    let room = std::sync::Arc::clone(&app.webhook_kib).acquire_many_owned(kib);
    match timeout(ROOM, room).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(ApiError::busy(5)),
    }
}

fn copied(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_have_one_form() {
        let signed = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(SIGNATURE, value.parse().unwrap());
            }
            is_signed(&headers)
        };
        let good = format!("sha256={}", "0a".repeat(32));
        assert!(signed(&[&good]));
        let upper = good.to_uppercase();
        let cases: [&[&str]; 7] =
            [&[], &[&good, &good], &["sha256="], &[&upper], &["sha1=0a"], &[&good[..70]], &[&good[7..]]];
        for bad in cases {
            assert!(!signed(bad), "{bad:?}");
        }
    }
}
