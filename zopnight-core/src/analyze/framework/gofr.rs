//! gofr: ports from the environment and `configs/`, a server only if something registers HTTP, health built in.
//!
//! Read in gofr 1.56.6: `default.go`, `factory.go`, `config/godotenv.go`, `service/health.go`, `run.go`.

use crate::domain::analysis::PortKind;

use super::super::dockerfile::model::{CopyStep, Op};
use super::super::dockerfile::{Chosen, Dockerfile};
use super::super::evidence::{Notes, Place};
use super::super::parse::dotenv;
use super::super::port::PortHit;
use super::super::source::Sources;
use super::super::view::View;
use super::super::wants::Priority;

const HTTP: &[&str] = &[
    ".GET(",
    ".POST(",
    ".PUT(",
    ".PATCH(",
    ".DELETE(",
    ".AddRESTHandlers(",
    ".AddStaticFiles(",
    ".WebSocket(",
    ".GraphQLQuery(",
    ".GraphQLMutation(",
];

const DEFAULT_HTTP: u16 = 8000;
const DEFAULT_GRPC: u16 = 9000;
const DEFAULT_METRICS: u16 = 2121;

/// What a gofr app serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    Http,
    Grpc,
    /// Subscriptions or cron jobs only.
    Nothing,
    /// A command line tool.
    Command,
}

/// Decides from the registrations in the sources.
pub(crate) fn serves(view: &View<'_>, sources: &Sources) -> Serves {
    let has = |needle: &str| sources.contains(needle);
    if has("gofr.NewCMD(") && !has("gofr.New(") {
        return Serves::Command;
    }
    if HTTP.iter().any(|call| has(call)) || view.has_dir("static") {
        return Serves::Http;
    }
    let code = |f: &super::super::source::Code| f.text.clone();
    let texts: Vec<String> = sources.files.iter().map(|f| code(&f.code)).collect();
    if texts.iter().any(|t| t.contains("Register") && (t.contains("ServerWithGofr(") || t.contains("Server("))) {
        return Serves::Grpc;
    }
    let handed_on = texts.iter().any(|t| hands_app_on(t));
    if (has(".Subscribe(") || has(".AddCronJob(")) && !handed_on {
        return Serves::Nothing;
    }
    if has("gofr.New(") && !handed_on { Serves::Nothing } else { Serves::Http }
}

/// Whether the app value is passed to a function of another package, which may register routes.
fn hands_app_on(text: &str) -> bool {
    text.lines().any(|line| {
        let called = line.split_once("(app").filter(|(_, rest)| rest.starts_with([')', ',']));
        called.is_some_and(|(callee, _)| {
            callee.trim_end().ends_with(|c: char| c.is_ascii_alphanumeric()) && callee.contains('.')
        })
    })
}

/// The ports of a gofr app, strongest first.
pub(crate) fn ports(view: &View<'_>, serves: Serves, docker: Option<&Chosen>, notes: &mut Notes) -> Vec<PortHit> {
    let copied = docker.is_none_or(|chosen| copies_configs(&chosen.file));
    let found = Config::read(view, docker);
    if !copied && found.path_of_configs.is_some() {
        let place = docker.map(|chosen| Place::file(&chosen.path));
        let message = "the image does not contain configs, so gofr runs on its defaults there";
        notes.say("config-not-copied", message, place.as_ref());
    }
    let mut hits = Vec::new();
    let mut add = |key: &str, default: u16, kind: PortKind, rule: &'static str, wanted: bool| {
        let value = found.value(key);
        let number = value.as_ref().map(|(text, _)| text.trim().parse::<i64>().unwrap_or(0));
        if kind == PortKind::Metrics && number == Some(0) {
            return;
        }
        if let Some((text, place)) = value
            && wanted
            && let Ok(port) = text.trim().parse::<u16>()
            && port > 0
        {
            let rank = if copied { 30 } else { 85 };
            hits.push(PortHit::new(port, rank, rule, Some(place)).kind(kind).env(Some(key)));
        }
        if wanted {
            hits.push(PortHit::new(default, 80, "framework-default", None).kind(kind).env(Some(key)));
        }
    };
    add("HTTP_PORT", DEFAULT_HTTP, PortKind::Http, "gofr-http-port", serves == Serves::Http);
    add("GRPC_PORT", DEFAULT_GRPC, PortKind::Grpc, "gofr-grpc-port", serves == Serves::Grpc);
    let daemon = serves != Serves::Command;
    add("METRICS_PORT", DEFAULT_METRICS, PortKind::Metrics, "gofr-metrics-port", daemon);
    hits
}

/// The configuration files, the strongest last.
#[derive(Debug, Default)]
struct Config {
    values: std::collections::BTreeMap<String, (String, Place)>,
    path_of_configs: Option<Place>,
}

impl Config {
    fn read(view: &View<'_>, docker: Option<&Chosen>) -> Self {
        let mut config = Self::default();
        let app_env = docker.and_then(|c| c.image.env.get("APP_ENV")).map(|(v, _)| v.clone());
        config.load(view, "configs/.env");
        let own = app_env.or_else(|| config.values.get("APP_ENV").map(|(v, _)| v.clone()).filter(|v| !v.is_empty()));
        match own {
            Some(name) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') => {
                config.load(view, &format!("configs/.{name}.env"));
            }
            _ => config.load(view, "configs/.local.env"),
        }
        config
    }

    fn load(&mut self, view: &View<'_>, relative: &str) {
        let Some(path) = view.at(relative) else { return };
        let Some(text) = view.text_eagerly(&path, Priority::Config) else { return };
        self.path_of_configs.get_or_insert_with(|| Place::file(&path));
        for (key, (value, line)) in dotenv::parse(text) {
            self.values.insert(key, (value, Place::line(&path, line)));
        }
    }

    fn value(&self, key: &str) -> Option<(String, Place)> {
        self.values.get(key).cloned()
    }
}

/// Whether the final image gets `configs`: copied by name, with everything, or out of a build directory.
fn copies_configs(file: &Dockerfile) -> bool {
    let chain = file.chain();
    let stages = chain.iter().filter_map(|index| file.stages.get(*index));
    let workdirs = |name: &str| -> Vec<String> {
        let stage = file.stage(name).and_then(|index| file.stages.get(index));
        let steps = stage.map(|s| s.steps.as_slice()).unwrap_or_default();
        steps
            .iter()
            .filter_map(|s| if let Op::Workdir(dir) = &s.op { Some(dir.trim_matches('/').to_owned()) } else { None })
            .collect()
    };
    let mut copies =
        stages.flat_map(|s| &s.steps).filter_map(|s| if let Op::Copy(copy) = &s.op { Some(copy) } else { None });
    copies.any(|CopyStep { from, sources, .. }| {
        sources.iter().flatten().any(|source| {
            let bare = source.trim_end_matches('/').trim_start_matches("./").trim_matches('/');
            let named = bare.split('/').any(|part| part == "configs");
            let whole = matches!(bare, "" | "." | "*");
            named || whole || from.as_deref().is_some_and(|stage| workdirs(stage).iter().any(|dir| dir == bare))
        })
    })
}
