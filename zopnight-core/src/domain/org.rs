//! The tenant.

use super::grammar::{bytes_of, rule, text_type};

text_type! {
    /// The tenant that owns a thing. 1..=128 of `[A-Za-z0-9._:-]`. There is no default and no unchecked constructor.
    ///
    /// ```compile_fail
    /// let org: zopnight_core::domain::OrgId = "acme".into();
    /// ```
    /// ```
    /// let org = zopnight_core::domain::OrgId::parse("acme").unwrap();
    /// assert_eq!(org.as_str(), "acme");
    /// ```
    OrgId, "organisation id", |t| rule(
        bytes_of(t, 128, |b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)),
        "must be 1 to 128 of A-Z a-z 0-9 . _ : -",
    )
}

impl OrgId {
    /// How the organisation appears inside image and namespace templates: the id itself where it is a plain
    /// lower-case label of at most 40 characters that does not begin with `x-`, else `x-` and the first 32 hex digits
    /// of its SHA-256. Two organisations never map to one label.
    #[must_use]
    pub fn label(&self) -> String {
        let id = self.as_str();
        let plain = id.len() <= 40
            && !id.starts_with("x-")
            && id
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        if plain {
            return id.to_owned();
        }
        let digest = crate::domain::hex::sha256(id.as_bytes());
        let mut label = String::from("x-");
        label.push_str(crate::domain::hex::encode(&digest).get(..32).unwrap_or_default());
        label
    }
}
