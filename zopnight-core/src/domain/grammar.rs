//! What every parsed name shares: the macro that declares it and the error that refuses a value.

use std::fmt;

use serde::Deserializer;
use serde::de::Visitor;

use crate::error::{Error, Result};

/// An `Invalid` that names the rule and shows the value: escaped, and cut at 64 characters.
pub(crate) fn refuse(what: &'static str, rule: &str, value: &str) -> Error {
    let mut shown: String = value.chars().take(64).flat_map(char::escape_debug).collect();
    if value.chars().nth(64).is_some() {
        shown.push('…');
    }
    Error::invalid("parse", format!("{what} \"{shown}\": {rule}")).with("field", what)
}

/// Declares a newtype over text that exists only if `$check` accepts it.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);
        $crate::domain::grammar::text_impls!($name, $what, $check);
    };
}

/// The same with ASCII case-insensitive comparison, keeping the spelling it was given.
macro_rules! caseless_text_type {
    ($(#[$meta:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name(Box<str>);
        $crate::domain::grammar::text_impls!($name, $what, $check);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }
        impl Eq for $name {}
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                for byte in self.0.bytes() {
                    state.write_u8(byte.to_ascii_lowercase());
                }
            }
        }
    };
}

macro_rules! text_impls {
    ($name:ident, $what:literal, $check:expr) => {
        impl $name {
            /// Parses `text`.
            ///
            /// # Errors
            /// `Invalid`, naming the rule that was broken.
            pub fn parse(text: &str) -> $crate::error::Result<Self> {
                let check: fn(&str) -> std::result::Result<(), &'static str> = $check;
                check(text).map_err(|rule| $crate::domain::grammar::refuse($what, rule, text))?;
                Ok(Self(text.into()))
            }

            /// The text as it was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        $crate::domain::grammar::text_traits!($name);
    };
}

/// `Display`, `Debug`, `FromStr`, `AsRef<str>` and serde, all through `parse` and `as_str`. A second argument names another
/// function than `parse` for what serde reads.
macro_rules! text_traits {
    ($name:ident) => {
        $crate::domain::grammar::text_traits!($name, parse);
    };
    ($name:ident, $read:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.as_str())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::error::Error;
            fn from_str(text: &str) -> $crate::error::Result<Self> {
                Self::parse(text)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::domain::grammar::parsed(deserializer, Self::$read)
            }
        }
    };
}

/// Deserialises text through `parse`, without a copy where the format lends it.
pub(crate) fn parsed<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    parse: fn(&str) -> Result<T>,
) -> std::result::Result<T, D::Error> {
    struct Text<T>(fn(&str) -> Result<T>);

    impl<T> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<T, E> {
            (self.0)(text).map_err(|e| E::custom(e.message()))
        }
    }

    deserializer.deserialize_str(Text(parse))
}

pub(crate) use {caseless_text_type, text_impls, text_traits, text_type};

/// `ok` or the rule that was broken.
pub(crate) fn rule(ok: bool, rule: &'static str) -> std::result::Result<(), &'static str> {
    if ok { Ok(()) } else { Err(rule) }
}

/// Length within `1..=max` and every byte accepted.
pub(crate) fn bytes_of(text: &str, max: usize, accepted: fn(u8) -> bool) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(accepted)
}
