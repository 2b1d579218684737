//! Health routes that a framework is known to serve because a feature of it is provably on.

use crate::domain::RepoPath;

use super::super::evidence::Place;
use super::super::health::HealthHit;
use super::super::source::Sources;
use super::super::view::{View, line_with};
use super::super::wants::Priority;
use super::detect::Framework;

/// The framework's own health routes.
pub(crate) fn health(view: &View<'_>, framework: &Framework, sources: &Sources) -> Vec<HealthHit> {
    match framework.id {
        "next" => next(view),
        "nuxt" | "nitro" | "h3" => {
            by_files(view, &["server/api", "server/routes"], |dir| if dir == "server/api" { "/api" } else { "" })
        }
        "remix" => by_files(view, &["app/routes"], |_| ""),
        "astro" => by_files(view, &["src/pages", "src/pages/api"], |dir| if dir == "src/pages" { "" } else { "/api" }),
        "sveltekit" => sveltekit(view),
        "rails" => on_text(view, "config/routes.rb", "rails/health#show", "/up", "rails-health"),
        "laravel" => on_text(view, "bootstrap/app.php", "health:", "/up", "laravel-health"),
        "spring-boot" => actuator(view),
        "aspnetcore" => map_health_checks(sources),
        _ => Vec::new(),
    }
}

fn on_text(view: &View<'_>, file: &str, needle: &str, path: &str, rule: &'static str) -> Vec<HealthHit> {
    let found = view.read(file, Priority::Config).filter(|f| f.text.contains(needle));
    found
        .map(|f| HealthHit::new(path, 30, rule, Some(Place::line(&f.path, line_with(f.text, needle)))))
        .into_iter()
        .collect()
}

const HEALTH_NAMES: &[&str] = &["health", "healthz", "healthcheck"];

fn next(view: &View<'_>) -> Vec<HealthHit> {
    let mut hits = Vec::new();
    for base in ["app", "src/app"] {
        let Some(start) = view.at(base).filter(|_| view.has_dir(base)) else { continue };
        for file in view.walk(&start, 3, Priority::Source) {
            let named = file
                .parent()
                .and_then(|d| d.file_name().map(str::to_owned))
                .is_some_and(|d| HEALTH_NAMES.contains(&d.as_str()));
            if named && file.file_name().is_some_and(|n| n.starts_with("route.")) {
                hits.extend(hit_at(&start, &file.parent().unwrap_or_else(RepoPath::root), &file));
            }
        }
    }
    for base in ["pages", "src/pages"] {
        let Some(start) = view.at(base).filter(|_| view.has_dir(base)) else { continue };
        let Ok(api) = start.join("api") else { continue };
        for entry in view.list(&api, Priority::Source) {
            let stem = entry.name.split('.').next().unwrap_or_default();
            if HEALTH_NAMES.contains(&stem)
                && let Ok(file) = api.join(&entry.name)
            {
                hits.push(HealthHit::new(&format!("/api/{stem}"), 30, "file-route", Some(Place::file(&file))));
            }
        }
    }
    hits.sort_by_key(|h| h.path.len());
    hits
}

/// The route of a directory below the router's base; groups `(x)` vanish, parameters disqualify.
fn hit_at(base: &RepoPath, dir: &RepoPath, file: &RepoPath) -> Option<HealthHit> {
    let below = dir.relative_to(base)?;
    let parts: Vec<&str> = below.components().filter(|c| !c.starts_with('(')).collect();
    if parts.is_empty() || parts.iter().any(|p| p.contains('[') || p.starts_with('@')) {
        return None;
    }
    Some(HealthHit::new(&format!("/{}", parts.join("/")), 30, "file-route", Some(Place::file(file))))
}

fn by_files(view: &View<'_>, dirs: &[&str], prefix: impl Fn(&str) -> &'static str) -> Vec<HealthHit> {
    let mut hits = Vec::new();
    for dir in dirs {
        let Some(path) = view.at(dir).filter(|_| view.has_dir(dir)) else { continue };
        for entry in view.list(&path, Priority::Source) {
            let stem = entry.name.split('.').next().unwrap_or_default();
            if HEALTH_NAMES.contains(&stem)
                && entry.name.contains('.')
                && let Ok(file) = path.join(&entry.name)
            {
                hits.push(HealthHit::new(&format!("{}/{stem}", prefix(dir)), 30, "file-route", Some(Place::file(&file))));
            }
        }
    }
    hits
}

fn sveltekit(view: &View<'_>) -> Vec<HealthHit> {
    let Some(start) = view.at("src/routes").filter(|_| view.has_dir("src/routes")) else { return Vec::new() };
    let files = view.walk(&start, 3, Priority::Source);
    let servers = files.iter().filter(|f| f.file_name().is_some_and(|n| n.starts_with("+server.")));
    let in_health = |f: &&RepoPath| {
        let dir = f.parent().and_then(|d| d.file_name().map(str::to_owned));
        dir.is_some_and(|d| HEALTH_NAMES.contains(&d.as_str()))
    };
    servers.filter(in_health).filter_map(|f| hit_at(&start, &f.parent()?, f)).collect()
}

fn actuator(view: &View<'_>) -> Vec<HealthHit> {
    let starter = "spring-boot-starter-actuator";
    let build = ["pom.xml", "build.gradle", "build.gradle.kts"];
    let found = build.iter().filter_map(|name| view.read(name, Priority::Manifest)).find(|f| f.text.contains(starter));
    let settings = view.read("src/main/resources/application.properties", Priority::Config);
    let value = |key: &str| {
        let text = settings.as_ref().map_or("", |s| s.text);
        let line = text.lines().map(str::trim).find_map(|l| l.strip_prefix(key)?.trim_start().strip_prefix(['=', ':']));
        line.map(|v| v.trim().trim_end_matches('/').to_owned())
    };
    if value("management.server.port").is_some() {
        return Vec::new();
    }
    let base = value("management.endpoints.web.base-path").unwrap_or_else(|| "/actuator".to_owned());
    let prefix = value("server.servlet.context-path").or_else(|| value("spring.webflux.base-path")).unwrap_or_default();
    let hit = |place| HealthHit::new(&format!("{prefix}{base}/health"), 30, "spring-actuator", Some(place));
    found.map(|f| hit(Place::line(&f.path, line_with(f.text, starter)))).into_iter().collect()
}

fn map_health_checks(sources: &Sources) -> Vec<HealthHit> {
    let call = "MapHealthChecks(\"";
    let Some((file, line)) = sources.find(call) else { return Vec::new() };
    let text = sources.files.iter().find(|f| f.path == *file).map_or("", |f| f.code.text.as_str());
    let path = text.split_once(call).and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
    vec![HealthHit::new(path, 30, "aspnet-health-checks", Some(Place::line(file, line)))]
}
