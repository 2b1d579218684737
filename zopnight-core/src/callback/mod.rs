//! The build callback: the signed token a builder presents, the body it sends, and what is decided from the two.
//!
//! Everything here is pure: no store, no registry, no clock. The pipeline reads the revision between [`Verified`] and the
//! decision, and carries the decision out.
//!
//! ```
//! use zopnight_core::callback::{CallbackKey, CallbackKeys};
//! use zopnight_core::domain::{HttpsUrl, RevisionId, Secret};
//!
//! # fn main() -> zopnight_core::Result<()> {
//! let secret = Secret::new(b"an example, 32 or more random bytes".to_vec());
//! let keys = CallbackKeys::builder(CallbackKey::from_secret(secret)?)
//!     .public_url(HttpsUrl::parse("https://deploy.example.test/")?)
//!     .build()?;
//! let revision = RevisionId::parse("0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11")?;
//! assert_eq!(
//!     keys.callback_url(revision)?.as_str(),
//!     "https://deploy.example.test/build-callbacks/0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11",
//! );
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod body;
mod claims;
mod decision;
mod keys;
mod log_url;
mod object;
mod refusal;
#[cfg(feature = "testing")]
pub mod testing;
mod token;

pub use body::{BuildReport, CallbackBody, ReportedError};
pub use claims::{CallbackClaims, Verified};
pub use decision::Decision;
pub use keys::{CallbackKey, CallbackKeys, CallbackKeysBuilder};
pub use refusal::CallbackRefusal;

pub(crate) use decision::{check_image, decide};
pub(crate) use log_url::kept_log_url;
pub(crate) use token::{mint, verify};
