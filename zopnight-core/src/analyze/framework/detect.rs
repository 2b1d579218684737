//! Which framework: the first row whose signal is a direct dependency or an import of the app itself.

use std::collections::BTreeMap;

use crate::domain::RepoPath;

use super::super::evidence::Place;
use super::super::glob;
use super::super::parse::{gomod, json, toml as reader};
use super::super::railpack::{Plan, node::Manifest, python};
use super::super::source::Sources;
use super::super::view::{View, line_with};
use super::super::wants::Priority;
use super::table::{self, Row};

/// A detected framework.
#[derive(Clone, Debug)]
pub(crate) struct Framework {
    pub(crate) id: &'static str,
    pub(crate) port: Option<u16>,
    pub(crate) env: Option<&'static str>,
    pub(crate) server: bool,
    pub(crate) place: Option<Place>,
}

impl Framework {
    fn of(row: &'static Row, place: Option<Place>) -> Self {
        Self { id: row.id, port: row.port, env: row.env, server: row.server, place }
    }
}

/// Names of direct dependencies with the file that has them.
type Names = BTreeMap<String, RepoPath>;

pub(crate) fn detect(view: &View<'_>, language: &str, plan: &Plan, sources: &Sources) -> Option<Framework> {
    match language {
        "go" => return go(view, sources),
        "dotnet" => return dotnet(view),
        "deno" => return imported(language, sources, |signal| signal.to_owned()),
        "java" => return jvm(view),
        _ => {}
    }
    let names = dependencies(view, language, plan.manifest.as_ref());
    for row in table::rows(language) {
        if row.id == "django" && !view.has("manage.py") || row.id == "laravel" && !view.has("artisan") {
            continue;
        }
        if let Some((signal, file)) = row.signals.iter().find_map(|s| names.get(*s).map(|file| (*s, file))) {
            if row.id == "react-router" && plan.node.as_ref().is_some_and(|n| n.bundler.is_none() && n.runtime == "remix") {
                continue;
            }
            let text = view.text(file, Priority::Manifest).unwrap_or_default();
            return Some(Framework::of(row, Some(Place::line(file, line_with(text, signal)))));
        }
    }
    match language {
        "python" => imported(language, sources, |signal| format!("import {}", signal.trim_start_matches("python-")))
            .or_else(|| {
                imported(language, sources, |signal| format!("from {} import", signal.trim_start_matches("python-")))
            }),
        _ => None,
    }
}

fn imported(language: &str, sources: &Sources, needle: impl Fn(&str) -> String) -> Option<Framework> {
    table::rows(language).iter().find_map(|row| {
        row.signals.iter().find_map(|signal| {
            let (file, line) = sources.find(&needle(signal))?;
            Some(Framework::of(row, Some(Place::line(file, line))))
        })
    })
}

fn go(view: &View<'_>, sources: &Sources) -> Option<Framework> {
    let by_import = imported("go", sources, |signal| format!("\"{signal}"));
    if by_import.is_some() {
        return by_import;
    }
    let module = view.read("go.mod", Priority::Manifest)?;
    let required = gomod::requirements(module.text);
    table::rows("go").iter().find_map(|row| {
        let fits = |m: &str, s: &str| m == s || m.strip_prefix(s).is_some_and(|rest| rest.starts_with('/'));
        let found = required.iter().find(|r| !r.indirect && row.signals.iter().any(|s| fits(&r.module, s)))?;
        Some(Framework::of(row, Some(Place::line(&module.path, found.line))))
    })
}

fn dotnet(view: &View<'_>) -> Option<Framework> {
    static ASPNET: Row =
        Row { id: "aspnetcore", signals: &[], port: None, env: Some("ASPNETCORE_HTTP_PORTS"), server: true };
    let project = view.root_entries().iter().find(|e| glob::matches("*.csproj", &e.name))?;
    let found = view.read(&project.name, Priority::Manifest)?;
    let web = "Microsoft.NET.Sdk.Web";
    let place = Place::line(&found.path, line_with(found.text, web));
    found.text.contains(web).then(|| Framework::of(&ASPNET, Some(place)))
}

fn jvm(view: &View<'_>) -> Option<Framework> {
    let files = ["pom.xml", "build.gradle", "build.gradle.kts", "build.sbt"];
    let texts: Vec<_> = files.iter().filter_map(|name| view.read(name, Priority::Manifest)).collect();
    table::rows("java").iter().find_map(|row| {
        row.signals.iter().find_map(|signal| {
            let found = texts.iter().find(|f| without_comments(f.text).contains(signal))?;
            Some(Framework::of(row, Some(Place::line(&found.path, line_with(found.text, signal)))))
        })
    })
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn dependencies(view: &View<'_>, language: &str, manifest: Option<&Manifest>) -> Names {
    let mut names = Names::new();
    match language {
        "node" => {
            let Some((manifest, path)) = manifest.and_then(|m| Some((m, m.path.clone()?))) else { return names };
            let keys = manifest.dependencies.keys().chain(manifest.dev_dependencies.keys());
            names.extend(keys.map(|key| (key.clone(), path.clone())));
        }
        "python" => {
            let files = ["requirements.txt", "pyproject.toml", "Pipfile"];
            for name in python::dependencies(view) {
                let holder = files
                    .iter()
                    .find(|f| view.read(f, Priority::Manifest).is_some_and(|t| t.text.to_lowercase().contains(&name)));
                if let Some(path) = holder.and_then(|f| view.at(f)) {
                    names.insert(name, path);
                }
            }
        }
        "rust" | "gleam" => toml_keys(view, if language == "rust" { "Cargo.toml" } else { "gleam.toml" }, &mut names),
        "ruby" => lines(view, "Gemfile", &mut names, |line| {
            let rest = line.strip_prefix("gem")?.trim_start().trim_start_matches('(');
            Some(rest.trim_start_matches(['"', '\'']).split(['"', '\'']).next()?.to_owned())
        }),
        "elixir" => lines(view, "mix.exs", &mut names, |line| {
            let rest = line.strip_prefix("{:")?;
            Some(rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?.to_owned())
        }),
        "crystal" | "dart" => {
            let file = if language == "dart" { "pubspec.yaml" } else { "shard.yml" };
            lines(view, file, &mut names, |line| line.split_once(':').map(|(key, _)| key.to_owned()));
        }
        "php" => {
            let found = view.read("composer.json", Priority::Manifest);
            let value = found.as_ref().and_then(|f| json::parse(f.text));
            if let (Some(found), Some(map)) =
                (found, value.as_ref().and_then(|v| v.get("require")).and_then(|r| r.as_object()))
            {
                names.extend(map.keys().map(|key| (key.clone(), found.path.clone())));
            }
        }
        _ => {}
    }
    names
}

fn toml_keys(view: &View<'_>, file: &str, names: &mut Names) {
    let Some(found) = view.read(file, Priority::Manifest) else { return };
    let Some(table) = reader::parse(found.text) else { return };
    if let Some(map) = table.get("dependencies").and_then(toml::Value::as_table) {
        names.extend(map.keys().map(|key| (key.clone(), found.path.clone())));
    }
}

fn lines(view: &View<'_>, file: &str, names: &mut Names, name: impl Fn(&str) -> Option<String>) {
    let Some(found) = view.read(file, Priority::Manifest) else { return };
    let code = found.text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    names.extend(code.filter_map(name).map(|name| (name, found.path.clone())));
}
