//! `.dockerignore`.

use super::super::glob;
use super::super::view::clean;

/// Whether the patterns exclude `path` from the context; the last match wins.
pub(crate) fn excludes(patterns: &str, path: &str) -> bool {
    let mut excluded = false;
    for line in patterns.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).take(2_000) {
        let (again, pattern) = line.strip_prefix('!').map_or((false, line), |p| (true, p.trim()));
        let Some(pattern) = clean(pattern).filter(|p| !p.is_empty()) else { continue };
        if excluded != again {
            continue;
        }
        let hit = glob::compile(&pattern).is_some_and(|glob| ancestors(path).any(|part| glob.is_match(part)));
        if hit {
            excluded = !again;
        }
    }
    excluded
}

/// `a`, `a/b`, `a/b/c` of `a/b/c`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at)).chain(std::iter::once(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_match_wins() {
        assert!(excludes("*\n", "go.mod"));
        assert!(!excludes("*\n!go.mod\n", "go.mod"));
        assert!(excludes("dist/\n", "dist/a.js"));
        assert!(excludes("**/*.log\n", "a/b.log") && !excludes("*.log\n", "a/b.log"));
    }
}
