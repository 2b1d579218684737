//! The language: the provider's, else a name in the root, else the base image.

use crate::domain::analysis::{Confidence, EvidenceField};
use crate::ports::EntryKind;

use super::dockerfile::Chosen;
use super::evidence::{Notes, Place};
use super::glob;
use super::railpack::{Plan, Provider};
use super::view::View;

/// A language with how sure it is and whether the fallback gave it.
#[derive(Debug, Default)]
pub(crate) struct Language {
    pub(crate) name: Option<&'static str>,
    pub(crate) confidence: Confidence,
    pub(crate) fallback: bool,
}

const FALLBACK: &[(&str, &[&str])] = &[
    ("java", &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"]),
    ("php", &["public/index.php", "composer.lock"]),
    ("dotnet", &["*.sln", "*.slnx", "*.fsproj", "*.vbproj", "global.json"]),
    ("python", &["setup.py", "setup.cfg", "manage.py", "uv.lock", "poetry.lock", "environment.yml", "wsgi.py", "asgi.py"]),
    ("scala", &["build.sbt"]),
    ("clojure", &["project.clj", "deps.edn"]),
    ("swift", &["Package.swift"]),
    ("dart", &["pubspec.yaml"]),
    ("crystal", &["shard.yml"]),
    ("haskell", &["stack.yaml", "*.cabal"]),
    ("erlang", &["rebar.config"]),
    ("zig", &["build.zig"]),
    ("nim", &["*.nimble"]),
    ("ocaml", &["dune-project"]),
    ("perl", &["cpanfile"]),
    ("julia", &["Project.toml"]),
    ("lua", &["*.rockspec"]),
    ("node", &["server.js", "index.js", "app.js", "index.ts"]),
    ("deno", &["deno.lock"]),
    ("go", &["*.go"]),
    ("ruby", &["config.ru", "*.gemspec"]),
    ("rust", &["Cargo.lock"]),
];

const IMAGES: &[(&str, &str)] = &[
    ("golang", "go"),
    ("node", "node"),
    ("python", "python"),
    ("ruby", "ruby"),
    ("php", "php"),
    ("rust", "rust"),
    ("maven", "java"),
    ("gradle", "java"),
    ("eclipse-temurin", "java"),
    ("openjdk", "java"),
    ("amazoncorretto", "java"),
    ("elixir", "elixir"),
    ("deno", "deno"),
    ("bun", "node"),
    ("swift", "swift"),
    ("dart", "dart"),
    ("crystal", "crystal"),
    ("haskell", "haskell"),
    ("nginx", "static"),
    ("httpd", "static"),
    ("caddy", "static"),
];

pub(crate) fn decide(view: &View<'_>, plan: &Plan, chosen: Option<&Chosen>, notes: &mut Notes) -> Language {
    let provider = plan.provider.or_else(|| plan.detected.as_ref().map(|d| d.provider));
    let weak = plan.by_name && matches!(plan.provider, Some(Provider::Staticfile | Provider::Shell));
    let unsure = provider.is_none() || weak;
    if unsure && let Some((language, place)) = by_name(view) {
        notes.fact(EvidenceField::Language, language, Some(&place), "fallback");
        match plan.provider {
            Some(provider) => {
                let message = format!("{} suggests {language}, but Railpack builds it as {}", place.file, provider.name());
                notes.say("fallback-provider", message, Some(&place));
            }
            None if chosen.is_none() => {
                let hint = if language == "java" { "commit gradlew, or add a Dockerfile" } else { "add a Dockerfile" };
                let message = format!("{} suggests {language}, but Railpack cannot build it", place.file);
                notes.advise("builder-unsupported", message, Some(&place), hint);
            }
            None => {}
        }
        return Language { name: Some(language), confidence: Confidence::Low, fallback: true };
    }
    if let Some(provider) = provider {
        let place = plan.place.clone().or_else(|| plan.detected.as_ref().and_then(|d| d.place.clone()));
        notes.fact(EvidenceField::Language, provider.language(), place.as_ref(), "railpack-provider");
        let confidence = if plan.by_name { Confidence::Medium } else { Confidence::High };
        return Language { name: Some(provider.language()), confidence, fallback: false };
    }
    let image = chosen.and_then(|c| base_image(c).map(|language| (language, Place::file(&c.path))));
    if let Some((language, place)) = image {
        notes.fact(EvidenceField::Language, language, Some(&place), "base-image");
        return Language { name: Some(language), confidence: Confidence::Low, fallback: false };
    }
    Language::default()
}

fn by_name(view: &View<'_>) -> Option<(&'static str, Place)> {
    let entries = view.root_entries();
    let matching = |pattern: &str| -> Option<Place> {
        if pattern.contains('*') {
            let entry = entries.iter().find(|e| e.kind != EntryKind::Directory && glob::matches(pattern, &e.name))?;
            return view.at(&entry.name).map(|path| Place::file(&path));
        }
        view.has(pattern).then(|| view.at(pattern)).flatten().map(|path| Place::file(&path))
    };
    let found = FALLBACK.iter().find_map(|(language, names)| Some((*language, names.iter().find_map(|n| matching(n))?)));
    found
        .or_else(|| {
            let place = matching("DESCRIPTION").filter(|_| view.has("app.R"))?;
            Some(("r", place))
        })
        .or_else(|| {
            let makefile = matching("Makefile")?;
            let sources = ["*.c", "*.cc", "*.cpp", "*.cxx", "*.pro"].iter().any(|p| matching(p).is_some());
            sources.then_some(("cpp", makefile))
        })
}

/// What the final or a build stage is based on.
fn base_image(chosen: &Chosen) -> Option<&'static str> {
    chosen.file.stages.iter().rev().find_map(|stage| {
        let image = stage.base.split(['@']).next().unwrap_or_default();
        if image.starts_with("mcr.microsoft.com/dotnet/") {
            return Some("dotnet");
        }
        let last = image.rsplit('/').next().unwrap_or(image).split(':').next().unwrap_or_default();
        IMAGES.iter().find(|(name, _)| *name == last).map(|(_, language)| *language)
    })
}
