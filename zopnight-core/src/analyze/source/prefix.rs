//! Path prefixes of routers and groups, one file at a time.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// What is known of the routers of a file.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// A receiver's prefix; `None` if it has one that cannot be read.
    by_name: BTreeMap<String, Option<String>>,
    /// For every route of the app, from `setGlobalPrefix`.
    global: String,
    guarded: Vec<String>,
}

static GROUP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(\w+)\s*:?=\s*(\w+)\.(?:Group|group|Route|PathPrefix|Party)\(\s*("[^"\n]*"|\w[^,)\n]*)(.*)"#).ok()
});
static ROUTER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(\w+)\s*=\s*(?:\w+\.)?(?:APIRouter|Blueprint)\(([^)]*)\)"#).ok());
static MOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\.(?:use|route|register)\(\s*["'`](/[^"'`\n]*)["'`]\s*,\s*(?:[\w.]+\s*,\s*)*(\w+)\s*\)"#).ok()
});
static INCLUDE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:include_router|register_blueprint)\(\s*(?:\w+\.)?(\w+)\s*(,[^)]*)?\)").ok());
static GLOBAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"setGlobalPrefix\(\s*["'`]([^"'`\n]*)["'`]"#).ok());
static KEYWORD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?:url_)?prefix\s*=\s*(?:["']([^"'\n]*)["']|([\w.]+))"#).ok());

impl Prefixes {
    pub(super) fn of(text: &str) -> Self {
        let mut prefixes = Self::default();
        for c in GROUP.iter().flat_map(|r| r.captures_iter(text)).take(100) {
            let part = |i| c.get(i).map_or("", |m| m.as_str());
            let literal = part(3).strip_prefix('"').and_then(|p| p.strip_suffix('"'));
            let parent = prefixes.by_name.get(part(2)).cloned().unwrap_or_else(|| Some(String::new()));
            let whole = literal.and_then(|own| parent.map(|p| join(&p, own)));
            if is_guard(part(1)) || is_guard(part(4)) {
                prefixes.guarded.push(part(1).to_owned());
            }
            prefixes.by_name.insert(part(1).to_owned(), whole);
        }
        for c in ROUTER.iter().flat_map(|r| r.captures_iter(text)).take(100) {
            let (name, arguments) = (c.get(1).map_or("", |m| m.as_str()), c.get(2).map_or("", |m| m.as_str()));
            if let Some(prefix) = keyword(arguments) {
                prefixes.by_name.insert(name.to_owned(), prefix);
            }
        }
        for c in MOUNT.iter().flat_map(|r| r.captures_iter(text)).take(100) {
            let (path, name) = (c.get(1).map_or("", |m| m.as_str()), c.get(2).map_or("", |m| m.as_str()));
            prefixes.by_name.entry(name.to_owned()).or_insert_with(|| Some(path.to_owned()));
        }
        for c in INCLUDE.iter().flat_map(|r| r.captures_iter(text)).take(100) {
            let (name, arguments) = (c.get(1).map_or("", |m| m.as_str()), c.get(2).map_or("", |m| m.as_str()));
            if let Some(outer) = keyword(arguments) {
                let inner = prefixes.by_name.get(name).cloned().unwrap_or_else(|| Some(String::new()));
                let whole = outer.and_then(|o| inner.map(|i| join(&o, &i)));
                prefixes.by_name.insert(name.to_owned(), whole);
            }
        }
        let global = GLOBAL.iter().find_map(|r| r.captures(text)).and_then(|c| c.get(1)).map_or("", |m| m.as_str());
        prefixes.global = join("", global);
        prefixes
    }

    pub(super) fn global(&self) -> &str {
        &self.global
    }

    /// The prefix of a receiver: empty if nothing is known of it, `None` if it has one that cannot be read.
    pub(super) fn of_receiver(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map_or(Some(""), |p| p.as_deref())
    }

    pub(super) fn is_mounted(&self, name: &str) -> Option<&Option<String>> {
        self.by_name.get(name)
    }

    pub(super) fn is_guarded(&self, name: &str) -> bool {
        self.guarded.iter().any(|g| g == name) || is_guard(name)
    }
}

fn is_guard(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["auth", "jwt", "protect", "guard", "login"].iter().any(|word| lower.contains(word))
}

/// The prefix keyword of an argument list: outer `None` = there is none, inner `None` = it is no literal.
fn keyword(arguments: &str) -> Option<Option<String>> {
    let c = KEYWORD.as_ref()?.captures(arguments)?;
    Some(c.get(1).map(|m| m.as_str().to_owned()))
}

/// Two paths with exactly one slash between them and none at the end.
pub(super) fn join(prefix: &str, path: &str) -> String {
    let (prefix, path) = (prefix.trim_matches('/'), path.trim_matches('/'));
    match (prefix.is_empty(), path.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("/{path}"),
        (false, true) => format!("/{prefix}"),
        (false, false) => format!("/{prefix}/{path}"),
    }
}
