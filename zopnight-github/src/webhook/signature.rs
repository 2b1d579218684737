//! The secrets of a webhook and the HMAC under them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zopnight_core::domain::{Secret, SecretSlot, hex};
use zopnight_core::{Error, Result};

use super::header::unauthenticated;

/// The secret that deliveries are signed with, and the one before it while a rotation goes on.
///
/// Each has 16 to 1,024 bytes: anyone can compute a signature under an empty or guessable one. For each delivery both are
/// evaluated, in a time that does not depend on which of them matches.
///
/// ```
/// use zopnight_core::domain::Secret;
/// use zopnight_github::WebhookSecrets;
///
/// let new = Secret::new("the secret since today".to_owned());
/// let old = Secret::new("the secret until today".to_owned());
/// let secrets = WebhookSecrets::new(new).unwrap().with_previous(old).unwrap();
/// assert!(!format!("{secrets:?}").contains("today"));
/// assert!(WebhookSecrets::new(Secret::new("too short".to_owned())).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct WebhookSecrets {
    current: Secret<String>,
    previous: Option<Secret<String>>,
}

impl WebhookSecrets {
    /// The current secret.
    ///
    /// # Errors
    /// `Invalid` if it has fewer than 16 or more than 1,024 bytes.
    pub fn new(current: Secret<String>) -> Result<Self> {
        Ok(Self { current: checked(current)?, previous: None })
    }

    /// And the previous one, so that no delivery is lost while the forge is told the new one.
    ///
    /// # Errors
    /// `Invalid` if it has fewer than 16 or more than 1,024 bytes.
    pub fn with_previous(mut self, previous: Secret<String>) -> Result<Self> {
        self.previous = Some(checked(previous)?);
        Ok(self)
    }

    /// Which secret gives `header` (`sha256=` and 64 lower-case hex digits) over `body`.
    pub(super) fn verify(&self, header: &str, body: &[u8]) -> Result<SecretSlot> {
        let claimed = header.strip_prefix("sha256=").and_then(hex::decode).ok_or_else(unauthenticated)?;
        let current = matches(&self.current, body, &claimed);
        let previous = self.previous.as_ref().is_some_and(|secret| matches(secret, body, &claimed));
        match (current, previous) {
            (true, _) => Ok(SecretSlot::Current),
            (false, true) => Ok(SecretSlot::Previous),
            (false, false) => Err(unauthenticated()),
        }
    }
}

fn checked(secret: Secret<String>) -> Result<Secret<String>> {
    if (16..=1_024).contains(&secret.expose().len()) {
        Ok(secret)
    } else {
        Err(Error::invalid("github.webhook_secrets", "a webhook secret must have 16 to 1,024 bytes"))
    }
}

fn matches(secret: &Secret<String>, body: &[u8], claimed: &[u8]) -> bool {
    // A key of any length is taken, so the error cannot occur; if it did, nothing would verify. `verify_slice` compares in
    // constant time and takes only a whole MAC.
    Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .is_ok_and(|mac| mac.chain_update(body).verify_slice(claimed).is_ok())
}
