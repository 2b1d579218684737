//! Members of a Node workspace.

use crate::ports::EntryKind;

use super::super::parse::yaml;
use super::super::view::{View, clean};
use super::super::wants::Priority;
use super::node::Manifest;

/// The members' directories and manifests, in the order of the patterns. Broken ones are skipped.
pub(crate) fn members(view: &View<'_>, manifest: &Manifest) -> Vec<(String, Manifest)> {
    let mut members: Vec<(String, Manifest)> = Vec::new();
    for pattern in patterns(view, manifest).iter().filter(|p| !p.starts_with('!')).take(64) {
        for dir in directories(view, pattern).into_iter().take(100) {
            if members.iter().any(|(known, _)| *known == dir) {
                continue;
            }
            let text = view.at(&format!("{dir}/package.json")).and_then(|path| view.text_eagerly(&path, Priority::Manifest));
            if let Some(member) = text.and_then(Manifest::parse) {
                members.push((dir, member));
            }
        }
    }
    members
}

fn patterns(view: &View<'_>, manifest: &Manifest) -> Vec<String> {
    let declared = view.raw("pnpm-workspace.yaml").and_then(yaml::parse);
    let packages = declared.as_ref().and_then(|v| v.get("packages")).and_then(|p| p.as_array());
    let packages: Vec<String> = packages.into_iter().flatten().filter_map(|p| p.as_str()).map(str::to_owned).collect();
    if packages.is_empty() { manifest.workspaces.clone() } else { packages }
}

fn directories(view: &View<'_>, pattern: &str) -> Vec<String> {
    if let Some(base) = pattern.strip_suffix("/**") {
        let Some(start) = view.at(base) else { return Vec::new() };
        let files = view.walk(&start, 2, Priority::Manifest);
        let manifests = files.iter().filter(|f| f.file_name() == Some("package.json"));
        return manifests.filter_map(|f| f.parent()?.relative_to(view.root())).map(|d| d.as_str().to_owned()).collect();
    }
    let Some(base) = pattern.strip_suffix("/*") else { return clean(pattern).into_iter().collect() };
    let (Some(base), Some(start)) = (clean(base), view.at(base)) else { return Vec::new() };
    let entries = view.list(&start, Priority::Manifest).iter().filter(|e| e.kind == EntryKind::Directory);
    entries.map(|e| if base.is_empty() { e.name.to_string() } else { format!("{base}/{}", e.name) }).collect()
}
