//! What a builder sends.
//!
//! A body is read in two steps. [`CallbackBody::parse`] takes the shape alone, because the token that allows a closer look
//! is inside. [`CallbackBody::report`] judges the content, once the token verified and the attempt was found open.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::object::{Object, present};
use super::refusal::CallbackRefusal;
use crate::domain::{ImageRef, Secret, hex};

/// A builder's report, well-formed but neither verified nor judged.
///
/// ```
/// use zopnight_core::callback::{BuildReport, CallbackBody};
/// let body = CallbackBody::parse(br#"{"jwt":"a.b.c","status":"cancelled"}"#).unwrap();
/// assert_eq!(body.report(), Ok(BuildReport::Cancelled { error: None }));
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackBody {
    jwt: Secret<String>,
    status: String,
    #[serde(rename = "imageRef", default, deserialize_with = "present")]
    image_ref: Option<String>,
    #[serde(rename = "logTailUrl", default, deserialize_with = "present")]
    log_tail_url: Option<String>,
    #[serde(default, deserialize_with = "present_object")]
    error: Option<ReportedError>,
}

/// What the builder says went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedError {
    #[serde(deserialize_with = "error_code")]
    code: String,
    #[serde(default, deserialize_with = "error_message")]
    message: Option<String>,
}

/// What a report says, with the content rules applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildReport {
    /// The image was built and pushed.
    Succeeded {
        /// Where the builder says it is. Believed after looking it up only.
        image: ImageRef,
    },
    /// The build failed.
    Failed {
        /// Why, if the builder said.
        error: Option<ReportedError>,
    },
    /// The build was cancelled at the builder.
    Cancelled {
        /// Why, if the builder said.
        error: Option<ReportedError>,
    },
}

impl CallbackBody {
    /// Largest body, in bytes.
    pub const MAX_BYTES: usize = 65_536;

    /// Reads one JSON object with the members `jwt`, `status`, `imageRef`, `logTailUrl` and `error`. Unknown and repeated
    /// members, `null`, a byte order mark and anything after the object are refused.
    ///
    /// # Errors
    /// `BodyTooLarge` over 64 KiB, else `BodyMalformed`.
    pub fn parse(bytes: &[u8]) -> Result<Self, CallbackRefusal> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(CallbackRefusal::BodyTooLarge);
        }
        serde_json::from_slice::<Object<Self>>(bytes).map(|body| body.0).map_err(|_| CallbackRefusal::BodyMalformed)
    }

    /// The token.
    #[must_use]
    pub const fn jwt(&self) -> &Secret<String> {
        &self.jwt
    }

    /// The image as the builder wrote it.
    #[must_use]
    pub fn image_ref(&self) -> Option<&str> {
        self.image_ref.as_deref()
    }

    /// The log page as the builder wrote it. For display at most, and never fetched.
    #[must_use]
    pub fn log_tail_url(&self) -> Option<&str> {
        self.log_tail_url.as_deref()
    }

    /// SHA-256 of the compact JSON array `[status, imageRef, logTailUrl, error]`, absent ones `null`: by it a repeated report
    /// is told from another one. The token is not part of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        #[derive(serde::Serialize)]
        struct Error<'a> {
            code: &'a str,
            message: Option<&'a str>,
        }
        let error = self.error.as_ref().map(|e| Error { code: &e.code, message: e.message.as_deref() });
        let parts = (&self.status, &self.image_ref, &self.log_tail_url, error);
        // Strings and null always serialise.
        hex::sha256(&serde_json::to_vec(&parts).unwrap_or_default())
    }

    /// What the report says. Asked after the token verified and the attempt was found open.
    ///
    /// # Errors
    /// `StatusUnknown`, `ImageMissing`, `ImageUnexpected`, `ErrorUnexpected` or `ImageMalformed`.
    pub fn report(&self) -> Result<BuildReport, CallbackRefusal> {
        let succeeded = match self.status.as_str() {
            "succeeded" => true,
            "failed" | "cancelled" => false,
            _ => return Err(CallbackRefusal::StatusUnknown),
        };
        match (succeeded, &self.image_ref) {
            (true, None) => Err(CallbackRefusal::ImageMissing),
            (false, Some(_)) => Err(CallbackRefusal::ImageUnexpected),
            (true, Some(_)) if self.error.is_some() => Err(CallbackRefusal::ErrorUnexpected),
            (true, Some(image)) => {
                let image = ImageRef::parse(image).map_err(|_| CallbackRefusal::ImageMalformed)?;
                Ok(BuildReport::Succeeded { image })
            }
            (false, None) if self.status == "failed" => Ok(BuildReport::Failed { error: self.error.clone() }),
            (false, None) => Ok(BuildReport::Cancelled { error: self.error.clone() }),
        }
    }
}

impl ReportedError {
    /// The machine-readable cause: `[a-z_]{1,40}`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// One sentence of at most 2,000 characters, as the builder wrote it: to be cleaned and redacted before it is kept.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

fn present_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Object::deserialize(deserializer).map(|object| Some(object.0))
}

fn error_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let code = String::deserialize(deserializer)?;
    if (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return Ok(code);
    }
    Err(D::Error::custom("an error code is 1 to 40 of a-z _"))
}

fn error_message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let message = String::deserialize(deserializer)?;
    if message.chars().nth(2_000).is_none() {
        return Ok(Some(message));
    }
    Err(D::Error::custom("an error message is at most 2,000 characters"))
}
