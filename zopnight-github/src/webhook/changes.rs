//! Which files a push changed. A path filter must build on what it is not told, so every doubt makes the answer unknown.
//! The lists are read without being kept: what is remembered is bounded by the number of paths, not by the body.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zopnight_core::domain::{ChangedPaths, CommitSha, RepoPath};

/// GitHub lists no more commits of a push; a list this long may be cut.
const MAX_COMMITS: usize = 2_048;
/// GitHub lists no more files of a commit; a list this long may be cut.
const MAX_NAMES: usize = 3_000;
/// What we keep of one push.
const MAX_PATHS: usize = 10_000;

/// `commits` of a push.
#[derive(Debug, Default)]
pub(super) struct Commits {
    count: usize,
    last: Option<String>,
    paths: BTreeSet<RepoPath>,
    doubt: Option<&'static str>,
}

impl Commits {
    /// All paths, if there is no doubt that the lists are whole and end at `after`.
    pub(super) fn changed(self, after: &CommitSha) -> ChangedPaths {
        let doubt = if self.count == 0 {
            Some("no commits are listed")
        } else if self.count >= MAX_COMMITS {
            Some("too many commits to be listed")
        } else if self.last.as_deref() != Some(after.as_str()) {
            Some("the list of commits does not end at the head")
        } else {
            self.doubt
        };
        doubt.map_or_else(|| ChangedPaths::Known(self.paths.into_iter().collect()), ChangedPaths::Unknown)
    }

    fn doubt(&mut self, why: &'static str) {
        self.doubt.get_or_insert(why);
        self.paths.clear();
    }

    fn add(&mut self, path: &str) {
        if self.doubt.is_some() {
            return;
        }
        match RepoPath::parse(path) {
            Ok(path) if !path.is_root() => {
                self.paths.insert(path);
            }
            _ => self.doubt("a path is outside the grammar"),
        }
        if self.paths.len() > MAX_PATHS {
            self.doubt("too many paths");
        }
    }
}

impl<'de> Deserialize<'de> for Commits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Commits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of commits")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Commits, A::Error> {
                let mut commits = Commits::default();
                while seq.next_element_seed(OneCommit(&mut commits))?.is_some() {
                    commits.count = commits.count.saturating_add(1);
                }
                Ok(commits)
            }
        }

        deserializer.deserialize_seq(List)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Id,
    Added,
    Modified,
    Removed,
    #[serde(other)]
    Unread,
}

struct OneCommit<'c>(&'c mut Commits);

impl<'de> DeserializeSeed<'de> for OneCommit<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneCommit<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a commit")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut id, mut added, mut modified, mut removed) = (None, None, None, None);
        while let Some(field) = map.next_key::<Field>()? {
            let (list, name) = match field {
                Field::Unread => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    continue;
                }
                Field::Id => {
                    if id.replace(map.next_value::<Option<String>>()?).is_some() {
                        return Err(A::Error::duplicate_field("id"));
                    }
                    continue;
                }
                Field::Added => (&mut added, "added"),
                Field::Modified => (&mut modified, "modified"),
                Field::Removed => (&mut removed, "removed"),
            };
            if list.replace(map.next_value_seed(Names(self.0))?).is_some() {
                return Err(A::Error::duplicate_field(name));
            }
        }
        self.0.last = id.flatten();
        let counts = [added, modified, removed].map(Option::flatten);
        let names = counts.iter().try_fold(0_usize, |sum, count| count.map(|count| sum.saturating_add(count)));
        match names {
            None => self.0.doubt("a commit does not list its files"),
            Some(names) if names >= MAX_NAMES => self.0.doubt("a commit has too many files to be listed"),
            Some(_) => {}
        }
        Ok(())
    }
}

/// A list of names: how many, or `None` for `null`.
struct Names<'c>(&'c mut Commits);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of paths")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut count = 0_usize;
        while seq.next_element_seed(Name(self.0))?.is_some() {
            count = count.saturating_add(1);
        }
        Ok(Some(count))
    }
}

struct Name<'c>(&'c mut Commits);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path")
    }

    fn visit_str<E>(self, path: &str) -> Result<(), E> {
        self.0.add(path);
        Ok(())
    }
}
