//! The ids we make ourselves: UUIDs, in canonical lower-case text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::delivery::DeliveryId;
use super::grammar::{parsed, refuse};
use super::time::Timestamp;
use crate::error::{Error, Result};

/// A UUIDv7 (RFC 9562): the time in milliseconds, then 74 of the given random bits.
#[must_use]
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! uuid_type {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id (UUIDv7) from the time and ten random bytes.
            #[must_use]
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid_v7(at, random))
            }

            /// Wraps a UUID read back from where it was stored.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Parses the canonical form only: 36 characters, lower case, hyphenated.
            ///
            /// # Errors
            /// `Invalid` for anything else, other spellings of a UUID included.
            pub fn parse(text: &str) -> Result<Self> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text => Ok(Self(uuid)),
                    _ => Err(refuse($what, "must be a UUID in lower-case hyphenated form", text)),
                }
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                parsed(deserializer, Self::parse)
            }
        }
    };
}

uuid_type! {
    /// A deployment. UUIDv7.
    DeploymentId, "deployment id"
}
uuid_type! {
    /// A revision. UUIDv7, or UUIDv5 of its delivery for a push: see [`RevisionId::for_delivery`].
    RevisionId, "revision id"
}
uuid_type! {
    /// One dispatch of one revision: the `jti` of its callback token. UUIDv7.
    AttemptId, "attempt id"
}
uuid_type! {
    /// A job. UUIDv7, made by the caller, so that a repeated enqueue is recognised.
    JobId, "job id"
}

impl RevisionId {
    /// UUIDv5 with the deployment id as namespace and the lower-cased delivery id as name, so that a redelivery is the
    /// same row.
    #[must_use]
    pub fn for_delivery(deployment: DeploymentId, delivery: &DeliveryId) -> Self {
        Self(Uuid::new_v5(&deployment.0, delivery.as_str().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CommitSha;

    #[test]
    fn revision_ids_of_deliveries_match_the_published_vectors() {
        let namespace = |tail: &str| DeploymentId::parse(&format!("3f2504e0-4f89-41d3-9a0c-0305e82c{tail}")).unwrap();
        let delivery = DeliveryId::parse("72D3162E-cc78-11e3-81ab-4c9367dc0958").unwrap();
        let id = |ns: &str, d: &DeliveryId| RevisionId::for_delivery(namespace(ns), d).to_string();
        assert_eq!(id("3301", &delivery), "f9ef5ac2-7dd9-5cd7-b705-2622e8747ff5");
        assert_eq!(id("3302", &delivery), "67ff7c80-5452-56b6-af40-8d4da149f24a");
        let sha = CommitSha::parse("9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d").unwrap();
        assert_eq!(id("3301", &DeliveryId::head(7, &sha)), "1d1d9dd8-48d1-5a46-b4df-96ef7e718c09");
    }

    #[test]
    fn only_the_canonical_spelling_parses() {
        let id = RevisionId::new(Timestamp::from_micros(1_767_225_600_000_000), [7; 10]);
        assert_eq!(RevisionId::parse(&id.to_string()).unwrap(), id);
        assert_eq!(id.as_uuid().get_version_num(), 7);
        for bad in [id.to_string().to_uppercase(), id.as_uuid().simple().to_string(), format!("{{{id}}}"), String::new()] {
            assert!(RevisionId::parse(&bad).is_err(), "{bad}");
        }
    }
}
