//! Charts: the embedded service chart, or one from a directory.

mod kube_version;
pub(crate) mod load;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;
use zopnight_core::{Error, ErrorKind, Result};

use crate::render::engine::{SetError, TemplateSet};
use crate::render::yaml_in;

const OPERATION: &str = "k8s.chart";

/// Where a chart comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChartSource {
    /// The service chart that this crate brings along.
    #[default]
    Embedded,
    /// A chart folder: regular files only, at most 200 files, 1 MiB each, 4 MiB together.
    Directory(PathBuf),
}

/// A chart, checked and parsed. Load it once and share it.
///
/// ```
/// use zopnight_k8s::{Chart, ChartSource};
/// let chart = Chart::load(&ChartSource::Embedded).unwrap();
/// assert_eq!(chart.name(), "zopnight-service");
/// ```
#[derive(Debug)]
pub struct Chart {
    metadata: Metadata,
    values: Json,
    schema: Option<Vec<u8>>,
    templates: Vec<Template>,
    set: TemplateSet,
    warnings: Vec<String>,
}

/// A file under `templates/`.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// `templates/deployment.yaml`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) source: String,
}

/// What a chart says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) app_version: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) kube_version: String,
    #[serde(default)]
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    dependencies: Vec<Json>,
}

impl Chart {
    /// Loads and checks a chart: names, bounds, and that its templates use nothing the renderer lacks. Reads files; call it
    /// where blocking is allowed.
    ///
    /// # Errors
    /// `Invalid` for a malformed chart or a bound that is exceeded, `Unsupported` for what only the `helm` binary can do
    /// (naming template, line and function), `NotFound` if the directory is not there.
    pub fn load(source: &ChartSource) -> Result<Arc<Self>> {
        let files = match source {
            ChartSource::Embedded => load::embedded(),
            ChartSource::Directory(path) => load::directory(path)?,
        };
        Self::from_files(&files).map(Arc::new)
    }

    /// The chart's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The chart's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.metadata.version
    }

    /// What a person should know of this chart.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Refuses a server whose version the chart does not take.
    pub(crate) fn check_kube_version(&self, version: &str) -> Result<()> {
        let constraint = self.metadata.kube_version.as_str();
        if constraint.is_empty() {
            return Ok(());
        }
        match kube_version::satisfies(version, constraint) {
            Some(true) => Ok(()),
            Some(false) => Err(invalid(format!("the chart needs Kubernetes {constraint}, the server has {version}"))),
            None => Err(invalid(format!("Chart.yaml: kubeVersion {constraint:?} cannot be read"))),
        }
    }

    pub(crate) const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) const fn values(&self) -> &Json {
        &self.values
    }

    pub(crate) fn schema(&self) -> Option<&[u8]> {
        self.schema.as_deref()
    }

    pub(crate) fn templates(&self) -> &[Template] {
        &self.templates
    }

    pub(crate) const fn set(&self) -> &TemplateSet {
        &self.set
    }

    /// The name of a template inside the set: `<chart>/templates/<file>`.
    pub(crate) fn full_name(&self, path: &str) -> String {
        [&self.metadata.name, "/", path].concat()
    }

    fn from_files(files: &load::Files) -> Result<Self> {
        let metadata = metadata(files)?;
        let values = match files.text("values.yaml")? {
            None => Json::Object(serde_json::Map::new()),
            Some(text) => match yaml_in::parse(text).map_err(|e| invalid(format!("values.yaml: {e}")))? {
                Json::Null => Json::Object(serde_json::Map::new()),
                map @ Json::Object(_) => map,
                _ => return Err(invalid("values.yaml: must be a map")),
            },
        };
        let mut templates = Vec::new();
        for path in files.paths().filter(|p| p.starts_with("templates/")) {
            let source = files.text(path)?.unwrap_or_default().to_owned();
            templates.push(Template { path: path.to_owned(), source });
        }
        // Deepest first, then from the last name to the first: of two definitions the one nearest the root and first by
        // name stays, as in Helm.
        templates.sort_by(|a, b| {
            let depth = |t: &Template| t.path.matches('/').count();
            depth(b).cmp(&depth(a)).then_with(|| b.path.cmp(&a.path))
        });
        let names: Vec<String> = templates.iter().map(|t| [&metadata.name, "/", &t.path].concat()).collect();
        let parsed = templates.iter().zip(&names).map(|(t, name)| (t.path.as_str(), name.as_str(), t.source.as_str()));
        let set = TemplateSet::parse(parsed).map_err(set_error)?;
        templates.sort_by(|a, b| a.path.cmp(&b.path));
        let schema = files.bytes("values.schema.json").map(<[u8]>::to_vec);
        let mut warnings = Vec::new();
        if schema.is_some() && !files.is_embedded() {
            warnings.push(format!("values.schema.json of chart {} is not evaluated", metadata.name));
        }
        Ok(Self { metadata, values, schema, templates, set, warnings })
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(OPERATION, message)
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, message).with("code", "unsupported_chart")
}

fn set_error(error: SetError) -> Error {
    match error {
        SetError::Parse(message) => invalid(message),
        SetError::Unsupported(mut found) => {
            found.sort_unstable();
            found.dedup();
            unsupported(found.iter().map(|u| u.message()).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn metadata(files: &load::Files) -> Result<Metadata> {
    let text = files.text("Chart.yaml")?.ok_or_else(|| invalid("Chart.yaml is missing"))?;
    let parsed = yaml_in::parse(text).map_err(|e| invalid(format!("Chart.yaml: {e}")))?;
    let metadata: Metadata = serde_json::from_value(parsed).map_err(|e| invalid(format!("Chart.yaml: {e}")))?;
    let name = &metadata.name;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let well_formed = name.bytes().next().is_some_and(plain) && name.bytes().all(|b| plain(b) || b == b'-' || b == b'.');
    if !well_formed || name.len() > 250 {
        return Err(invalid("Chart.yaml: name must be of a-z 0-9 - . and begin with a letter or digit"));
    }
    if !matches!(metadata.api_version.as_str(), "v1" | "v2") {
        return Err(invalid("Chart.yaml: apiVersion must be v1 or v2"));
    }
    let refused = |what: &str| {
        Err(unsupported(format!("{what} is not supported by the built-in renderer; use the HelmCli applier for this chart")))
    };
    if metadata.kind == "library" {
        return refused("a chart of type library");
    }
    if !metadata.dependencies.is_empty() {
        return refused("a chart with dependencies");
    }
    if files.paths().any(|p| p.starts_with("charts/")) {
        return refused("a chart with a charts/ folder");
    }
    if files.paths().any(|p| p.starts_with("crds/")) {
        return refused("a chart with a crds/ folder");
    }
    if files.paths().any(|p| p == "requirements.yaml") {
        return refused("a chart with requirements.yaml");
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(files: &[(&str, &str)]) -> Result<Chart> {
        Chart::from_files(&load::Files::of(files))
    }

    const META: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");

    #[test]
    fn refuses_what_it_cannot_do_naming_it() {
        for (file, what) in [
            (("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: x}]"), "dependencies"),
            (("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\ntype: library"), "library"),
            (("charts/x/Chart.yaml", ""), "charts/"),
            (("crds/x.yaml", ""), "crds/"),
            (
                ("templates/x.yaml", "a\n{{ if false }}{{ regexMatch \"a\" \"b\" }}{{ end }}"),
                "templates/x.yaml:2: function \"regexMatch\"",
            ),
        ] {
            let mut files = vec![META];
            files.retain(|(name, _)| *name != file.0);
            files.push(file);
            let error = chart(&files).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{what}");
            assert!(error.message().contains(what) && error.message().contains("HelmCli"), "{error}");
        }
        for meta in [
            "name: c",
            "apiVersion: v2\nname: ..\nversion: 1",
            "apiVersion: v2\nname: A\nversion: 1",
            "- a",
            "a: [",
            "apiVersion: v3\nname: c\nversion: 1",
        ] {
            assert_eq!(chart(&[("Chart.yaml", meta)]).unwrap_err().kind(), ErrorKind::Invalid, "{meta}");
        }
        assert_eq!(chart(&[META, ("values.yaml", "- a")]).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(chart(&[META, ("templates/a.yaml", "{{ if }}")]).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn of_two_definitions_the_first_by_name_nearest_the_root_stays() {
        let chart = chart(&[
            META,
            ("templates/_a.tpl", r#"{{ define "x" }}a{{ end }}"#),
            ("templates/_b.tpl", r#"{{ define "x" }}b{{ end }}"#),
            ("templates/sub/_0.tpl", r#"{{ define "x" }}sub{{ end }}"#),
            ("templates/out.yaml", r#"{{ include "x" . }}"#),
        ])
        .unwrap();
        let session = chart.set().session(Arc::default());
        assert_eq!(session.file("c/templates/out.yaml", &gotmpl::Value::Nil).unwrap(), "a");
    }
}
