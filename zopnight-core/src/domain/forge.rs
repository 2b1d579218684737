//! What a forge (GitHub, a GHES, a local git directory) calls its things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::branch::BranchName;
use super::commit::CommitSha;
use super::grammar::{bytes_of, caseless_text_type, parsed, refuse, rule, text_type};
use crate::error::{Error, Result};

caseless_text_type! {
    /// The user or organisation that owns a repository: `[A-Za-z0-9_][A-Za-z0-9_-]{0,38}`, compared without ASCII case.
    OwnerName, "owner", |t| rule(
        bytes_of(t, 39, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') && !t.starts_with('-'),
        "must be 1 to 39 of A-Z a-z 0-9 _ - and not begin with -",
    )
}
caseless_text_type! {
    /// A repository's name: `[A-Za-z0-9._-]{1,100}`, not `.` or `..`, not ending `.git` or `.wiki`, compared without
    /// ASCII case.
    RepoName, "repository", |t| {
        rule(
            bytes_of(t, 100, |b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
            "must be 1 to 100 of A-Z a-z 0-9 . _ -",
        )?;
        rule(t != "." && t != "..", "must not be . or ..")?;
        let lower = t.to_ascii_lowercase();
        rule(!lower.ends_with(".git") && !lower.ends_with(".wiki"), "must not end with .git or .wiki")
    }
}
text_type! {
    /// One forge instance: its lower-case web `host[:port]`, at most 260 bytes. Numeric ids mean something only
    /// together with it.
    ForgeId, "forge", |t| {
        let (host, port) = t.split_once(':').map_or((t, None), |(h, p)| (h, Some(p)));
        rule(t.len() <= 260, "must be at most 260 bytes long")?;
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        rule(bytes_of(host, 253, lower) && super::url::is_host_name(host), "must be a lower-case host name")?;
        rule(port.is_none_or(super::url::is_port), "must have a port between 1 and 65535")
    }
}
text_type! {
    /// A tenant's connection to a forge, named by the host: `[A-Za-z0-9_-]{1,64}`.
    IntegrationId, "integration id", |t| rule(
        bytes_of(t, 64, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
        "must be 1 to 64 of A-Z a-z 0-9 _ -",
    )
}

macro_rules! numeric_id {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a forge's number.
            ///
            /// # Errors
            /// `Invalid` outside 1 ..= 2^63-1.
            pub fn new(number: u64) -> Result<Self> {
                if number == 0 || i64::try_from(number).is_err() {
                    return Err(refuse($what, "must be 1 to 2^63-1", &number.to_string()));
                }
                Ok(Self(number))
            }

            /// Parses the decimal form without sign or leading zeros.
            ///
            /// # Errors
            /// `Invalid` for anything else.
            pub fn parse(text: &str) -> Result<Self> {
                match text.parse::<u64>() {
                    Ok(n) if n.to_string() == text => Self::new(n),
                    _ => Err(refuse($what, "must be a decimal number", text)),
                }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                parsed(deserializer, Self::parse)
            }
        }
    };
}

numeric_id! {
    /// A repository's numeric id at its forge; it survives renames and transfers. JSON: a decimal string.
    RepositoryId, "repository id"
}
numeric_id! {
    /// An App installation's numeric id at its forge. JSON: a decimal string.
    InstallationId, "installation id"
}

/// A repository as an integration sees it. `id` is known once the forge was asked, and is the key from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RepoRef {
    /// The connection through which it is reached.
    pub integration: IntegrationId,
    /// Its owner's present name.
    pub owner: OwnerName,
    /// Its present name.
    pub name: RepoName,
    /// Its numeric id, if known.
    pub id: Option<RepositoryId>,
}

impl fmt::Display for RepoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// What a forge says of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoInfo {
    /// The forge instance.
    pub forge: ForgeId,
    /// Numeric id there.
    pub id: RepositoryId,
    /// Present owner.
    pub owner: OwnerName,
    /// Present name.
    pub name: RepoName,
    /// `None` if the repository is empty or the name is outside our grammar.
    pub default_branch: Option<BranchName>,
    /// Not publicly readable.
    pub private: bool,
    /// Read-only at the forge.
    pub archived: bool,
}

/// A branch and the commit it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: BranchName,
    /// Its head.
    pub commit: CommitSha,
    /// Whether the forge protects it.
    pub protected: bool,
}
