//! The Node manifest and its package manager.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::RepoPath;

use super::super::parse::json;
use super::super::view::View;
use super::super::wants::Priority;

/// A `package.json` whose typed fields have their types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) path: Option<RepoPath>,
    pub(crate) name: String,
    pub(crate) main: String,
    pub(crate) package_manager: String,
    pub(crate) scripts: BTreeMap<String, String>,
    pub(crate) dependencies: BTreeMap<String, String>,
    pub(crate) dev_dependencies: BTreeMap<String, String>,
    pub(crate) engines: BTreeMap<String, String>,
    pub(crate) workspaces: Vec<String>,
}

impl Manifest {
    /// `None` if the text is no JSON object or a typed field has another type.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value = json::parse(text)?;
        value.is_object().then_some(())?;
        string(&value, "version")?;
        Some(Self {
            path: None,
            name: string(&value, "name")?,
            main: string(&value, "main")?,
            package_manager: string(&value, "packageManager")?,
            scripts: strings(&value, "scripts")?,
            dependencies: strings(&value, "dependencies")?,
            dev_dependencies: strings(&value, "devDependencies")?,
            engines: strings(&value, "engines")?,
            workspaces: workspaces(&value),
        })
    }

    pub(crate) fn has_dep(&self, name: &str) -> bool {
        self.dependencies.contains_key(name) || self.dev_dependencies.contains_key(name)
    }

    pub(crate) fn script(&self, name: &str) -> &str {
        self.scripts.get(name).map_or("", |s| s.trim())
    }

    /// The build script in lower case.
    pub(crate) fn build_script(&self) -> String {
        self.script("build").to_lowercase()
    }
}

fn string(value: &Value, name: &str) -> Option<String> {
    match json::member(value, name) {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => None,
    }
}

fn strings(value: &Value, name: &str) -> Option<BTreeMap<String, String>> {
    match json::member(value, name) {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, v)| match v {
                Value::Null => Some((key.clone(), String::new())),
                v => Some((key.clone(), v.as_str()?.to_owned())),
            })
            .collect(),
        Some(_) => None,
    }
}

fn workspaces(value: &Value) -> Vec<String> {
    let field = json::member(value, "workspaces");
    let list = field
        .and_then(Value::as_array)
        .or_else(|| field.and_then(|f| json::member(f, "packages")).and_then(Value::as_array));
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The root manifest. The error is its path if it is broken; no path if it is not known yet.
pub(crate) fn load(view: &View<'_>) -> Result<Manifest, Option<RepoPath>> {
    let name = if view.has("package.json") { "package.json" } else { "package.json5" };
    let Some(path) = view.at(name) else { return Err(None) };
    match view.text(&path, Priority::Manifest) {
        Some(text) => match Manifest::parse(text) {
            Some(manifest) => Ok(Manifest { path: Some(path), ..manifest }),
            None => Err(Some(path)),
        },
        None => Err(view.facts.file(&path).map(|_| path)),
    }
}

/// What installs and runs a Node app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manager {
    #[default]
    Npm,
    Pnpm,
    Bun,
    Yarn1,
    YarnBerry,
}

impl Manager {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
            Self::Yarn1 => "yarn1",
            Self::YarnBerry => "yarnberry",
        }
    }

    /// The program that runs scripts.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
            Self::Yarn1 | Self::YarnBerry => "yarn",
        }
    }
}

/// Railpack's choice of package manager.
pub(crate) fn manager(view: &View<'_>, manifest: &Manifest) -> Manager {
    if let Some(named) = named(&manifest.package_manager) {
        return named;
    }
    let yarn = |version: &str| if major(version) == "1" { Manager::Yarn1 } else { Manager::YarnBerry };
    let engine = |name: &str| manifest.engines.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    if view.has("pnpm-lock.yaml") {
        Manager::Pnpm
    } else if view.has_any(&["bun.lockb", "bun.lock"]) {
        Manager::Bun
    } else if view.has_any(&[".yarnrc.yml", ".yarnrc.yaml"]) {
        Manager::YarnBerry
    } else if view.has("yarn.lock") {
        Manager::Yarn1
    } else if engine("pnpm").is_some() {
        Manager::Pnpm
    } else if engine("bun").is_some() {
        Manager::Bun
    } else if let Some(version) = engine("yarn") {
        yarn(version)
    } else {
        Manager::Npm
    }
}

fn named(field: &str) -> Option<Manager> {
    let field = field.trim();
    let (name, version) = field.split_once('@').filter(|(_, v)| !v.contains('@'))?;
    let version = version.split('+').next().unwrap_or_default();
    match name {
        "yarn" if major(version) == "1" => Some(Manager::Yarn1),
        "yarn" => Some(Manager::YarnBerry),
        "pnpm" => Some(Manager::Pnpm),
        "npm" => Some(Manager::Npm),
        "bun" => Some(Manager::Bun),
        _ => None,
    }
}

fn major(version: &str) -> &str {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_wrong_type_breaks_the_manifest() {
        assert!(Manifest::parse(r#"{"scripts": {"a": 1}}"#).is_none());
        assert!(Manifest::parse(r#"{"scripts": null, "workspaces": [1, "a/*"]}"#).is_some_and(|m| m.workspaces == ["a/*"]));
        assert!(Manifest::parse(r#"{"Main": "x.js"}"#).is_some_and(|m| m.main == "x.js"));
        assert!(Manifest::parse("[]").is_none());
    }

    #[test]
    fn the_field_names_the_manager() {
        assert_eq!(named(" yarn@1.22.0+sha "), Some(Manager::Yarn1));
        assert_eq!(named("yarn@4"), Some(Manager::YarnBerry));
        assert_eq!(named("pnpm"), None);
        assert_eq!(named("cargo@1"), None);
    }
}
