//! The architecture, asserted: dependencies, arrows between modules, foreign types in public signatures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

const CORE_LIMIT: usize = 90;
const ADAPTERS: [&str; 3] = ["zopnight-github", "zopnight-k8s", "zopnight-store"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn tree(package: &str, more: &[&str]) -> BTreeSet<String> {
    let cargo = std::env!("CARGO");
    let mut args = vec!["tree", "--offline", "-p", package, "-e", "normal", "--prefix", "none", "--format", "{p}"];
    args.extend(more);
    let out = Command::new(cargo).args(args).current_dir(workspace()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout).unwrap();
    names.lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
}

fn sources(dir: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push(path);
            }
        }
    }
    let root = workspace();
    let mut paths = Vec::new();
    walk(&root.join(dir), &mut paths);
    assert!(!paths.is_empty(), "{dir} holds sources");
    paths.sort();
    let name = |p: &Path| p.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    paths.iter().map(|p| (name(p), code(&std::fs::read_to_string(p).unwrap()))).collect()
}

/// A file without its comments and its inline tests.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn none_match(dir: &str, pattern: &str, except: &[&str]) {
    let pattern = Regex::new(pattern).unwrap();
    for (file, code) in sources(dir) {
        if except.iter().any(|e| file.ends_with(e)) {
            continue;
        }
        for (number, line) in code.lines().enumerate() {
            assert!(!pattern.is_match(line), "{file} (line {} without comments): {line}", number + 1);
        }
    }
}

#[test]
fn core_is_light_and_knows_no_server_client_or_database() {
    let crates = tree("zopnight-core", &[]);
    assert!(crates.len() <= CORE_LIMIT, "{} crates: {crates:?}", crates.len());
    for banned in ["sqlx", "kube", "octocrab", "axum", "hyper", "reqwest", "openssl-sys", "native-tls", "rsa", "ring"] {
        assert!(!crates.contains(banned), "{banned} came in");
    }
    println!("zopnight-core with default features: {} crates", crates.len());
}

#[test]
fn no_feature_set_brings_a_second_crypto_stack() {
    for package in ["zopnight-core", "zopnight-github", "zopnight-k8s", "zopnight-store"] {
        let crates = tree(package, &["--all-features"]);
        for banned in ["rsa", "openssl-sys", "native-tls"] {
            assert!(!crates.contains(banned), "{banned} came in with {package}");
        }
    }
}

#[test]
fn adapters_know_core_and_not_each_other() {
    for adapter in ADAPTERS {
        let crates = tree(adapter, &["--all-features"]);
        for other in ADAPTERS.iter().filter(|o| **o != adapter) {
            assert!(!crates.contains(*other), "{adapter} depends on {other}");
        }
        assert!(crates.contains("zopnight-core"));
    }
    assert!(tree("zopnight-core", &["--all-features"]).iter().all(|c| !ADAPTERS.contains(&c.as_str())));
}

#[test]
fn arrows_inside_core_point_one_way() {
    none_match(
        "zopnight-core/src/domain",
        r"\b(tokio|axum|jsonwebtoken)::|serde_json::Value|crate::(ports|pipeline|worker|http|callback|analyze|testing)\b",
        &[],
    );
    none_match("zopnight-core/src/ports", r"crate::(pipeline|worker|http|callback|analyze|testing)\b", &[]);
    none_match("zopnight-core/src/callback", r"crate::(ports|pipeline|worker|http|analyze)\b", &[]);
    none_match("zopnight-core/src/analyze", r"crate::(pipeline|worker|http|callback)\b", &[]);
    none_match("zopnight-core/src/pipeline", r"crate::(worker|http)\b", &[]);
    none_match("zopnight-core/src/worker", r"crate::http\b", &[]);
}

#[test]
fn foreign_crates_are_named_where_they_belong() {
    none_match("zopnight-core/src", r"\bjsonwebtoken::", &["callback/token.rs", "callback/keys.rs"]);
    for dir in ["domain", "ports", "callback", "analyze", "pipeline", "worker", "testing"] {
        none_match(&format!("zopnight-core/src/{dir}"), r"\baxum::", &[]);
    }
    none_match("zopnight-core/src/analyze", r"std::process|std::net|tokio::net", &[]);
    none_match("zopnight-core/src/analyze", r"std::fs\b", &["analyze/dir_tree.rs"]);
}

#[test]
fn public_signatures_hold_no_foreign_types() {
    let foreign =
        Regex::new(r"\b(octocrab|kube|k8s_openapi|sqlx|jsonwebtoken|axum|gotmpl|hyper|serde_saphyr|toml|roxmltree)::")
            .unwrap();
    let imported =
        Regex::new(r"^use (octocrab|kube|k8s_openapi|sqlx|jsonwebtoken|axum|gotmpl|serde_saphyr|roxmltree)::").unwrap();
    let item = Regex::new(
        r"(?s)\n\s*pub (?:const |async |unsafe )*(?:fn|type|static|const) [^;{]*[;{]|\n\s*pub [a-z_0-9]+: [^,\n]*,",
    )
    .unwrap();
    let allowed =
        Regex::new(r"pub fn (router|tenant_routes|ingress_routes)\(|pub async fn from_pool\(|-> axum::Router|pool: sqlx::")
            .unwrap();
    for dir in ["zopnight-core/src", "zopnight-github/src", "zopnight-k8s/src", "zopnight-store/src"] {
        for (file, code) in sources(dir) {
            let names: BTreeSet<String> = code.lines().filter(|l| imported.is_match(l)).flat_map(imported_names).collect();
            for found in item.find_iter(&code) {
                let text = found.as_str();
                let by_name = names.iter().any(|n| Regex::new(&format!(r"\b{n}\b")).unwrap().is_match(text));
                assert!(allowed.is_match(text) || !(foreign.is_match(text) || by_name), "{file}: {text}");
            }
        }
    }
}

fn imported_names(line: &str) -> Vec<String> {
    let tail = line.trim_end_matches(';').rsplit("::").next().unwrap_or_default();
    let names = tail
        .trim_matches(|c| c == '{' || c == '}')
        .split(',')
        .map(|n| n.trim().rsplit(' ').next().unwrap_or_default().to_owned());
    names.filter(|n| n.starts_with(char::is_uppercase)).collect()
}

#[test]
fn nothing_is_switched_off() {
    for dir in ["zopnight-core", "zopnight-github", "zopnight-k8s", "zopnight-store"] {
        none_match(dir, r"#!?\[allow\(|#\[ignore|todo!\(|unimplemented!\(|dbg!\(", &["tests/architecture.rs"]);
    }
    let ignored = Regex::new(r"//[/!] *```(ignore|text,ignore)").unwrap();
    for dir in ["zopnight-core/src", "zopnight-github/src", "zopnight-k8s/src", "zopnight-store/src"] {
        for entry in sources(dir) {
            let text = std::fs::read_to_string(workspace().join(&entry.0)).unwrap();
            assert!(!ignored.is_match(&text), "{} has an ignored doctest", entry.0);
        }
    }
}
