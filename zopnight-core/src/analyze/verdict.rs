//! One pure run: every detector in turn, then the answer.

use crate::domain::analysis::{Builder, Confidence, Confidences, EvidenceField, RailpackVerdict, Severity};
use crate::domain::{Analysis, HealthPath};

use super::candidates;
use super::dockerfile::{context, select};
use super::engine;
use super::evidence::{Notes, Place};
use super::framework::{self, Framework, gofr};
use super::gather::{self, Scene};
use super::health::{self, HealthHit};
use super::language;
use super::parse::dotenv;
use super::platform;
use super::port;
use super::railpack::{self, Plan, Provider};
use super::source::{self, Sources};
use super::start_flags;
use super::view::View;
use super::wants::Priority;

/// Answers from what is known; what is not known is noted in the view's wants.
pub(crate) fn decide(view: &View<'_>) -> Analysis {
    let mut notes = Notes::default();
    engine::want_standard_directories(view);
    let plan = railpack::plan(view, &mut notes);
    let platform = platform::read(view, &mut notes);
    let selection = select::select(view, platform.dockerfile.as_ref(), plan.provider.is_some(), &mut notes);
    let chosen = selection.chosen.as_ref();
    let mut answer = Analysis::nothing(view.root().clone());
    if let Some(chosen) = chosen {
        answer.build_context = context::infer(view, chosen, platform.context_for(&chosen.path), &mut notes);
        answer.dockerfile = Some(chosen.path.clone());
    }
    answer.builder = match (chosen, plan.success()) {
        (Some(_), _) => Some(Builder::Dockerfile),
        (None, true) => Some(Builder::Railpack),
        (None, false) => None,
    };
    answer.needs_build = answer.builder.is_some();
    let language = language::decide(view, &plan, chosen, &mut notes);
    let start = match chosen {
        Some(chosen) => gather::image_start(chosen),
        None => plan.start.clone().map(|line| (line, None)),
    };
    let starts = gather::follow_start(view, &plan, start.clone());
    let lines: Vec<String> = starts.iter().map(|(line, _)| line.clone()).collect();
    let sources = language.name.map(|name| source::find(view, name, &plan, &lines)).unwrap_or_default();
    let framework = language.name.and_then(|name| framework::detect(view, name, &plan, &sources));
    let scene = Scene {
        language: language.name,
        plan: &plan,
        chosen,
        variants: &selection.variants,
        sources: &sources,
        framework: framework.as_ref(),
        starts: &starts,
    };
    let (mut facts, serves) = gather::ports(view, &scene, &mut notes);
    facts.hits.extend(platform.ports.iter().cloned());
    let ports = port::climb(facts, &mut notes);
    let mut health = healths(view, &scene, serves, ports.port, &mut notes);
    health.extend(platform.health.iter().cloned());
    let health = health::climb(health, ports.needs_port, &mut notes);

    if let Some(found) = &framework {
        notes.fact(EvidenceField::Framework, found.id, found.place.as_ref(), "framework-signal");
    }
    if let Some((line, place)) = start.filter(|(line, _)| line.len() <= 4_096) {
        let rule = if chosen.is_some() { "image-command" } else { "railpack-start" };
        notes.fact(EvidenceField::StartCommand, &line, place.as_ref(), rule);
        answer.start_command = Some(line).filter(|_| answer.needs_build);
    }
    if chosen.is_none() {
        notes.fact(EvidenceField::BuildContext, view.root().as_str(), None, "context-app-root");
    }
    answer.language = language.name.map(str::to_owned);
    answer.framework = framework.as_ref().map(|f| f.id.to_owned());
    answer.suggested_port = ports.port;
    answer.suggested_health_path = health.path;
    answer.provider = plan.provider.map(|p| p.name().to_owned());
    answer.dialect = language.name.and_then(|name| dialect(view, name, &sources)).map(str::to_owned);
    answer.package_manager = plan.package_manager.map(str::to_owned);
    answer.needs_port = ports.needs_port;
    answer.port_env = ports.env;
    answer.ports = ports.ports;
    answer.binds_loopback = gather::binds_loopback(&scene);
    answer.confidence = Confidences {
        language: language.confidence,
        framework: if framework.is_some() { Confidence::High } else { Confidence::None },
        port: ports.confidence,
        health_path: health.confidence,
    };
    if health.rule == Some(GOFR_HEALTH) {
        body_only(&mut answer, framework.as_ref(), &mut notes);
    }
    answer.railpack = verdict(&plan);
    look_around(view, &scene, &answer, language.fallback, &mut notes);
    let looks_further = answer.provider.is_none() || language.fallback;
    if looks_further && answer.dockerfile.is_none() {
        answer.candidates = candidates::search(view);
        advise_root(&answer, &mut notes);
    }
    finish(view, answer, notes)
}

const GOFR_HEALTH: &str = "gofr-health";

fn healths(
    view: &View<'_>,
    scene: &Scene<'_>,
    serves: Option<gofr::Serves>,
    port: Option<crate::domain::Port>,
    notes: &mut Notes,
) -> Vec<HealthHit> {
    let mut hits: Vec<HealthHit> =
        scene.chosen.and_then(|chosen| health::of_image(chosen, port, notes)).into_iter().collect();
    let is_static = scene.plan.caddy && scene.chosen.is_none() && scene.plan.success();
    if is_static {
        hits.extend(caddy_health(view, scene.plan));
        return hits;
    }
    if let Some(framework) = scene.framework {
        if serves == Some(gofr::Serves::Http) {
            hits.push(HealthHit::new("/.well-known/health", 30, GOFR_HEALTH, framework.place.clone()));
        }
        hits.extend(framework::health(view, framework, scene.sources));
    }
    if serves.is_none_or(|s| s == gofr::Serves::Http) {
        for route in source::health_routes(scene.sources).into_iter().take(8) {
            let hit = HealthHit::new(&route.path, 50, "route", Some(route.place));
            hits.push(HealthHit { guarded: route.guarded, ..hit });
        }
        if let Some(route) = source::literal_gets(scene.sources, "/") {
            hits.push(HealthHit::new("/", 60, "root-route", Some(route.place)));
        }
    }
    if scene.language == Some("static")
        && scene.chosen.is_some()
        && let Some(found) = view.read("index.html", Priority::Config)
    {
        hits.push(HealthHit::new("/", 60, "root-route", Some(Place::file(&found.path))));
    }
    hits
}

/// `/health` of Railpack's own Caddyfile, or what the app's own one answers.
fn caddy_health(view: &View<'_>, plan: &Plan) -> Option<HealthHit> {
    let Some(found) = ["Caddyfile.template", "Caddyfile"].iter().find_map(|name| view.read(name, Priority::Config)) else {
        return Some(HealthHit::new("/health", 40, "caddy-health", plan.place.clone()));
    };
    found.text.lines().enumerate().find_map(|(index, line)| {
        let mut words = line.split_whitespace();
        let path = words.next().filter(|w| *w == "respond").and_then(|_| words.next()).filter(|p| p.starts_with('/'))?;
        let answers = words.any(|w| w == "200") || line.trim_end().ends_with('"');
        let place = Place::line(&found.path, u32::try_from(index + 1).ok()?);
        answers.then(|| HealthHit::new(path, 40, "caddy-health", Some(place)))
    })
}

fn body_only(answer: &mut Analysis, framework: Option<&Framework>, notes: &mut Notes) {
    let place = framework.and_then(|f| f.place.clone());
    let message = "gofr answers 200 on /.well-known/health even when a dependency is down; the state is in the body";
    notes.say("health-body-only", message, place.as_ref());
    let path = "/.well-known/alive";
    notes.ranked(EvidenceField::LivenessPath, path, place.as_ref(), "gofr-alive", 30, true);
    answer.suggested_liveness_path = HealthPath::parse(path).ok();
}

fn dialect(view: &View<'_>, language: &str, sources: &Sources) -> Option<&'static str> {
    let written = |suffixes: &[&str]| sources.files.iter().any(|f| suffixes.iter().any(|s| f.path.as_str().ends_with(s)));
    match language {
        "node" if view.has("tsconfig.json") || written(&[".ts", ".tsx", ".mts"]) => Some("typescript"),
        "node" => Some("javascript"),
        "deno" => Some("typescript"),
        "java" if view.has("src/main/kotlin") || view.has("build.gradle.kts") && written(&[".kt"]) => Some("kotlin"),
        "java" if view.has("src/main/scala") => Some("scala"),
        "java" if view.has("src/main/groovy") => Some("groovy"),
        "java" => Some("java"),
        "dotnet" => Some("csharp"),
        _ => None,
    }
}

fn verdict(plan: &Plan) -> RailpackVerdict {
    RailpackVerdict {
        provider: plan.provider.map(|p| p.name().to_owned()),
        detected_provider: plan.detected.as_ref().map(|d| d.provider.name().to_owned()),
        start_command: plan.start.clone(),
        output_directory: plan.output.clone(),
        metadata: plan.metadata.clone(),
        success: plan.success(),
        failure: plan.failure.map(str::to_owned),
    }
}

const LOCKS: &[(&str, &str)] = &[
    ("package-lock.json", "npm"),
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

/// What is noteworthy apart from the answer.
fn look_around(view: &View<'_>, scene: &Scene<'_>, answer: &Analysis, fallback: bool, notes: &mut Notes) {
    let plan = scene.plan;
    if plan.failure == Some("no-start-command") && scene.chosen.is_none() {
        let provider = plan.provider.map_or("", Provider::name);
        let message = format!("Railpack finds no start command for {provider}, so the build fails");
        notes.advise("no-start-command", message, plan.place.as_ref(), "add a start script or a Procfile");
    }
    if let Some((line, place)) = scene.starts.iter().find(|(line, _)| start_flags::is_dev_server(line)) {
        let program = line.split_whitespace().next().unwrap_or_default();
        notes.say("dev-server-start", format!("the start command runs a development server ({program})"), place.as_ref());
    }
    if plan.provider == Some(Provider::Dotnet) && scene.framework.is_none() {
        notes.say(
            "dotnet-console",
            "the project is not a web project but is started with ASPNETCORE_URLS",
            plan.place.as_ref(),
        );
    }
    if plan.provider == Some(Provider::Node) {
        let mut managers: Vec<&str> = LOCKS.iter().filter(|(lock, _)| view.has(lock)).map(|(_, manager)| *manager).collect();
        managers.dedup();
        if managers.len() > 1 {
            let winner = plan.package_manager.unwrap_or("npm");
            let message = format!("lock files of {} are present; {winner} is used", managers.join(" and "));
            notes.say("stale-lockfile", message, None);
        }
        let depends = plan.manifest.as_ref().is_some_and(|m| !m.dependencies.is_empty());
        if managers.is_empty() && depends && !fallback {
            notes.say(
                "lockfile-missing",
                "package.json has dependencies but no lock file is committed",
                plan.place.as_ref(),
            );
        }
        if view.has("node_modules") {
            notes.say("node-modules-committed", "node_modules is committed", None);
        }
    }
    if let Some(found) = view.read(".env", Priority::Config)
        && let Some(name) = dotenv::secret_names(found.text).first()
    {
        notes.say(
            "env-committed",
            format!(".env is committed and {name} looks like a secret"),
            Some(&Place::file(&found.path)),
        );
    }
    for name in ["nixpacks.toml", "project.toml"].iter().filter(|name| view.has_file(name)) {
        let place = view.at(name).map(|path| Place::file(&path));
        notes.say("foreign-builder-config", format!("{name} configures another builder and is not used"), place.as_ref());
    }
    if let Some(second) = runner_up(view, plan) {
        let (winner, loser) = (plan.provider.map_or("", Provider::name), second.0.name());
        let message = format!("{} would make this {loser}, but {winner} comes first", second.1.file);
        let hint = "move one of the two apps into a directory of its own";
        notes.advise("several-providers", message, Some(&second.1), hint);
    }
    if answer.language.is_none() && answer.dockerfile.is_none() && view.facts.dir(view.root()).is_some() {
        notes.say("nothing-detected", format!("nothing in {} is recognised", view.root()), None);
    }
}

/// Another provider whose manifest is present and has dependencies of its own.
fn runner_up(view: &View<'_>, plan: &Plan) -> Option<(Provider, Place)> {
    let winner = plan.provider?;
    let after = Provider::ALL.into_iter().skip_while(|p| *p != winner).skip(1);
    for (provider, file, needles) in [
        (Provider::Python, "requirements.txt", &["=", "\n"][..]),
        (Provider::Node, "package.json", &["\"dependencies\""][..]),
        (Provider::Rust, "Cargo.toml", &["[dependencies]"][..]),
        (Provider::Ruby, "Gemfile", &["gem "][..]),
    ] {
        if after.clone().any(|p| p == provider)
            && let Some(found) = view.read(file, Priority::Manifest)
            && needles.iter().any(|n| found.text.contains(n))
        {
            return Some((provider, Place::file(&found.path)));
        }
    }
    None
}

fn advise_root(answer: &Analysis, notes: &mut Notes) {
    let Some(first) = answer.candidates.first() else { return };
    let hint = format!("set rootPath to {}", first.root_path);
    if answer.provider.is_none() && answer.language.is_none() {
        let message = format!("nothing is recognised in {}, but {} can be deployed", answer.root_path, first.root_path);
        notes.advise("root-has-no-app", message, None, &hint);
    }
    if answer.candidates.len() > 1 {
        let message = format!("{} directories below {} can be deployed", answer.candidates.len(), answer.root_path);
        notes.advise("monorepo-choose-root", message, None, &hint);
    }
}

fn finish(view: &View<'_>, mut answer: Analysis, mut notes: Notes) -> Analysis {
    if view.facts.is_cut() {
        notes.say("analysis-incomplete", "a budget cut the analysis short, so the answer may lack something", None);
    }
    if !answer.candidates.is_empty() && answer.language.is_none() {
        notes.retract("nothing-detected");
    }
    answer.complete = !view.facts.is_cut();
    let (evidence, diagnostics) = notes.finish(view.config.max_evidence, view.config.max_diagnostics);
    answer.warnings = diagnostics.iter().filter(|d| d.severity != Severity::Info).map(|d| d.message.clone()).collect();
    answer.evidence = evidence;
    answer.diagnostics = diagnostics;
    answer
}
