//! Go: always `./out`; what is interesting is which package it is built from.

use crate::domain::RepoPath;
use crate::ports::EntryKind;

use super::super::evidence::{Notes, Place};
use super::super::view::View;
use super::super::wants::Priority;

pub(crate) fn start(view: &View<'_>, notes: &mut Notes) -> Option<String> {
    let commands = commands(view);
    let free = view.env("GO_WORKSPACE_MODULE").is_none() && view.env("GO_BIN").is_none() && !has_root_sources(view);
    if free
        && commands.len() > 1
        && let Some(first) = commands.first()
    {
        let message = format!("cmd has several programs; Railpack builds the first, {first}");
        let place = view.at("cmd").map(|path| Place::file(&path));
        notes.advise("go-cmd-ambiguous", message, place.as_ref(), "set RAILPACK_GO_BIN to the program");
    }
    Some("./out".to_owned())
}

/// The directory of the package that Railpack builds.
pub(crate) fn target(view: &View<'_>) -> Option<RepoPath> {
    if let Some(module) = view.env("GO_WORKSPACE_MODULE") {
        return view.at(module);
    }
    if let Some(program) = view.env("GO_BIN") {
        return view.at(&format!("cmd/{program}"));
    }
    let module = view.has("go.mod");
    if module && has_root_sources(view) {
        return Some(view.root().clone());
    }
    if let Some(first) = commands(view).first() {
        return view.at(&format!("cmd/{first}"));
    }
    if module {
        return Some(view.root().clone());
    }
    if view.has("go.work") {
        let files = view.walk(view.root(), 3, Priority::Manifest);
        let modules = files.iter().filter(|f| f.file_name() == Some("go.mod")).filter_map(RepoPath::parent);
        let mut nested = modules.filter(|dir| dir != view.root());
        if let Some(found) = nested.find(|dir| dir.join("main.go").is_ok_and(|main| view.kind(&main).is_some())) {
            return Some(found);
        }
    }
    view.has("main.go").then(|| view.root().clone())
}

fn has_root_sources(view: &View<'_>) -> bool {
    view.root_entries().iter().any(|e| e.kind != EntryKind::Directory && e.name.ends_with(".go"))
}

fn commands(view: &View<'_>) -> Vec<String> {
    let Some(cmd) = view.at("cmd") else { return Vec::new() };
    let entries = view.list(&cmd, Priority::Manifest).iter().filter(|e| e.kind == EntryKind::Directory);
    entries.map(|e| e.name.to_string()).collect()
}
