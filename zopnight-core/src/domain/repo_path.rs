//! Paths inside a repository.

use super::grammar::{refuse, rule, text_traits};
use crate::error::Result;

/// A path relative to the repository's root, `/`-separated, that cannot leave it. The root is shown as `.`.
///
/// `""`, `"."` and `"./"` are the root; leading `./` and one trailing `/` are removed. Then at most 1,024 bytes and
/// 64 components of 1..=255 bytes; no component `.`, `..` or `.git` (any ASCII case); no leading `/` or `-`; no
/// backslash, NUL or control character.
///
/// ```
/// use zopnight_core::domain::RepoPath;
/// assert_eq!(RepoPath::parse("./a/b/").unwrap().to_string(), "a/b");
/// assert_eq!(RepoPath::root().to_string(), ".");
/// assert!(RepoPath::parse("a/../b").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Box<str>);

impl RepoPath {
    /// Parses and normalises `text`.
    ///
    /// # Errors
    /// `Invalid`, naming the rule that was broken.
    pub fn parse(text: &str) -> Result<Self> {
        let mut path = text;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        if path.is_empty() || path == "." {
            return Ok(Self::root());
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        check(path).map_err(|r| refuse("path", r, text))?;
        Ok(Self(path.into()))
    }

    /// The repository's root.
    #[must_use]
    pub fn root() -> Self {
        Self("".into())
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// `.` for the root, else the path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    /// This path with `tail` below it.
    ///
    /// # Errors
    /// `Invalid` if `tail` is not a path of this grammar or the whole grows too long.
    pub fn join(&self, tail: &str) -> Result<Self> {
        let tail = Self::parse(tail)?;
        match (self.is_root(), tail.is_root()) {
            (true, _) => Ok(tail),
            (false, true) => Ok(self.clone()),
            (false, false) => {
                let joined = [&*self.0, &*tail.0].join("/");
                check(&joined).map_err(|r| refuse("path", r, &joined))?;
                Ok(Self(joined.into()))
            }
        }
    }

    /// The directory above; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or("", |(parent, _)| parent).into()))
    }

    /// The last component; `None` for the root.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.components().last()
    }

    /// The components, none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|c| !c.is_empty())
    }

    /// The part of this path below `base`; `None` if it is not `base` or below it, or if that part would begin with `-` and
    /// so be no path of its own.
    #[must_use]
    pub fn relative_to(&self, base: &Self) -> Option<Self> {
        if base.is_root() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(&*base.0)?;
        match rest.strip_prefix('/') {
            Some(tail) => (!tail.starts_with('-')).then(|| Self(tail.into())),
            None => rest.is_empty().then(Self::root),
        }
    }
}

text_traits!(RepoPath);

fn check(path: &str) -> std::result::Result<(), &'static str> {
    rule(path.len() <= 1_024, "must be at most 1,024 bytes long")?;
    rule(!path.starts_with('/'), "must be relative")?;
    rule(!path.starts_with('-'), "must not begin with -")?;
    rule(!path.contains('\\') && !path.chars().any(char::is_control), "must not contain backslashes or control characters")?;
    rule(path.split('/').count() <= 64, "must have at most 64 components")?;
    for component in path.split('/') {
        rule((1..=255).contains(&component.len()), "each component must be 1 to 255 bytes long")?;
        rule(component != "." && component != "..", "must not contain . or .. components")?;
        rule(!component.eq_ignore_ascii_case(".git"), "must not enter .git")?;
    }
    Ok(())
}
