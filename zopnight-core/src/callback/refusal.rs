//! Every way in which a callback is refused.

use std::fmt;
use std::time::Duration;

use crate::domain::EventKind;
use crate::error::{Error, ErrorKind, Retry};

/// Where a refusal is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    /// Metric and log only: nothing was proven, or the sender will come again.
    Counted,
    /// Also an event on the deployment.
    Refused,
    /// Also an event: the callback came after its revision had ended.
    Late,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident => $code:literal, $status:literal, $record:ident;)+) => {
        /// Why a callback was refused: one variant a code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CallbackRefusal { $($(#[$doc])* $variant),+ }

        impl CallbackRefusal {
            /// Every refusal, in the order in which a callback is checked.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code, for logs, metrics and events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The HTTP status of the answer.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            const fn record(self) -> Record {
                match self { $(Self::$variant => Record::$record),+ }
            }
        }
    };
}

refusals! {
    /// The content type is not JSON, or the content is encoded.
    ContentType => "content_type", 415, Counted;
    /// The body is over its limit.
    BodyTooLarge => "body_too_large", 413, Counted;
    /// The body came too slowly.
    BodyTimeout => "body_timeout", 408, Counted;
    /// The body is not the one strict JSON object.
    BodyMalformed => "body_malformed", 400, Counted;
    /// The token is too long or not three base64url segments.
    TokenMalformed => "token_malformed", 401, Counted;
    /// The token's header is not exactly ours.
    HeaderRefused => "header_refused", 401, Counted;
    /// The header names a key that is not, or no longer, ours.
    KeyUnknown => "key_unknown", 401, Counted;
    /// The signature is not that key's over these bytes.
    Signature => "signature", 401, Counted;
    /// A claim is missing, foreign, repeated, of another type or outside its grammar.
    ClaimsMalformed => "claims_malformed", 401, Counted;
    /// Another issuer.
    Issuer => "issuer", 401, Counted;
    /// Another audience.
    Audience => "audience", 401, Counted;
    /// Past its expiry and the leeway.
    Expired => "expired", 401, Counted;
    /// Before its `nbf` and the leeway.
    NotYetValid => "not_yet_valid", 401, Counted;
    /// Its `iat` lies ahead, beyond the leeway.
    IssuedInFuture => "issued_in_future", 401, Counted;
    /// It would live over six hours, ends before it begins, or begins at another time than it was issued.
    Lifetime => "lifetime", 401, Counted;
    /// It is about another revision than the path.
    SubjectMismatch => "subject_mismatch", 401, Counted;
    /// There is no such revision in that tenant and deployment.
    RevisionUnknown => "revision_unknown", 404, Counted;
    /// Deployment, image repository or commit differ from what was recorded.
    BindingMismatch => "binding_mismatch", 403, Refused;
    /// The revision has no such attempt.
    AttemptUnknown => "attempt_unknown", 403, Refused;
    /// The attempt is over: a later one exists, or it was closed unbuilt.
    AttemptStale => "attempt_stale", 409, Refused;
    /// The attempt was settled with another report.
    ReplayConflict => "replay_conflict", 409, Refused;
    /// The revision has ended without this attempt's callback.
    RevisionTerminal => "revision_terminal", 409, Late;
    /// The status is none of the three words.
    StatusUnknown => "status_unknown", 400, Refused;
    /// `succeeded` without an image.
    ImageMissing => "image_missing", 400, Refused;
    /// An image without `succeeded`.
    ImageUnexpected => "image_unexpected", 400, Refused;
    /// An error with `succeeded`.
    ErrorUnexpected => "error_unexpected", 400, Refused;
    /// The image is outside the grammar.
    ImageMalformed => "image_malformed", 400, Refused;
    /// The image lies in another registry or repository.
    ImageRepository => "image_repository", 403, Refused;
    /// The host's policy wants a digest and there is only a tag.
    DigestRequired => "digest_required", 400, Refused;
    /// The registry holds no such manifest.
    ImageNotFound => "image_not_found", 409, Refused;
    /// The registry's tag points elsewhere.
    ImageDigestMismatch => "image_digest_mismatch", 409, Refused;
    /// What the registry holds is too large or no image.
    ImageNotAnImage => "image_not_an_image", 409, Refused;
    /// The registry cannot be asked now.
    RegistryUnavailable => "registry_unavailable", 503, Counted;
    /// The store cannot be asked now, or the revision kept changing.
    Unavailable => "unavailable", 503, Counted;
    /// Too many callbacks at once.
    Busy => "busy", 503, Counted;
    /// Too many callbacks of this revision.
    RateLimited => "rate_limited", 429, Counted;
}

impl CallbackRefusal {
    /// The refusal of this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.as_str() == code)
    }

    /// The refusal by meaning.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self.status() {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            429 => ErrorKind::RateLimited,
            503 => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        }
    }

    /// Whether an event on the deployment tells of it. Never before the signature verified.
    #[must_use]
    pub const fn is_recorded(self) -> bool {
        !matches!(self.record(), Record::Counted)
    }

    /// The kind of that event.
    #[must_use]
    pub const fn event(self) -> Option<EventKind> {
        match self.record() {
            Record::Counted => None,
            Record::Refused => Some(EventKind::CallbackRefused),
            Record::Late => Some(EventKind::CallbackLate),
        }
    }

    /// The refusal as an error. Context `refusal` holds the code; so does `code`, but for Unauthenticated, whose answers
    /// must not tell one cause from another.
    #[must_use]
    pub fn into_error(self) -> Error {
        let retry = match self {
            Self::RegistryUnavailable | Self::Unavailable | Self::Busy => Retry::After(Duration::from_secs(5)),
            _ => Retry::Never,
        };
        let kind = self.kind();
        let error = |message: String| Error::new(kind, "callback", message).with_retry(retry).with("refusal", self.as_str());
        match kind {
            ErrorKind::Unauthenticated => error("callback token refused".to_owned()),
            _ => error(["callback refused: ", self.as_str()].concat()).with("code", self.as_str()),
        }
    }
}

impl fmt::Display for CallbackRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CallbackRefusal> for Error {
    fn from(refusal: CallbackRefusal) -> Self {
        refusal.into_error()
    }
}
