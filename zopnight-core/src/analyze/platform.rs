//! What deployment files of other platforms declare: ports, health paths, the Dockerfile and its context.

use serde_json::Value;

use crate::domain::RepoPath;

use super::dockerfile::expand::expand;
use super::evidence::{Notes, Place};
use super::health::HealthHit;
use super::parse::{json, toml as reader, yaml};
use super::port::PortHit;
use super::source::address;
use super::view::{Found, View, clean, line_with};
use super::wants::Priority;

/// The declarations found.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    pub(crate) ports: Vec<PortHit>,
    pub(crate) health: Vec<HealthHit>,
    pub(crate) dockerfile: Option<RepoPath>,
    /// A Dockerfile with the context it is built from.
    context: Option<(RepoPath, RepoPath)>,
}

impl Platform {
    /// The declared context of `dockerfile`.
    pub(crate) fn context_for(&self, dockerfile: &RepoPath) -> Option<&RepoPath> {
        self.context.as_ref().filter(|(file, _)| file == dockerfile).map(|(_, context)| context)
    }

    fn port(&mut self, port: Option<u16>, rank: u8, rule: &'static str, found: &Found<'_>, needle: &str) {
        if let Some(port) = port.filter(|p| *p > 0) {
            let place = Place::line(&found.path, line_with(found.text, needle));
            self.ports.push(PortHit::new(port, rank, rule, Some(place)));
        }
    }

    fn path(&mut self, path: Option<&str>, rank: u8, rule: &'static str, found: &Found<'_>) {
        if let Some(path) = path {
            let place = Place::line(&found.path, line_with(found.text, path));
            self.health.push(HealthHit::new(path, rank, rule, Some(place)));
        }
    }
}

const COMPOSE: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const MANIFEST_DIRECTORIES: &[&str] = &["k8s", "kubernetes", "kube", "manifests", "deploy", "deployment", "deployments"];

/// Reads the files of the app root that other platforms use.
pub(crate) fn read(view: &View<'_>, notes: &mut Notes) -> Platform {
    let mut platform = Platform::default();
    fly(view, &mut platform, notes);
    railway(view, &mut platform, notes);
    render(view, &mut platform, notes);
    compose(view, &mut platform, notes);
    kubernetes(view, &mut platform);
    platform
}

fn broken(found: &Found<'_>, notes: &mut Notes) {
    notes.say("unparsable-file", format!("{} cannot be parsed", found.path), Some(&Place::file(&found.path)));
}

fn number(value: Option<&Value>) -> Option<u16> {
    let value = value?;
    value.as_u64().and_then(|n| u16::try_from(n).ok()).or_else(|| address(value.as_str()?).port)
}

fn fly(view: &View<'_>, platform: &mut Platform, notes: &mut Notes) {
    let Some(found) = view.read("fly.toml", Priority::Config) else { return };
    let Some(table) = reader::parse(found.text) else { return broken(&found, notes) };
    let value = serde_json::to_value(&table).unwrap_or_default();
    let services = value.get("services").and_then(Value::as_array);
    let http = value.get("http_service");
    for service in http.into_iter().chain(services.into_iter().flatten()) {
        platform.port(number(service.get("internal_port")), 35, "platform-route", &found, "internal_port");
        for key in ["checks", "http_checks"] {
            let checks = service.get(key).and_then(Value::as_array).into_iter().flatten();
            let path = checks.filter_map(|c| c.get("path").and_then(Value::as_str)).next();
            platform.path(path, 25, "platform-health", &found);
        }
    }
}

fn railway(view: &View<'_>, platform: &mut Platform, notes: &mut Notes) {
    let toml = view.read("railway.toml", Priority::Config);
    let Some(found) = view.read("railway.json", Priority::Config).or(toml) else { return };
    let value = match found.path.as_str().ends_with("json") {
        true => json::parse(found.text),
        false => reader::parse(found.text).and_then(|t| serde_json::to_value(&t).ok()),
    };
    let Some(value) = value else { return broken(&found, notes) };
    platform.path(value.pointer("/deploy/healthcheckPath").and_then(Value::as_str), 25, "platform-health", &found);
    let dockerfile = value.pointer("/build/dockerfilePath").and_then(Value::as_str).and_then(|p| view.at(p));
    platform.dockerfile = platform.dockerfile.take().or(dockerfile);
}

fn render(view: &View<'_>, platform: &mut Platform, notes: &mut Notes) {
    let Some(found) = view.read("render.yaml", Priority::Config) else { return };
    let Some(value) = yaml::parse(found.text) else { return broken(&found, notes) };
    let services = value.get("services").and_then(Value::as_array).into_iter().flatten();
    let mut own = services.filter(|s| {
        let root = s.get("rootDir").and_then(Value::as_str).unwrap_or_default();
        clean(root).is_some_and(|r| r.is_empty())
    });
    let Some(service) = own.next() else { return };
    platform.path(service.get("healthCheckPath").and_then(Value::as_str), 25, "platform-health", &found);
    let variables = service.get("envVars").and_then(Value::as_array).into_iter().flatten();
    let port =
        variables.filter(|v| v.get("key").and_then(Value::as_str) == Some("PORT")).find_map(|v| number(v.get("value")));
    platform.port(port, 35, "platform-route", &found, "PORT");
    let dockerfile = service.get("dockerfilePath").and_then(Value::as_str).and_then(|p| view.at(p));
    if let (Some(file), Some(context)) =
        (&dockerfile, service.get("dockerContext").and_then(Value::as_str).and_then(|c| view.at(c)))
    {
        platform.context = Some((file.clone(), context));
    }
    platform.dockerfile = platform.dockerfile.take().or(dockerfile);
}

/// The compose service that builds the app root, in the root's own file, else in the repository's.
fn compose(view: &View<'_>, platform: &mut Platform, notes: &mut Notes) {
    let bases = [view.root().clone(), RepoPath::root()];
    let files = bases.iter().flat_map(|base| COMPOSE.iter().filter_map(|name| base.join(name).ok()));
    let found = files.filter_map(|path| view.text(&path, Priority::Config).map(|text| Found { path, text })).next();
    let Some(found) = found else { return };
    let Some(value) = yaml::parse(found.text) else { return broken(&found, notes) };
    let base = found.path.parent().unwrap_or_else(RepoPath::root);
    let services = value.get("services").and_then(Value::as_object);
    let built: Vec<(&Value, Option<RepoPath>)> = services
        .into_iter()
        .flat_map(|s| s.values())
        .filter_map(|s| Some((s, context_of(&base, s.get("build")?))))
        .collect();
    let own = built.iter().find(|(_, context)| context.as_ref() == Some(view.root()));
    let own = own.or_else(|| built.first().filter(|_| built.len() == 1 && base == *view.root()));
    let Some((service, context)) = own else { return };
    let target = service.pointer("/build/target").and_then(Value::as_str).unwrap_or_default();
    let development = ["dev", "development", "test"].contains(&target);
    let rank = if development { 70 } else { 35 };
    let rule = if development { "env-example" } else { "platform-route" };
    for port in service.get("ports").and_then(Value::as_array).into_iter().flatten() {
        let (text, port) = target_port(port);
        platform.port(port, rank, rule, &found, &text);
    }
    for port in service.get("expose").and_then(Value::as_array).into_iter().flatten() {
        platform.port(number(Some(port)), rank, rule, &found, "expose");
    }
    let dockerfile = service.pointer("/build/dockerfile").and_then(Value::as_str);
    if let (Some(context), Some(name)) = (context, dockerfile.or(Some("Dockerfile")))
        && let Some(file) = clean(&format!("{}/{name}", if context.is_root() { "" } else { context.as_str() }))
        && let Ok(file) = RepoPath::parse(&file)
    {
        platform.context = Some((file.clone(), context.clone()));
        if dockerfile.is_some() {
            platform.dockerfile = platform.dockerfile.take().or(Some(file));
        }
    }
}

fn context_of(base: &RepoPath, build: &Value) -> Option<RepoPath> {
    let text = build.as_str().or_else(|| build.get("context").and_then(Value::as_str)).unwrap_or(".");
    let base = if base.is_root() { "" } else { base.as_str() };
    RepoPath::parse(&clean(&format!("{base}/{text}"))?).ok()
}

/// The container's side of a compose port; ranges and udp are ignored.
fn target_port(port: &Value) -> (String, Option<u16>) {
    if let Some(target) = port.get("target") {
        return ("target".to_owned(), number(Some(target)));
    }
    let Some(text) = port.as_str() else { return (port.to_string(), number(Some(port))) };
    let expanded = expand(text, &|_| None).unwrap_or_else(|| text.to_owned());
    let (address, protocol) = expanded.split_once('/').unwrap_or((&expanded, "tcp"));
    let container = address.rsplit(':').next().unwrap_or(address);
    (text.to_owned(), container.parse().ok().filter(|_| protocol == "tcp"))
}

/// Workloads and services of plain manifests; templates are skipped.
fn kubernetes(view: &View<'_>, platform: &mut Platform) {
    let mut files = Vec::new();
    for name in MANIFEST_DIRECTORIES {
        let Some(dir) = view.at(name).filter(|_| view.has_dir(name)) else { continue };
        let yaml =
            view.list(&dir, Priority::Config).iter().filter(|e| e.name.ends_with(".yaml") || e.name.ends_with(".yml"));
        files.extend(yaml.filter_map(|e| dir.join(&e.name).ok()));
    }
    for path in files.into_iter().take(20) {
        let Some(text) = view.text(&path, Priority::Config).filter(|t| !t.contains("{{")) else { continue };
        let found = Found { path, text };
        for document in yaml::documents(text).unwrap_or_default() {
            match document.get("kind").and_then(Value::as_str) {
                Some("Deployment" | "StatefulSet" | "DaemonSet" | "Rollout") => workload(view, &document, &found, platform),
                Some("Service") => {
                    let ports = document.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
                    for port in ports.filter_map(|p| number(p.get("targetPort"))) {
                        platform.port(Some(port), 35, "platform-route", &found, "targetPort");
                    }
                }
                _ => {}
            }
        }
    }
}

fn workload(view: &View<'_>, document: &Value, found: &Found<'_>, platform: &mut Platform) {
    let containers = document.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let Some(containers) = containers else { return };
    let name = view.app_name();
    let ours = |c: &&Value| {
        let image = c.get("image").and_then(Value::as_str).unwrap_or_default();
        let image = image.rsplit('/').next().and_then(|i| i.split([':', '@']).next()).unwrap_or_default();
        c.get("name").and_then(Value::as_str) == Some(name) || image == name
    };
    let Some(container) = containers.iter().find(ours).or_else(|| containers.first()) else { return };
    for port in container.get("ports").and_then(Value::as_array).into_iter().flatten() {
        platform.port(number(port.get("containerPort")), 45, "k8s-container-port", found, "containerPort");
    }
    let probes = ["readinessProbe", "livenessProbe", "startupProbe"];
    let path = probes.iter().find_map(|p| container.get(*p)?.pointer("/httpGet/path")?.as_str());
    platform.path(path, 20, "k8s-probe", found);
}
