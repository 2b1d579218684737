//! Other directories that could be deployed.

use crate::domain::RepoPath;
use crate::domain::analysis::Candidate;
use crate::ports::EntryKind;

use super::glob;
use super::railpack::{Provider, node::Manifest};
use super::view::View;
use super::wants::Priority;

/// Manifests, in Railpack's order, with their provider.
const MANIFESTS: &[(&str, Provider)] = &[
    ("composer.json", Provider::Php),
    ("index.php", Provider::Php),
    ("go.mod", Provider::Golang),
    ("main.go", Provider::Golang),
    ("pom.xml", Provider::Java),
    ("gradlew", Provider::Java),
    ("Cargo.toml", Provider::Rust),
    ("Gemfile", Provider::Ruby),
    ("mix.exs", Provider::Elixir),
    ("requirements.txt", Provider::Python),
    ("pyproject.toml", Provider::Python),
    ("Pipfile", Provider::Python),
    ("main.py", Provider::Python),
    ("app.py", Provider::Python),
    ("deno.json", Provider::Deno),
    ("deno.jsonc", Provider::Deno),
    ("package.json", Provider::Node),
    ("gleam.toml", Provider::Gleam),
    ("CMakeLists.txt", Provider::Cpp),
    ("meson.build", Provider::Cpp),
];

const NAMES: &[&str] = &["api", "server", "backend", "web", "app", "frontend", "service"];
const MAX_DIRS: usize = 200;

struct Found {
    candidate: Candidate,
    dockerfile: bool,
    server: bool,
    aside: bool,
    library: bool,
}

/// Searches below the app root, breadth first, at most three levels deep.
pub(crate) fn search(view: &View<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut level = vec![view.root().clone()];
    let mut seen = 0;
    for _ in 0..3 {
        let mut next = Vec::new();
        for dir in &level {
            for entry in view.list(dir, Priority::Source).iter().filter(|e| e.kind == EntryKind::Directory) {
                let Ok(path) = dir.join(&entry.name) else { continue };
                if seen >= MAX_DIRS || glob::is_ignored(&path, view.root()) || entry.name.starts_with('.') {
                    continue;
                }
                seen += 1;
                found.extend(look(view, &path));
                next.push(path);
            }
        }
        level = next;
    }
    if found.iter().any(|f| !f.aside) {
        found.retain(|f| !f.aside);
    }
    if found.iter().any(|f| !f.library) {
        found.retain(|f| !f.library);
    }
    found.sort_by_key(|f| {
        let name = f.candidate.root_path.file_name().unwrap_or_default();
        let named = NAMES.iter().position(|n| *n == name).unwrap_or(NAMES.len());
        (!f.dockerfile, !f.server, named, f.candidate.root_path.components().count(), f.candidate.root_path.clone())
    });
    found.into_iter().map(|f| f.candidate).take(view.config.max_candidates).collect()
}

fn look(view: &View<'_>, dir: &RepoPath) -> Option<Found> {
    let names: Vec<&str> = view.list(dir, Priority::Source).iter().map(|e| &*e.name).collect();
    let has = |name: &str| names.contains(&name);
    let project = names.iter().find(|n| n.ends_with(".csproj")).map(|n| (*n, Provider::Dotnet));
    let manifest = MANIFESTS.iter().copied().find(|(name, _)| has(name)).or(project);
    let dockerfile = has("Dockerfile");
    let (name, provider) = match manifest {
        Some((name, provider)) => (name, Some(provider)),
        None if dockerfile => ("Dockerfile", None),
        None => return None,
    };
    let path = dir.join(name).ok()?;
    let mut framework = None;
    let mut library = false;
    if provider == Some(Provider::Node) {
        let manifest = view.text(&path, Priority::Source).and_then(Manifest::parse);
        if let Some(manifest) = manifest {
            let servers = ["next", "nuxt", "nestjs", "express", "fastify", "koa", "hono", "astro", "remix"];
            let dep = |name: &&&str| manifest.has_dep(if **name == "nestjs" { "@nestjs/core" } else { name });
            framework = servers.iter().find(dep).map(|s| (*s).to_owned());
            library = framework.is_none() && manifest.script("start").is_empty() && !dockerfile;
        }
    }
    let candidate = Candidate {
        root_path: dir.clone(),
        provider: provider.map(|p| p.name().to_owned()),
        language: provider.map(|p| p.language().to_owned()),
        framework: framework.clone(),
        manifest: path,
    };
    Some(Found { candidate, dockerfile, server: framework.is_some(), aside: glob::is_aside(dir, view.root()), library })
}
