//! Symbolic links inside a tree.

use std::collections::VecDeque;

use crate::domain::RepoPath;

/// How many links one path may go through.
const MAX_HOPS: usize = 8;

/// What a [`follow`] finds at one path, links not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file, a directory or a submodule.
    Plain,
    /// A symbolic link with this target.
    Link(String),
    /// Nothing.
    Missing,
}

/// The path that `path` stands for once every link on the way is resolved; `None` if one is broken, cyclic, longer than
/// 8 hops or leaves the tree. `look` is asked for each component from the root down.
pub fn follow(path: &RepoPath, mut look: impl FnMut(&RepoPath) -> Step) -> Option<RepoPath> {
    let mut ahead: VecDeque<String> = path.components().map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    let mut hops = 0;
    while let Some(component) = ahead.pop_front() {
        match component.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop()?;
                continue;
            }
            _ => done.push(component),
        }
        let here = RepoPath::parse(&done.join("/")).ok()?;
        match look(&here) {
            Step::Plain => {}
            Step::Missing => return None,
            Step::Link(target) => {
                hops += 1;
                if hops > MAX_HOPS || target.starts_with('/') || target.len() > 4_096 {
                    return None;
                }
                done.pop();
                target.rsplit('/').for_each(|part| ahead.push_front(part.to_owned()));
            }
        }
    }
    RepoPath::parse(&done.join("/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(links: &[(&str, &str)], path: &str) -> Option<String> {
        let look = |p: &RepoPath| match links.iter().find(|(from, _)| *from == p.as_str()) {
            Some((_, to)) => Step::Link((*to).to_owned()),
            None if p.as_str().contains("gone") => Step::Missing,
            None => Step::Plain,
        };
        follow(&RepoPath::parse(path).unwrap(), look).map(|p| p.to_string())
    }

    #[test]
    fn follows_links_in_any_component() {
        assert_eq!(resolve(&[("a/l", "../b/./c")], "a/l/x").as_deref(), Some("b/c/x"));
        assert_eq!(resolve(&[("l", ".")], "l").as_deref(), Some("."));
    }

    #[test]
    fn stays_inside_and_ends() {
        assert_eq!(resolve(&[("l", "../x")], "l"), None);
        assert_eq!(resolve(&[("l", "/etc/passwd")], "l"), None);
        assert_eq!(resolve(&[("l", "l")], "l"), None);
        assert_eq!(resolve(&[("l", "gone")], "l"), None);
        assert_eq!(resolve(&[("l", ".git/config")], "l"), None);
    }
}
