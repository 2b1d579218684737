//! Path patterns and the names that are never looked into.

use globset::{GlobBuilder, GlobMatcher};

use crate::domain::RepoPath;

/// Directories whose content is neither listed nor read.
const IGNORED: &[&str] = &[
    ".git",
    "node_modules",
    "vendor",
    "bower_components",
    ".venv",
    "venv",
    "env",
    "site-packages",
    "__pycache__",
    ".tox",
    "target",
    "dist",
    "out",
    ".next",
    ".nuxt",
    ".output",
    ".svelte-kit",
    ".gradle",
    "Pods",
    ".terraform",
    ".cache",
    "coverage",
    ".idea",
    ".vscode",
];

const IGNORED_PAIRS: &[(&str, &str)] = &[("build", "libs"), (".mvn", "repository")];

/// Directories whose files are no evidence of what the app does.
const ASIDE: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "spec",
    "e2e",
    "example",
    "examples",
    "sample",
    "samples",
    "fixture",
    "fixtures",
    "testdata",
    "docs",
    "doc",
    "benchmark",
    "benchmarks",
    "demo",
];

/// `*` stays within a component, `**` spans them, case-sensitive. `None` if the pattern is not valid.
pub(crate) fn compile(pattern: &str) -> Option<GlobMatcher> {
    if pattern.len() > 512 {
        return None;
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build().ok()?;
    Some(glob.compile_matcher())
}

/// Whether `pattern` matches `path`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    compile(pattern).is_some_and(|glob| glob.is_match(path))
}

/// The components of `path` that are not those of `root`.
fn own<'a>(path: &'a RepoPath, root: &'a RepoPath) -> impl Iterator<Item = &'a str> {
    let shared = path.components().zip(root.components()).take_while(|(a, b)| a == b).count();
    path.components().skip(shared)
}

/// Whether `path` lies in a directory that is never looked into; the app root's own components do not count.
pub(crate) fn is_ignored(path: &RepoPath, root: &RepoPath) -> bool {
    let components: Vec<&str> = own(path, root).collect();
    components.iter().any(|c| IGNORED.contains(c))
        || components.windows(2).any(|w| IGNORED_PAIRS.iter().any(|(a, b)| w == [*a, *b]))
}

/// Whether `path` is an example, a test or documentation, so that it proves nothing about the app.
pub(crate) fn is_aside(path: &RepoPath, root: &RepoPath) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.ends_with("_test.go")
        || name.contains(".test.")
        || name.contains(".spec.")
        || own(path, root).any(|component| ASIDE.contains(&component))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_in_their_component() {
        assert!(matches("*.csproj", "a.csproj") && !matches("*.csproj", "b/a.csproj"));
        assert!(matches("**/*.{ts,js}", "x/y.ts") && matches("**/*.{ts,js}", "y.js"));
        assert!(!matches("[", "["));
    }

    #[test]
    fn the_app_root_itself_may_lie_anywhere() {
        let path = |p| RepoPath::parse(p).unwrap();
        assert!(is_ignored(&path("a/node_modules/x"), &path("a")));
        assert!(!is_ignored(&path("vendor/a/x"), &path("vendor/a")));
        assert!(is_aside(&path("a/docs/x"), &path("a")) && !is_aside(&path("examples/a/x"), &path("examples/a")));
    }
}
