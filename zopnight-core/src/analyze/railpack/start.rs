//! The plan: provider, start command, metadata, or why there is none.

use std::collections::BTreeMap;

use crate::domain::RepoPath;

use super::super::evidence::{Notes, Place};
use super::super::parse::procfile;
use super::super::view::View;
use super::config;
use super::metadata;
use super::node::Manifest;
use super::node_spa::{self, NodeApp};
use super::order::{self, Detected, Provider};
use super::{go, java, node_start, python, ruby, rust, simple};

/// What Railpack would do with the app root.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) detected: Option<Detected>,
    pub(crate) provider: Option<Provider>,
    pub(crate) place: Option<Place>,
    pub(crate) by_name: bool,
    pub(crate) start: Option<String>,
    /// The Procfile's process that gives the start command.
    pub(crate) process: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) failure: Option<&'static str>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) node: Option<NodeApp>,
    pub(crate) package_manager: Option<&'static str>,
    /// Whether the image runs Railpack's own Caddy.
    pub(crate) caddy: bool,
}

impl Plan {
    /// Whether Railpack's plan can be made.
    pub(crate) fn success(&self) -> bool {
        self.failure.is_none()
    }
}

/// Makes the plan and says what is noteworthy about it.
pub(crate) fn plan(view: &View<'_>, notes: &mut Notes) -> Plan {
    let detection = order::detect(view);
    let mut plan = Plan { detected: detection.first.clone(), manifest: detection.manifest, ..Plan::default() };
    let mut usable = detection.usable;
    if let Some(path) = &detection.broken_manifest {
        let falls_to = usable.as_ref().map_or("nothing else", |d| d.provider.name());
        let message = format!("{path} is not a valid manifest, so Railpack falls through to {falls_to}");
        notes.say("node-manifest-broken", message, Some(&Place::file(path)));
    }
    let config = config::load(view);
    if let Err(name) = &config {
        notes.say("railpack-config-broken", format!("{name} is absent or not valid JSON, so Railpack fails"), None);
        plan.failure = Some("config");
    }
    let config = config.unwrap_or_default();
    if let Some(name) = &config.provider {
        usable = force(name, &config, usable, notes);
        if usable.as_ref().is_some_and(|d| d.provider == Provider::Node) && plan.manifest.is_none() {
            plan.manifest = super::node::load(view).ok();
        }
    }
    plan.provider = usable.as_ref().map(|d| d.provider);
    plan.place = usable.as_ref().and_then(|d| d.place.clone());
    plan.by_name = usable.as_ref().is_some_and(|d| d.by_name);

    let processes = processes(view, &mut plan, notes);
    let custom = config.start_command.clone().or_else(|| view.env("START_CMD").map(str::to_owned));
    if plan.provider == Some(Provider::Node)
        && let Some(manifest) = &plan.manifest
    {
        plan.node = Some(node_spa::inspect(view, manifest, custom.is_some(), notes));
    }
    let from_provider = plan.provider.and_then(|provider| provider_start(view, provider, &mut plan, notes));
    let from_process = processes.map(|(name, command)| {
        plan.process = Some(name);
        command
    });
    let overridden = custom.is_some() || from_process.is_some();
    plan.start = custom.or(from_process).or(from_provider).filter(|s| !s.is_empty());
    if overridden && plan.caddy {
        check_static_image(&plan, notes);
        plan.caddy = plan.start.as_deref().is_some_and(|s| s.contains("caddy"));
    }
    metadata::fill(view, &mut plan);
    if plan.failure.is_none() {
        plan.failure = match (plan.provider, plan.start.is_some()) {
            (None, _) if config.has_commands => None,
            (None, _) if detection.broken_manifest.is_some() => Some("node-manifest"),
            (None, _) => Some("no-provider"),
            (Some(_), false) => Some("no-start-command"),
            (Some(_), true) => None,
        };
    }
    plan
}

fn force(name: &str, config: &config::Config, usable: Option<Detected>, notes: &mut Notes) -> Option<Detected> {
    let place = config.path.as_ref().map(Place::file);
    let Some(provider) = Provider::parse(name) else {
        notes.say("railpack-provider-unknown", "railpack.json names a provider that does not exist", place.as_ref());
        return None;
    };
    if usable.as_ref().is_none_or(|d| d.provider != provider) {
        let message = format!("railpack.json forces the provider {}", provider.name());
        notes.say("railpack-provider-forced", message, place.as_ref());
    }
    let by_name = usable.is_some_and(|d| d.provider == provider && d.by_name);
    Some(Detected { provider, place, by_name })
}

/// The Procfile's process that starts the app.
fn processes(view: &View<'_>, plan: &mut Plan, notes: &mut Notes) -> Option<(String, String)> {
    let found = view.raw("Procfile")?;
    let place = view.at("Procfile").map(|path: RepoPath| Place::file(&path));
    let Some(processes) = procfile::parse(found) else {
        notes.say("procfile-broken", "Procfile is not a YAML map of strings, so Railpack fails", place.as_ref());
        plan.failure = plan.failure.or(Some("procfile"));
        return None;
    };
    let named = |name: &str| processes.get(name).filter(|c| !c.is_empty()).map(|c| (name.to_owned(), c.clone()));
    named("web").or_else(|| named("worker")).or_else(|| {
        let mut others = processes.iter().filter(|(_, command)| !command.is_empty());
        let first = others.next()?;
        if others.next().is_some() {
            let message = format!("Procfile has several processes but no web; {} is taken, Railpack takes any", first.0);
            notes.say("procfile-order-random", message, place.as_ref());
        }
        Some((first.0.clone(), first.1.clone()))
    })
}

fn provider_start(view: &View<'_>, provider: Provider, plan: &mut Plan, notes: &mut Notes) -> Option<String> {
    match provider {
        Provider::Golang => go::start(view, notes),
        Provider::Java => java::start(view),
        Provider::Rust => rust::start(view, notes),
        Provider::Ruby => ruby::start(view),
        Provider::Python => python::start(view, notes),
        Provider::Node => {
            let manifest = plan.manifest.as_ref()?;
            let app = plan.node.as_ref()?;
            plan.package_manager = Some(app.manager.name());
            plan.output = app.output.clone().filter(|_| app.spa);
            plan.caddy = app.spa;
            if app.spa { Some(simple::CADDY_NODE.to_owned()) } else { node_start::start(view, manifest, app) }
        }
        Provider::Staticfile => {
            plan.caddy = true;
            plan.output = simple::static_root(view);
            Some(simple::CADDY_STATIC.to_owned())
        }
        other => simple::start(view, other, notes),
    }
}

fn check_static_image(plan: &Plan, notes: &mut Notes) {
    let start = plan.start.as_deref().unwrap_or_default();
    let absent = ["node", "npm", "npx", "pnpm", "yarn", "bun", "python", "python3", "serve"];
    let program = start.split_whitespace().find(|w| !w.contains('=')).unwrap_or_default();
    if absent.contains(&program) {
        let message = format!("the start command runs {program}, which the static image of Caddy does not have");
        notes.say("procfile-on-static-image", message, None);
    }
}
