//! ZopNight over GitHub: github.com and GitHub Enterprise Server.
//!
//! # Webhooks
//!
//! [`GithubWebhookDecoder`] verifies a delivery's signature over the bytes as received and reads it into a
//! `domain::Delivery`. It does no I/O. Several Apps, or a GitHub Enterprise Server beside github.com, are several decoders,
//! each with its own `ForgeId` and [`WebhookSecrets`].
//!
//! ```
//! use zopnight_core::domain::{ForgeId, RepoEvent, Secret};
//! use zopnight_core::ports::{WebhookDecoder, WebhookRequest};
//! use zopnight_github::{GithubWebhookDecoder, WebhookSecrets};
//!
//! # fn main() -> zopnight_core::Result<()> {
//! let secrets = WebhookSecrets::new(Secret::new("zopnight-test-secret-000000000001".to_owned()))?;
//! let decoder = GithubWebhookDecoder::new(ForgeId::parse("github.com")?, secrets);
//!
//! let headers = [
//!     ("x-github-event", "ping"),
//!     ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
//!     ("x-hub-signature-256", "sha256=54dbdb074f55a562320c387cafc421c5024692ad0cc81ffa202a7ffb0460faf0"),
//! ];
//! let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
//! let delivery = decoder.decode(&WebhookRequest { headers, body: r#"{"zen":"plain"}"#.into() })?;
//! assert_eq!(delivery.event, RepoEvent::Ping);
//! # Ok(())
//! # }
//! ```

mod webhook;

pub use webhook::{GithubWebhookDecoder, WebhookSecrets};
