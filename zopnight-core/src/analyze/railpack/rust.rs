//! Rust: the binary that Cargo makes.

use toml::Table;

use crate::ports::EntryKind;

use super::super::evidence::{Notes, Place};
use super::super::glob;
use super::super::parse::toml as reader;
use super::super::view::View;
use super::super::wants::Priority;

pub(crate) fn start(view: &View<'_>, notes: &mut Notes) -> Option<String> {
    let manifest = reader::parse(view.raw("Cargo.toml")?)?;
    if let Some(package) = view.env("CARGO_WORKSPACE") {
        return Some(format!("./bin/{package}"));
    }
    if reader::at(&manifest, &["workspace", "members"]).is_some()
        && let Some(package) = binary_member(view, &manifest)
    {
        return Some(format!("./bin/{package}"));
    }
    let bins = bins(view, &manifest);
    let name = match bins.as_slice() {
        [] => return None,
        [only] => only.clone(),
        several => {
            let default = reader::at(&manifest, &["package", "default-run"]).and_then(toml::Value::as_str);
            let chosen = match view.env("RUST_BIN") {
                Some(wanted) => several.iter().find(|b| *b == wanted).cloned(),
                None => default.map(str::to_owned),
            };
            if chosen.is_none() {
                let place = view.at("Cargo.toml").map(|path| Place::file(&path));
                let message = format!("the package has {} binaries and no default-run", several.len());
                notes.advise("ambiguous-binary", message, place.as_ref(), "set RAILPACK_RUST_BIN to one of them");
            }
            chosen?
        }
    };
    let suffix = if targets_wasm(view) { ".wasm" } else { "" };
    Some(format!("./bin/{name}{suffix}"))
}

fn package_name(manifest: &Table) -> Option<&str> {
    reader::at(manifest, &["package", "name"]).and_then(toml::Value::as_str)
}

fn bins(view: &View<'_>, manifest: &Table) -> Vec<String> {
    let mut bins = Vec::new();
    if view.has("src/main.rs") {
        bins.extend(package_name(manifest).map(str::to_owned));
    }
    if let Some(dir) = view.at("src/bin") {
        let files = view.list(&dir, Priority::Manifest).iter().filter(|e| e.kind != EntryKind::Directory);
        bins.extend(files.filter_map(|e| e.name.rsplit_once('.')).map(|(stem, _)| stem.to_owned()));
    }
    bins
}

fn strings<'t>(manifest: &'t Table, key: &str) -> Vec<&'t str> {
    let list = reader::at(manifest, &["workspace", key]).and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(toml::Value::as_str).collect()
}

/// The name of the first member that has a binary.
fn binary_member(view: &View<'_>, manifest: &Table) -> Option<String> {
    let excluded = strings(manifest, "exclude");
    let listed = strings(manifest, "default-members").into_iter().chain(strings(manifest, "members"));
    for member in listed.filter(|m| !excluded.contains(m)).take(64) {
        for dir in directories(view, member) {
            let at = |name: &str| format!("{dir}/{name}");
            if let Some(src) = view.at(&at("src")) {
                view.expect_dir(&src, Priority::Manifest);
            }
            let text = view.at(&at("Cargo.toml")).and_then(|path| view.text_eagerly(&path, Priority::Manifest));
            let Some(table) = text.and_then(reader::parse) else { continue };
            let has_binary = view.has(&at("src/main.rs"))
                || view.has(&at("src/bin"))
                || table.contains_key("bin")
                || !view.has(&at("src/lib.rs"));
            if has_binary && let Some(name) = package_name(&table) {
                return Some(name.to_owned());
            }
        }
    }
    None
}

fn directories(view: &View<'_>, member: &str) -> Vec<String> {
    if !member.contains(['*', '?']) {
        return vec![member.trim_end_matches('/').to_owned()];
    }
    let (base, pattern) = member.rsplit_once('/').unwrap_or(("", member));
    let (Some(glob), Some(start)) = (glob::compile(pattern), view.at(base)) else { return Vec::new() };
    let entries = view.list(&start, Priority::Manifest).iter();
    let dirs = entries.filter(|e| e.kind == EntryKind::Directory && glob.is_match(&*e.name));
    dirs.map(|e| if base.is_empty() { e.name.to_string() } else { format!("{base}/{}", e.name) }).take(100).collect()
}

fn targets_wasm(view: &View<'_>) -> bool {
    let Some(text) = view.raw(".cargo/config.toml") else { return false };
    text.lines()
        .filter_map(|l| l.split_once('='))
        .any(|(key, value)| key.trim_end().ends_with("target") && value.trim_start().starts_with("\"wasm32-wasi\""))
}
