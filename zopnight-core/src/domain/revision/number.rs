//! A revision's place in its deployment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::grammar::refuse;
use crate::error::Result;

/// A revision's place in its deployment: 1, 2, 3 … without gaps, at most 2^31-1. The cluster uses it as a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RevisionNumber(u32);

impl RevisionNumber {
    /// Wraps a number.
    ///
    /// # Errors
    /// `Invalid` outside 1 ..= 2^31-1.
    pub fn new(number: u32) -> Result<Self> {
        if number == 0 || i32::try_from(number).is_err() {
            return Err(refuse("revision number", "must be 1 to 2^31-1", &number.to_string()));
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for RevisionNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::new(u32::deserialize(deserializer)?).map_err(|e| serde::de::Error::custom(e.message()))
    }
}
