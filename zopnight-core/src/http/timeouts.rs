//! Deadlines and bounds around groups of routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::ApiError;
use crate::error::{Error, ErrorKind};

/// 504 when the route takes longer than this.
pub(super) async fn deadline(State(after): State<Duration>, request: Request, next: Next) -> Response {
    match timeout(after, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::from(Error::new(ErrorKind::Timeout, "http", "the request's deadline passed")).into_response(),
    }
}

/// 503 when too many requests are under way.
pub(super) async fn bounded(State(slots): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match slots.try_acquire() {
        Ok(_slot) => next.run(request).await,
        Err(_) => ApiError::busy(1).into_response(),
    }
}
