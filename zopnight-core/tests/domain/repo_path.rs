//! Paths cannot leave the repository, whatever is joined to whatever.

use proptest::prelude::*;
use zopnight_core::domain::RepoPath;

fn paths() -> impl Strategy<Value = String> {
    "(\\./){0,2}([a-c.-]{1,4}/){0,4}[a-c.-]{0,4}/{0,1}"
}

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

#[test]
fn spellings_of_one_path_are_one_value() {
    for (spelling, shown) in
        [("", "."), (".", "."), ("./", "."), ("././.", "."), ("./a", "a"), ("a/", "a"), ("././a/b/", "a/b")]
    {
        assert_eq!(path(spelling).to_string(), shown);
        assert_eq!(path(spelling), path(shown));
    }
    assert!(path("").is_root() && path("").components().next().is_none());
}

#[test]
fn relations() {
    assert_eq!(path("a").join("b/c").unwrap(), path("a/b/c"));
    assert_eq!(path("").join("b").unwrap(), path("b"));
    assert_eq!(path("a").join("").unwrap(), path("a"));
    assert!(path("a").join("../b").is_err() && path("a").join("/b").is_err() && path("a").join("-b").is_err());
    assert!(
        path(&"x".repeat(255)).join(&["y".repeat(255), "z".repeat(255), "w".repeat(255), "v".repeat(9)].join("/")).is_err()
    );
    assert_eq!(path("a/b").parent(), Some(path("a")));
    assert_eq!(path("a").parent(), Some(path("")));
    assert_eq!(path("").parent(), None);
    assert_eq!(path("a/b").file_name(), Some("b"));
    assert_eq!(path("").file_name(), None);
    assert_eq!(path("a/b/c").relative_to(&path("a")), Some(path("b/c")));
    assert_eq!(path("a").relative_to(&path("a")), Some(path("")));
    assert_eq!(path("ab").relative_to(&path("a")), None);
    assert_eq!(path("a").relative_to(&path("a/b")), None);
    assert_eq!(path("a").relative_to(&path("")), Some(path("a")));
}

/// Every path that exists obeys the grammar, however it was made.
fn is_legal(p: &RepoPath) -> bool {
    RepoPath::parse(p.as_str()).is_ok_and(|again| again == *p)
}

#[test]
fn a_relative_path_is_a_legal_path() {
    let relative = path("a/-b").relative_to(&path("a"));
    assert!(relative.as_ref().is_none_or(is_legal), "{relative:?}");
}

proptest! {
    #[test]
    fn what_is_made_of_paths_is_a_path_inside(base in paths(), tail in paths()) {
        let (Ok(base), Ok(tail)) = (RepoPath::parse(&base), RepoPath::parse(&tail)) else { return Ok(()) };
        prop_assert!(is_legal(&base));
        prop_assert!(base.parent().as_ref().is_none_or(is_legal));
        if let Ok(joined) = base.join(tail.as_str()) {
            prop_assert!(is_legal(&joined));
            let components: Vec<&str> = base.components().chain(tail.components()).collect();
            prop_assert_eq!(joined.components().collect::<Vec<_>>(), components);
            prop_assert_eq!(joined.relative_to(&base), Some(tail.clone()));
        }
        if let Some(relative) = base.relative_to(&tail) {
            prop_assert!(is_legal(&relative));
            prop_assert_eq!(tail.join(relative.as_str()).unwrap(), base);
        }
    }
}
