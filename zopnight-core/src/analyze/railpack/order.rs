//! Which provider: the first rule that matches, in the app root only.

use crate::domain::RepoPath;

use super::super::evidence::Place;
use super::super::glob;
use super::super::parse::yaml;
use super::super::view::View;
use super::node::{self, Manifest};

/// Railpack's providers, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Php,
    Golang,
    Java,
    Rust,
    Ruby,
    Elixir,
    Python,
    Deno,
    Dotnet,
    Node,
    Gleam,
    Cpp,
    Staticfile,
    Shell,
}

impl Provider {
    pub(crate) const ALL: [Self; 14] = [
        Self::Php,
        Self::Golang,
        Self::Java,
        Self::Rust,
        Self::Ruby,
        Self::Elixir,
        Self::Python,
        Self::Deno,
        Self::Dotnet,
        Self::Node,
        Self::Gleam,
        Self::Cpp,
        Self::Staticfile,
        Self::Shell,
    ];

    /// Railpack's spelling.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Php => "php",
            Self::Golang => "golang",
            Self::Java => "java",
            Self::Rust => "rust",
            Self::Ruby => "ruby",
            Self::Elixir => "Elixir",
            Self::Python => "python",
            Self::Deno => "deno",
            Self::Dotnet => "Dotnet",
            Self::Node => "node",
            Self::Gleam => "gleam",
            Self::Cpp => "cpp",
            Self::Staticfile => "staticfile",
            Self::Shell => "shell",
        }
    }

    /// Our name of the ecosystem.
    pub(crate) const fn language(self) -> &'static str {
        match self {
            Self::Golang => "go",
            Self::Elixir => "elixir",
            Self::Dotnet => "dotnet",
            Self::Staticfile => "static",
            other => other.name(),
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(name))
    }
}

/// A matched rule.
#[derive(Clone, Debug)]
pub(crate) struct Detected {
    pub(crate) provider: Provider,
    /// The entry that matched; `None` for a variable.
    pub(crate) place: Option<Place>,
    /// Whether only a name matched, so that it says little.
    pub(crate) by_name: bool,
}

/// What detection found.
#[derive(Debug, Default)]
pub(crate) struct Detection {
    /// The first rule that matched.
    pub(crate) first: Option<Detected>,
    /// The first rule that matched and whose provider can begin.
    pub(crate) usable: Option<Detected>,
    /// The Node manifest, if that provider was reached.
    pub(crate) manifest: Option<Manifest>,
    /// The manifest that node could not read.
    pub(crate) broken_manifest: Option<RepoPath>,
}

pub(crate) fn detect(view: &View<'_>) -> Detection {
    let mut found = Detection::default();
    for provider in Provider::ALL {
        let Some(detected) = matches(view, provider) else { continue };
        found.first.get_or_insert_with(|| detected.clone());
        if provider == Provider::Node {
            match node::load(view) {
                Ok(manifest) => found.manifest = Some(manifest),
                Err(path) => {
                    found.broken_manifest = path;
                    continue;
                }
            }
        }
        found.usable = Some(detected);
        return found;
    }
    found
}

/// The manifest-like entry that makes `provider` match.
pub(crate) fn matches(view: &View<'_>, provider: Provider) -> Option<Detected> {
    let named = |names: &[&str], weak: &[&str]| {
        let name = names.iter().find(|name| view.has(name))?;
        let place = view.at(name).map(|path| Place::file(&path));
        Some(Detected { provider, place, by_name: weak.contains(name) })
    };
    match provider {
        Provider::Php => named(&["index.php", "composer.json"], &["index.php"]),
        Provider::Golang => named(&["go.mod", "go.work", "main.go"], &["main.go"]),
        Provider::Java => named(
            &["pom.xml", "pom.atom", "pom.clj", "pom.groovy", "pom.rb", "pom.scala", "pom.yaml", "pom.yml", "gradlew"],
            &[],
        ),
        Provider::Rust => named(&["Cargo.toml"], &[]),
        Provider::Ruby => named(&["Gemfile"], &[]),
        Provider::Elixir => named(&["mix.exs"], &[]),
        Provider::Python => {
            let mut names = python_mains().to_vec();
            names.extend(["requirements.txt", "pyproject.toml", "Pipfile"]);
            let strong = ["requirements.txt", "pyproject.toml", "Pipfile"].iter().any(|name| view.has(name));
            let weak: &[&str] = if strong { &[] } else { python_mains() };
            named(&names, weak)
        }
        Provider::Deno => named(&["deno.json", "deno.jsonc"], &[]),
        Provider::Dotnet => {
            let project = view.root_entries().iter().find(|e| glob::matches("*.csproj", &e.name))?;
            named(&[&project.name], &[])
        }
        Provider::Node => named(&["package.json", "package.json5"], &[]),
        Provider::Gleam => named(&["gleam.toml"], &[]),
        Provider::Cpp => named(&["CMakeLists.txt", "meson.build"], &[]),
        Provider::Staticfile => staticfile(view).or_else(|| named(&["public", "index.html"], &["public", "index.html"])),
        Provider::Shell => {
            let script = view.env("SHELL_SCRIPT").unwrap_or("start.sh");
            named(&[script], &[script])
        }
    }
}

/// The files Railpack takes for a Python program's main file, best first.
pub(crate) const fn python_mains() -> &'static [&'static str] {
    &["main.py", "app.py", "start.py", "bot.py", "hello.py", "server.py"]
}

fn staticfile(view: &View<'_>) -> Option<Detected> {
    let provider = Provider::Staticfile;
    if view.env("STATIC_FILE_ROOT").is_some() {
        return Some(Detected { provider, place: None, by_name: false });
    }
    let value = yaml::parse(view.raw("Staticfile")?)?;
    let root = value.get("root")?;
    let blank = root.is_null() || root.as_str().is_some_and(|r| r.trim().is_empty()) || root.is_array() || root.is_object();
    let place = view.at("Staticfile").map(|path| Place::file(&path));
    (!blank).then_some(Detected { provider, place, by_name: false })
}
