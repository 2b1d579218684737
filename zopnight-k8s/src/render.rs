//! Renders a chart to objects and the exact manifest text that the release record keeps.
//!
//! Known differences from Helm: a null in a chart's own defaults is kept, as by Helm 3 and 4.1; Helm 4.3 drops it.

mod context;
pub(crate) mod engine;
mod funcs;
mod numbers;
mod scan;
pub(crate) mod split;
pub(crate) mod yaml_in;
pub(crate) mod yaml_out;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value as Json, json};
use zopnight_core::domain::hex;
use zopnight_core::ports::ReleaseRequest;
use zopnight_core::{Error, ErrorKind, Result};

use crate::chart::Chart;
use crate::object::{self, Object};
use crate::values::{self, ServiceValues};

const OPERATION: &str = "k8s.render";
const EMBEDDED: &str = "zopnight-service";

/// What a rendering depends on besides chart and request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RenderOptions {
    /// The number of the release record that is being made, from 1.
    pub helm_revision: u32,
    /// The operator's values, below those of the request. `{release}` and `{namespace}` in `ingress.host` are filled in.
    pub base_values: Json,
    /// The server's version, such as `1.33.0`.
    pub kube_version: String,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self { helm_revision: 1, base_values: json!({}), kube_version: "1.33.0".into() }
    }
}

impl RenderOptions {
    /// For this release record.
    #[must_use]
    pub const fn with_helm_revision(mut self, number: u32) -> Self {
        self.helm_revision = number;
        self
    }

    /// With these operator's values.
    #[must_use]
    pub fn with_base_values(mut self, values: Json) -> Self {
        self.base_values = values;
        self
    }

    /// For a server of this version.
    #[must_use]
    pub fn with_kube_version(mut self, version: impl Into<String>) -> Self {
        self.kube_version = version.into();
        self
    }
}

/// A rendered chart.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// One document an object: `---`, `# Source: <chart>/templates/<file>`, the text; in the order of installation.
    pub manifest: String,
    /// The objects of the manifest, in its order.
    pub objects: Vec<Object>,
    /// The chart's notes.
    pub notes: String,
    /// The values that were laid over the chart's own.
    pub config: Json,
    /// The Ingress host that those values allow.
    pub(crate) ingress_host: Option<String>,
}

/// Renders `chart` for `request`. It takes about a millisecond, and some stack: call it on a thread of its own pool.
///
/// # Errors
/// `Invalid` with the chart's own message or the template that fails; `Unsupported` for a chart with hooks.
pub fn render(chart: &Chart, request: &ReleaseRequest, options: &RenderOptions) -> Result<Rendered> {
    render_until(chart, request, options, Arc::default())
}

/// The same; ends soon after `cancelled` is set.
pub(crate) fn render_until(
    chart: &Chart,
    request: &ReleaseRequest,
    options: &RenderOptions,
    cancelled: Arc<AtomicBool>,
) -> Result<Rendered> {
    chart.check_kube_version(&options.kube_version)?;
    let target = &request.target;
    let operator = values::operator_values(&options.base_values, target.release.as_str(), target.namespace.as_str());
    let below = values::lay_over(chart.values(), &operator, true);
    let config = values::lay_over(&operator, &ServiceValues::of(request, &below).to_json(), false);
    let mut rendered = render_values(chart, request, &config, options, cancelled)?;
    rendered.config = config;
    Ok(rendered)
}

struct Piece {
    source: String,
    text: String,
    object: Object,
}

fn render_values(
    chart: &Chart,
    request: &ReleaseRequest,
    config: &Json,
    options: &RenderOptions,
    cancelled: Arc<AtomicBool>,
) -> Result<Rendered> {
    let values = values::lay_over(chart.values(), config, true);
    let session = chart.set().session(cancelled);
    let mut pieces = Vec::new();
    let mut notes = String::new();
    for template in chart.templates() {
        let file = template.path.rsplit('/').next().unwrap_or_default();
        if file.starts_with('_') {
            continue;
        }
        let name = chart.full_name(&template.path);
        let data = context::from_json(&root(chart, request, &values, options, &name));
        let text = session.file(&name, &data).map_err(|e| invalid(format!("{}: {e}", template.path)))?;
        if file == "NOTES.txt" {
            notes = text;
            continue;
        }
        for document in split::documents(&text) {
            pieces.push(piece(&name, document)?);
        }
    }
    if chart.name() != EMBEDDED {
        let checksum = hex::encode(&hex::sha256(context::to_json_text(config).as_bytes()));
        pieces.iter_mut().try_for_each(|piece| mark_pods(piece, request, &checksum))?;
    }
    let ingress_host = values.pointer("/ingress/host").and_then(Json::as_str).map(str::to_owned);
    let (manifest, objects) = assemble(pieces)?;
    Ok(Rendered { manifest, objects, notes, config: Json::Null, ingress_host })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(OPERATION, message)
}

fn piece(source: &str, text: String) -> Result<Piece> {
    let object = yaml_in::parse(&text).and_then(Object::from_json).map_err(|e| invalid(format!("{source}: {e}")))?;
    if object.json().pointer("/metadata/annotations/helm.sh~1hook").is_some() {
        let message = format!(
            "{source}: {} is a hook, which the built-in renderer does not support; use the HelmCli applier for this chart",
            object.label()
        );
        return Err(Error::new(ErrorKind::Unsupported, OPERATION, message).with("code", "unsupported_chart"));
    }
    Ok(Piece { source: source.to_owned(), text, object })
}

/// Writes the revision into the pods of a chart that knows nothing of it, so that they roll and can be told apart.
fn mark_pods(piece: &mut Piece, request: &ReleaseRequest, checksum: &str) -> Result<()> {
    if !matches!(piece.object.kind(), "Deployment" | "StatefulSet") {
        return Ok(());
    }
    let mut json = piece.object.json().clone();
    let Some(template) = json.pointer_mut("/spec/template").and_then(Json::as_object_mut) else { return Ok(()) };
    let metadata = template.entry("metadata").or_insert_with(|| json!({}));
    if metadata.get("annotations").is_none_or(Json::is_null)
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.insert("annotations".into(), json!({}));
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
        annotations.insert("zopnight.dev/revision".into(), Json::from(request.revision.to_string()));
        annotations.insert("checksum/values".into(), Json::from(checksum));
    }
    piece.text = yaml_out::to_yaml(&json);
    piece.object = Object::from_json(json).map_err(|e| invalid(format!("{}: {e}", piece.source)))?;
    Ok(())
}

/// The manifest, and the objects that reading it again gives.
fn assemble(pieces: Vec<Piece>) -> Result<(String, Vec<Object>)> {
    let mut objects: Vec<Object> = pieces.iter().map(|p| p.object.clone()).collect();
    object::sort_for_install(&mut objects);
    let mut manifest = String::new();
    let mut texts = Vec::new();
    let mut pieces: Vec<Option<Piece>> = pieces.into_iter().map(Some).collect();
    for object in &objects {
        let next = pieces.iter_mut().find(|p| p.as_ref().is_some_and(|p| p.object == *object)).and_then(Option::take);
        let Some(Piece { source, text, .. }) = next else { continue };
        let document = format!("# Source: {source}\n{text}");
        manifest.push_str("---\n");
        manifest.push_str(&document);
        manifest.push('\n');
        texts.push(document);
    }
    // What is applied is what the record says: the text, taken apart again, must be the text that was read.
    if !split::documents(&manifest).eq(texts.iter().map(|t| t.trim_end().to_owned())) {
        return Err(Error::internal(OPERATION, "the manifest does not fall into its documents again"));
    }
    Ok((manifest, objects))
}

/// The root object of a template.
fn root(chart: &Chart, request: &ReleaseRequest, values: &Json, options: &RenderOptions, template: &str) -> Json {
    let metadata = chart.metadata();
    let version = options.kube_version.trim_start_matches('v');
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("33"));
    let git_version = format!("v{version}");
    json!({
        "Values": values,
        "Release": {
            "Name": request.target.release.as_str(),
            "Namespace": request.target.namespace.as_str(),
            "Service": "Helm",
            "Revision": options.helm_revision,
            "IsInstall": options.helm_revision == 1,
            "IsUpgrade": options.helm_revision != 1,
        },
        "Chart": {
            "Name": metadata.name,
            "Version": metadata.version,
            "AppVersion": metadata.app_version,
            "APIVersion": metadata.api_version,
            "Description": metadata.description,
            "Type": metadata.kind,
            "KubeVersion": metadata.kube_version,
            "Annotations": metadata.annotations,
        },
        "Capabilities": {
            "KubeVersion": { "Version": git_version, "GitVersion": git_version, "Major": major, "Minor": minor },
            "HelmVersion": { "Version": "v4.1.4" },
        },
        "Template": { "Name": template, "BasePath": format!("{}/templates", metadata.name) },
        "Subcharts": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::ChartSource;
    use crate::testkit::request;

    /// A chart folder with these templates.
    fn folder(meta: &str, templates: &[(&str, &str)]) -> (tempfile::TempDir, Arc<Chart>) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("templates")).unwrap();
        let head = "apiVersion: v2\nname: other\nversion: 1.0.0\n";
        std::fs::write(root.path().join("Chart.yaml"), [head, meta].concat()).unwrap();
        for (name, text) in templates {
            std::fs::write(root.path().join("templates").join(name), text).unwrap();
        }
        let chart = Chart::load(&ChartSource::Directory(root.path().to_owned())).unwrap();
        (root, chart)
    }

    fn fails(meta: &str, template: &str) -> Error {
        let (_root, chart) = folder(meta, &[("x.yaml", template)]);
        render(&chart, &request(3), &RenderOptions::default()).unwrap_err()
    }

    #[test]
    fn what_a_template_says_reaches_the_caller() {
        let error = fails("", "{{ fail \"set a port\" }}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("templates/x.yaml") && error.message().contains("set a port"), "{error}");
        assert_eq!(fails("", "kind: [").kind(), ErrorKind::Invalid);
        assert_eq!(fails("", "just text").kind(), ErrorKind::Invalid);
    }

    #[test]
    fn hooks_and_other_servers_are_refused() {
        let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  annotations: {helm.sh/hook: pre-install}\n";
        let error = fails("", hook);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("ConfigMap/x") && error.message().contains("HelmCli"), "{error}");
        let error = fails("kubeVersion: '>=1.99.0-0'\n", "");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(">=1.99.0-0"), "{error}");
    }

    /// The pods of a chart that knows nothing of revisions carry ours, in the manifest too.
    #[test]
    fn pods_of_another_chart_are_marked_in_the_manifest() {
        let deployment =
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {metadata: {annotations: }}}\n";
        let (_root, chart) = folder("", &[("x.yaml", deployment), ("NOTES.txt", "noted {{ .Release.Name }}")]);
        let rendered = render(&chart, &request(3), &RenderOptions::default()).unwrap();
        let annotations = "/spec/template/metadata/annotations";
        let read = object::parse_manifest(&rendered.manifest).unwrap();
        assert_eq!(read, rendered.objects);
        assert_eq!(read[0].text(&[annotations, "/zopnight.dev~1revision"].concat()), Some("3"));
        let checksum = |r: &Rendered| r.objects[0].text(&[annotations, "/checksum~1values"].concat()).unwrap().to_owned();
        let mut changed = request(3);
        changed.runtime.replicas = zopnight_core::domain::Replicas { min: 2, max: 2 };
        assert_ne!(checksum(&rendered), checksum(&render(&chart, &changed, &RenderOptions::default()).unwrap()));
        assert_eq!(rendered.notes, "noted web-0123456789");
    }

    #[test]
    fn a_cancelled_rendering_ends() {
        let chart = crate::testkit::chart();
        let cancelled = Arc::new(AtomicBool::new(true));
        let error = render_until(&chart, &request(1), &RenderOptions::default(), cancelled).unwrap_err();
        assert!(error.message().contains("too long"), "{error}");
    }
}
