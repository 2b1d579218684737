//! Verifies and reads webhooks.

use std::fmt::Debug;

use bytes::Bytes;

use crate::domain::Delivery;
use crate::error::Result;

/// Verifies and reads the webhooks of one forge instance. Pure: no I/O, no clock.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait WebhookDecoder: Debug + Send + Sync + 'static {
    /// Verifies the signature over the raw bytes, then parses.
    ///
    /// # Errors
    /// `Unauthenticated` for the signature; `Invalid` for headers or body after a good signature.
    fn decode(&self, request: &WebhookRequest) -> Result<Delivery>;
}

/// A webhook as it came in.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// Names lower-cased, repeated headers repeated.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The raw body.
    pub body: Bytes,
}
