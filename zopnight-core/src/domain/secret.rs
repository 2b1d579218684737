//! Values that must not be seen.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// A value that is wiped on drop and shown by nothing: `Debug` prints `Secret([redacted])`; there is no `Display`, no
/// `Serialize`, no `PartialEq` (use [`Secret::ct_eq`]).
///
/// ```compile_fail
/// let s = zopnight_core::domain::Secret::new(String::from("x"));
/// let shown = format!("{}", s);
/// ```
/// ```
/// let s = zopnight_core::domain::Secret::new(String::from("x"));
/// let shown = format!("{:?}", s);
/// assert_eq!(shown, "Secret([redacted])");
/// ```
///
/// ```compile_fail
/// let s = zopnight_core::domain::Secret::new(String::from("x"));
/// let json = serde_json::to_string(&s);
/// ```
/// ```
/// let s = zopnight_core::domain::Secret::new(String::from("x"));
/// let json = serde_json::to_string(s.expose());
/// # drop(json);
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Hides `value`.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Equality in a time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.0.as_ref().ct_eq(other).into()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}
