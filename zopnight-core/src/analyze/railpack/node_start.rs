//! How Railpack starts a Node app that is no single-page app.

use super::super::view::View;
use super::node::{Manager, Manifest};
use super::node_spa::NodeApp;
use super::workspace;

pub(crate) fn start(view: &View<'_>, manifest: &Manifest, app: &NodeApp) -> Option<String> {
    let runner = if app.manager == Manager::Bun { "bun" } else { "node" };
    if !manifest.script("start").is_empty() {
        return Some(format!("{} run start", app.manager.program()));
    }
    if !manifest.main.is_empty() {
        return Some(format!("{runner} {}", manifest.main));
    }
    for index in ["index.js", "index.ts"] {
        if view.has(index) {
            return Some(format!("{runner} {index}"));
        }
    }
    match app.runtime {
        "nuxt" => return Some("node .output/server/index.mjs".to_owned()),
        "tanstack-start" => {
            let run = match app.manager {
                Manager::Pnpm => "pnpm exec ",
                Manager::Bun => "bunx ",
                _ => "npx ",
            };
            return Some(format!("{run}srvx --prod -s ../client dist/server/server.js"));
        }
        _ => {}
    }
    let sveltekit = manifest.has_dep("svelte") && manifest.has_dep("@sveltejs/kit");
    if sveltekit && manifest.has_dep("@sveltejs/adapter-auto") {
        return Some("node build".to_owned());
    }
    nx(view, manifest)
}

/// The one Next app of an Nx workspace.
fn nx(view: &View<'_>, manifest: &Manifest) -> Option<String> {
    if !view.has("nx.json") {
        return None;
    }
    let members = workspace::members(view, manifest);
    if !manifest.has_dep("nx") && !members.iter().any(|(_, m)| m.has_dep("nx")) {
        return None;
    }
    let config = |dir: &str| {
        ["next.config.js", "next.config.mjs", "next.config.ts"]
            .iter()
            .any(|name| if dir.is_empty() { view.has(name) } else { view.has(&format!("{dir}/{name}")) })
    };
    let root = [(String::new(), manifest.clone())];
    let is_next = |(dir, m): &&(String, Manifest)| {
        config(dir) || (m.has_dep("next") && (m.build_script().contains("next build") || !dir.is_empty()))
    };
    let apps: Vec<&(String, Manifest)> = root.iter().chain(&members).filter(is_next).collect();
    let named = |wanted: &str| {
        apps.iter().find(|(dir, m)| {
            m.name == wanted
                || dir == wanted
                || dir.rsplit('/').next() == Some(wanted)
                || m.name.rsplit('/').next() == Some(wanted)
        })
    };
    let chosen = match view.env("NX_APP") {
        Some(wanted) => named(wanted)?,
        None if apps.len() == 1 => apps.first()?,
        None => return None,
    };
    Some(if chosen.0.is_empty() { "next start".to_owned() } else { format!("cd {} && next start", chosen.0) })
}
