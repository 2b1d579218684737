//! Brings every place that gives a port to the ladder.

use crate::domain::analysis::PortKind;

use super::dockerfile::Chosen;
use super::evidence::{Notes, Place};
use super::framework::{Framework, gofr};
use super::parse::{dotenv, shell};
use super::port::{PortFacts, PortHit};
use super::railpack::{Plan, Provider};
use super::source::{self, Sources};
use super::start_flags;
use super::view::View;
use super::wants::Priority;

/// What the parts found before ports are weighed.
pub(crate) struct Scene<'s> {
    pub(crate) language: Option<&'static str>,
    pub(crate) plan: &'s Plan,
    pub(crate) chosen: Option<&'s Chosen>,
    pub(crate) variants: &'s [Chosen],
    pub(crate) sources: &'s Sources,
    pub(crate) framework: Option<&'s Framework>,
    /// The effective start command and what it leads to, with where each stands.
    pub(crate) starts: &'s [(String, Option<Place>)],
}

/// The start command and what it names: npm scripts, `cd DIR && npm start`, a script copied from the tree; three hops.
pub(crate) fn follow_start(
    view: &View<'_>,
    plan: &Plan,
    first: Option<(String, Option<Place>)>,
) -> Vec<(String, Option<Place>)> {
    let mut starts: Vec<(String, Option<Place>)> = first.into_iter().collect();
    for hop in 0..3 {
        let Some((line, _)) = starts.get(hop).cloned() else { break };
        let Some(next) = shell::commands(&line).iter().rev().find_map(|words| hop_of(view, plan, words)) else { break };
        if starts.iter().any(|(known, _)| *known == next.0) {
            break;
        }
        starts.push(next);
    }
    starts
}

fn hop_of(view: &View<'_>, plan: &Plan, words: &[String]) -> Option<(String, Option<Place>)> {
    let word = |i: usize| words.get(i).map(String::as_str).unwrap_or_default();
    let script = match word(0) {
        "npm" | "pnpm" | "yarn" | "bun" => match word(1) {
            "run" | "run-script" => word(2),
            "start" => "start",
            other if word(0) == "yarn" || word(0) == "pnpm" => other,
            _ => "",
        },
        _ => "",
    };
    if let Some(manifest) = plan.manifest.as_ref().filter(|_| !script.is_empty()) {
        let text = manifest.script(script);
        let path = manifest.path.as_ref()?;
        let line = super::view::line_with(view.text(path, Priority::Manifest)?, &format!("\"{script}\""));
        return (!text.is_empty()).then(|| (text.to_owned(), Some(Place::line(path, line))));
    }
    let file = words.iter().find(|w| w.ends_with(".sh"))?;
    let name = file.rsplit('/').next()?;
    let path = view.at(name).filter(|p| view.kind(p).is_some()).or_else(|| view.at(&format!("docker/{name}")))?;
    let text = view.text(&path, Priority::Config)?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    let (at, last) = lines.filter(|(_, l)| !l.contains("\"$@\"") && !matches!(*l, "fi" | "done" | "esac")).last()?;
    Some((last.to_owned(), Some(Place::line(&path, u32::try_from(at + 1).ok()?))))
}

/// Everything the ladder needs.
pub(crate) fn ports(view: &View<'_>, scene: &Scene<'_>, notes: &mut Notes) -> (PortFacts, Option<gofr::Serves>) {
    let mut facts = PortFacts::default();
    from_start(scene, &mut facts);
    from_image(scene, &mut facts);
    let serves = from_framework(view, scene, &mut facts, notes);
    from_source(scene, &mut facts, notes);
    from_env_files(view, scene, &mut facts);
    from_caddy(view, scene, &mut facts);
    from_variants(scene, &mut facts);
    from_language(scene, &mut facts);
    if let Some(env) = scene.framework.and_then(|f| f.env).filter(|_| facts.envs.is_empty()) {
        let moves = serves.is_none_or(|s| matches!(s, gofr::Serves::Http));
        if moves && !scene.plan.caddy {
            facts.envs.push(env.to_owned());
        }
    }
    let last = scene.starts.last().map_or("", |(line, _)| line.as_str());
    let process = scene.plan.process.as_deref().filter(|_| scene.chosen.is_none());
    let script = scene.starts.first().and_then(|(line, _)| line.split_whitespace().last()).unwrap_or_default();
    let worker_script =
        ["worker", "cron", "consumer", "scheduler"].contains(&script.trim_end_matches(".js").trim_end_matches(".py"));
    facts.worker = process.is_some_and(|p| p == "worker") || start_flags::is_worker(last) || worker_script;
    (facts, serves)
}

fn from_start(scene: &Scene<'_>, facts: &mut PortFacts) {
    let lookup = |name: &str| scene.chosen?.image.env.get(name).map(|(v, _)| v.clone());
    for (line, place) in scene.starts {
        for hit in start_flags::hits(line, &lookup) {
            let (rank, rule) = if hit.default { (75, "server-default") } else { (10, "start-flag") };
            facts.envs.extend(hit.env);
            if let Some(port) = hit.port {
                facts.hits.push(PortHit::new(port, rank, rule, place.clone()));
            }
        }
    }
}

fn from_image(scene: &Scene<'_>, facts: &mut PortFacts) {
    let Some(chosen) = scene.chosen else { return };
    let image = &chosen.image;
    let own = scene.framework.and_then(|f| f.env);
    for name in std::iter::once("PORT").chain(own.filter(|name| *name != "PORT")) {
        let Some((value, line)) = image.env.get(name) else { continue };
        let Some(port) = source::address(value).port else { continue };
        facts.hits.push(PortHit::new(port, 20, "image-env", Some(Place::line(&chosen.path, *line))));
        if name == "PORT" {
            facts.image_port = Some(port);
        }
        facts.envs.push(name.to_owned());
    }
    for (port, line) in &image.exposed {
        facts.hits.push(PortHit::new(*port, 40, "expose", Some(Place::line(&chosen.path, *line))));
    }
    let base = image.base.split(['@']).next().unwrap_or_default();
    let name = base.rsplit('/').next().and_then(|n| n.split(':').next()).unwrap_or_default();
    let default = match name {
        "nginx" | "httpd" | "caddy" => 80,
        "nginx-unprivileged" => 8080,
        _ => return,
    };
    facts.hits.push(PortHit::new(default, 80, "base-image-port", Some(Place::file(&chosen.path))));
}

fn from_framework(view: &View<'_>, scene: &Scene<'_>, facts: &mut PortFacts, notes: &mut Notes) -> Option<gofr::Serves> {
    let framework = scene.framework?;
    facts.framework_default = framework.port;
    if framework.id == "gofr" {
        let serves = gofr::serves(view, scene.sources);
        facts.hits.extend(gofr::ports(view, serves, scene.chosen, notes));
        facts.silent = match serves {
            gofr::Serves::Command => Some("gofr-cmd"),
            gofr::Serves::Nothing => Some("gofr-no-http"),
            gofr::Serves::Http | gofr::Serves::Grpc => None,
        };
        if serves == gofr::Serves::Grpc {
            notes.say("grpc-only", "the app serves gRPC only", framework.place.as_ref());
        }
        facts.server = matches!(serves, gofr::Serves::Http | gofr::Serves::Grpc);
        return Some(serves);
    }
    let static_output = scene.plan.caddy && scene.chosen.is_none();
    facts.server = framework.server && !static_output;
    if let Some(port) = framework.port.filter(|_| facts.server) {
        facts.hits.push(PortHit::new(port, 80, "framework-default", framework.place.clone()));
    }
    if framework.id == "gin"
        && let Some((file, line)) = scene.sources.find(".Run()")
    {
        facts.hits.push(PortHit::new(8080, 50, "env-fallback", Some(Place::line(file, line))));
        facts.envs.push("PORT".to_owned());
    }
    None
}

fn from_source(scene: &Scene<'_>, facts: &mut PortFacts, notes: &mut Notes) {
    let Some(language) = scene.language else { return };
    let served_by_program = scene.starts.iter().any(|(line, _)| {
        let program =
            shell::commands(line).last().and_then(|w| start_flags::program(w).map(str::to_owned)).unwrap_or_default();
        matches!(program.as_str(), "uvicorn" | "gunicorn" | "hypercorn" | "daphne" | "granian")
    });
    if scene.plan.caddy && scene.chosen.is_none() {
        return;
    }
    let listens = source::listens(scene.sources, language);
    let listens: Vec<_> = listens.into_iter().filter(|l| !(served_by_program && language == "python" && l.entry)).collect();
    let numbered = listens.iter().filter(|l| l.value.port.is_some() && l.value.env.is_none()).count();
    for listen in &listens {
        let value = &listen.value;
        if let Some(env) = &value.env {
            facts.envs.push(env.clone());
        }
        let (rank, rule) = if value.env.is_some() || value.soft {
            (50, "env-fallback")
        } else if listen.entry && numbered == 1 {
            (38, "exact-literal")
        } else {
            (60, "literal")
        };
        if let Some(port) = value.port {
            facts.hits.push(PortHit::new(port, rank, rule, Some(listen.place.clone())).kind(listen.kind));
        }
        facts.server |= value.port.is_none();
    }
    if !(served_by_program && language == "python") {
        for (value, place) in source::port_reads(scene.sources) {
            facts.envs.extend(value.env);
            if let Some(port) = value.port {
                facts.hits.push(PortHit::new(port, 50, "env-fallback", Some(place)));
            }
            facts.server = true;
        }
    }
    let hosts: Vec<bool> = listens.iter().filter_map(|l| l.value.loopback).collect();
    let exempt = scene.framework.is_some_and(|f| matches!(f.id, "rocket" | "astro" | "rails"));
    if !hosts.is_empty() && hosts.iter().all(|loopback| *loopback) && !exempt {
        let place = listens.iter().find(|l| l.value.loopback == Some(true)).map(|l| l.place.clone());
        notes.say(
            "binds-loopback",
            "the only listen call binds a loopback address, so nothing outside the container reaches it",
            place.as_ref(),
        );
    }
}

/// Whether the only listen calls bind a loopback address; `None` if that is not known.
pub(crate) fn binds_loopback(scene: &Scene<'_>) -> Option<bool> {
    if scene.framework.is_some_and(|f| f.id == "gofr") {
        return Some(false);
    }
    let listens = source::listens(scene.sources, scene.language?);
    let hosts: Vec<bool> = listens.iter().filter_map(|l| l.value.loopback).collect();
    if hosts.is_empty() { None } else { Some(hosts.iter().all(|loopback| *loopback)) }
}

const ENV_FILES: &[&str] =
    &[".env", ".env.example", ".env.sample", ".env.template", ".env.dist", "example.env", "sample.env"];

fn from_env_files(view: &View<'_>, scene: &Scene<'_>, facts: &mut PortFacts) {
    if scene.plan.caddy && scene.chosen.is_none() {
        return;
    }
    let own = scene.framework.and_then(|f| f.env);
    for file in ENV_FILES {
        let Some(found) = view.read(file, Priority::Config) else { continue };
        let values = dotenv::parse(found.text);
        for name in std::iter::once("PORT").chain(own.filter(|name| *name != "PORT")) {
            if let Some((value, line)) = values.get(name)
                && let Some(port) = source::address(value).port
            {
                facts.hits.push(PortHit::new(port, 70, "env-example", Some(Place::line(&found.path, *line))));
            }
        }
    }
}

/// Railpack's images with a built-in web server, and configuration files that replace the built-in ones.
fn from_caddy(view: &View<'_>, scene: &Scene<'_>, facts: &mut PortFacts) {
    let php = scene.plan.provider == Some(Provider::Php);
    if scene.chosen.is_some() || !(scene.plan.caddy || php) || !scene.plan.success() {
        return;
    }
    let files: &[&str] = if php { &["Caddyfile"] } else { &["Caddyfile.template", "Caddyfile"] };
    facts.server = true;
    let Some(found) = files.iter().find_map(|name| view.read(name, Priority::Config)) else {
        facts.hits.push(PortHit::new(80, 75, "server-default", scene.plan.place.clone()));
        facts.envs.push("PORT".to_owned());
        return;
    };
    for (index, line) in found.text.lines().enumerate() {
        let Some(site) = line.trim().strip_suffix('{').map(str::trim).filter(|s| s.contains(':')) else { continue };
        let Some((_, port)) =
            site.rsplit_once(':').filter(|(host, _)| !host.contains("{$")).or_else(|| site.split_once(':'))
        else {
            continue;
        };
        let text = port.trim().trim_matches(['{', '}']);
        let (variable, number) = match text.strip_prefix('$') {
            Some(rest) => rest.split_once(':').map_or((Some(rest), ""), |(v, n)| (Some(v), n)),
            None => (None, text),
        };
        facts.envs.extend(variable.map(str::to_owned));
        if let Some(port) = source::address(number).port {
            let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            facts.hits.push(PortHit::new(port, 30, "caddy-config", Some(Place::line(&found.path, line))));
        }
        return;
    }
}

fn from_variants(scene: &Scene<'_>, facts: &mut PortFacts) {
    for variant in scene.variants {
        for (port, line) in &variant.image.exposed {
            facts.hits.push(PortHit::new(*port, 65, "variant-dockerfile", Some(Place::line(&variant.path, *line))));
        }
        if let Some((start, line)) = variant.image.start() {
            let lookup = |name: &str| variant.image.env.get(name).map(|(v, _)| v.clone());
            for hit in start_flags::hits(&start, &lookup).into_iter().filter(|h| !h.default) {
                let place = Place::line(&variant.path, line);
                facts.hits.extend(hit.port.map(|port| PortHit::new(port, 65, "variant-dockerfile", Some(place))));
            }
        }
    }
}

fn from_language(scene: &Scene<'_>, facts: &mut PortFacts) {
    let started = scene.starts.iter().any(|(line, _)| line.contains("$PORT") || line.contains("${PORT}"));
    let listens = facts.server && scene.framework.is_none_or(|f| !f.server) || !facts.envs.is_empty() || started;
    let has_number = facts.hits.iter().any(|h| h.rank < 90 && h.kind != PortKind::Metrics && h.rank != 65 && h.rank != 70);
    if !listens || has_number || facts.silent.is_some() {
        return;
    }
    let port = match scene.language {
        Some("go" | "rust" | "java" | "dotnet") => 8080,
        Some("node" | "ruby" | "elixir") => 3000,
        Some("python" | "deno") => 8000,
        Some("php" | "static") => 80,
        _ => return,
    };
    facts.hits.push(PortHit::new(port, 90, "language-default", None));
}

/// The image's start command, variables of the image kept as they are.
pub(crate) fn image_start(chosen: &Chosen) -> Option<(String, Option<Place>)> {
    let (line, at) = chosen.image.start()?;
    Some((line, Some(Place::line(&chosen.path, at))))
}
