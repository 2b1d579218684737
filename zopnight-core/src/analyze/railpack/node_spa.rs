//! Which Node apps are single-page apps, and where their files end up.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::evidence::{Notes, Place};
use super::super::parse::json;
use super::super::view::View;
use super::node::{self, Manager, Manifest};

/// What Railpack knows of a Node app.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeApp {
    pub(crate) manager: Manager,
    pub(crate) spa: bool,
    pub(crate) output: Option<String>,
    pub(crate) runtime: &'static str,
    /// The framework test that matched first, in Railpack's order for single-page apps.
    pub(crate) bundler: Option<&'static str>,
}

static SSR_OFF: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?m)(?:^|[{,])\s*['"]?ssr['"]?\s*:\s*false\b"#).ok());
static BUILD_DIRECTORY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"buildDirectory:\s*['"](.+?)['"]"#).ok());
static OUT_DIR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"outDir:\s*['"](.+?)['"]"#).ok());
static DIST_DIR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"distDir:\s*['"](.+?)['"]"#).ok());
static VITE_FLAG: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"vite\s+build(?:\s+-[^\s]*)*\s+(?:--outDir)\s+([^-\s;]+)").ok());

const VITE: &[&str] = &["vite.config.js", "vite.config.ts"];
const REACT_ROUTER: &[&str] = &["react-router.config.js", "react-router.config.ts"];
const ASTRO: &[&str] = &["astro.config.mjs", "astro.config.ts"];
const NEXT: &[&str] = &["next.config.js", "next.config.mjs", "next.config.ts"];

/// Start scripts that a single-page app may have and still be one.
const DEFAULT_STARTS: &[&str] =
    &["ng serve", "react-scripts start", "expo start", "next start", "react-router-serve ./build/server/index.js"];

pub(crate) fn inspect(view: &View<'_>, manifest: &Manifest, custom_start: bool, notes: &mut Notes) -> NodeApp {
    let manager = node::manager(view, manifest);
    let tests = Tests::of(view, manifest);
    let output = view.env("SPA_OUTPUT_DIR").map(str::to_owned).or_else(|| tests.output(view, manifest, notes));
    let script = manifest.script("start");
    let own_start = !script.is_empty() && !DEFAULT_STARTS.contains(&script);
    let bundler = tests.bundler();
    let capable = output.is_some() && if tests.react_router { tests.react_router_spa } else { bundler.is_some() };
    let spa = if view.env_truthy("NO_SPA") {
        false
    } else if view.env("SPA_OUTPUT_DIR").is_some() {
        true
    } else {
        !custom_start && !own_start && capable
    };
    if capable && !spa && own_start && !view.env_truthy("NO_SPA") {
        let place = manifest.path.as_ref().map(Place::file);
        let message = "the start script makes this a Node server although the app is static files";
        let hint = "remove the start script or set RAILPACK_SPA_OUTPUT_DIR";
        notes.advise("spa-disabled-by-start", message, place.as_ref(), hint);
    }
    let runtime = if spa { bundler.unwrap_or("static") } else { tests.runtime(manifest, manager) };
    NodeApp { manager, spa, output, runtime, bundler }
}

/// Railpack's framework tests.
#[derive(Debug, Default)]
struct Tests {
    react_router: bool,
    react_router_spa: bool,
    vite: bool,
    astro: bool,
    astro_spa: bool,
    next_spa: bool,
    cra: bool,
    angular: bool,
    expo: bool,
}

impl Tests {
    fn of(view: &View<'_>, manifest: &Manifest) -> Self {
        let build = manifest.build_script();
        let dep = |name: &str| manifest.has_dep(name);
        let sveltekit = dep("svelte") && dep("@sveltejs/kit");
        let tanstack = manifest.dependencies.contains_key("@tanstack/react-start");
        let router = !build.is_empty()
            && (view.has_any(REACT_ROUTER) || build.contains("react-router build") || dep("@react-router/dev"));
        let astro = view.has_any(ASTRO) && build.contains("astro build");
        let adapters = ["@astrojs/node", "@astrojs/vercel", "@astrojs/cloudflare", "@astrojs/netlify"];
        let static_export = |text: &str| text.contains("output: 'export'") || text.contains("output: \"export\"");
        Self {
            react_router: router,
            react_router_spa: router && first_text(view, REACT_ROUTER).is_some_and(|t| hit(&SSR_OFF, t)),
            vite: dep("vite")
                && !build.is_empty()
                && (build.contains("vite build") || view.has_any(VITE))
                && !sveltekit
                && !tanstack,
            astro,
            astro_spa: astro
                && !first_text(view, ASTRO).is_some_and(|t| t.contains("output: 'server'"))
                && !adapters.iter().any(|a| dep(a)),
            next_spa: dep("next") && first_text(view, NEXT).is_some_and(static_export),
            cra: dep("react-scripts") && build.contains("react-scripts build"),
            angular: dep("@angular/core") && view.has("angular.json") && build.contains("ng build"),
            expo: dep("expo") && dep("react-native-web") && expo_is_static(view),
        }
    }

    fn bundler(&self) -> Option<&'static str> {
        let tests = [
            (self.react_router_spa, "react-router"),
            (self.vite && (self.react_router_spa || !self.react_router), "vite"),
            (self.astro_spa, "astro"),
            (self.next_spa, "next"),
            (self.cra, "cra"),
            (self.angular, "angular"),
            (self.expo, "expo"),
        ];
        tests.iter().find(|(matched, _)| *matched).map(|(_, name)| *name)
    }

    fn runtime(&self, manifest: &Manifest, manager: Manager) -> &'static str {
        if manifest.has_dep("next") {
            "next"
        } else if manifest.has_dep("nuxt") {
            "nuxt"
        } else if manifest.has_dep("@remix-run/node") {
            "remix"
        } else if manifest.dependencies.contains_key("@tanstack/react-start") {
            "tanstack-start"
        } else if self.vite {
            "vite"
        } else if self.react_router {
            "react-router"
        } else if self.astro {
            "astro"
        } else if manager == Manager::Bun {
            "bun"
        } else {
            "node"
        }
    }

    fn output(&self, view: &View<'_>, manifest: &Manifest, notes: &mut Notes) -> Option<String> {
        let in_config = |names, pattern| first_text(view, names).and_then(|text| group(pattern, text));
        if self.react_router {
            in_config(REACT_ROUTER, &BUILD_DIRECTORY).or_else(|| Some("build/client/".to_owned()))
        } else if self.vite {
            let flag = || group(&VITE_FLAG, manifest.script("build"));
            in_config(VITE, &OUT_DIR).or_else(flag).or_else(|| Some("dist".to_owned()))
        } else if self.astro {
            in_config(ASTRO, &OUT_DIR).or_else(|| Some("dist".to_owned()))
        } else if self.next_spa {
            in_config(NEXT, &DIST_DIR).or_else(|| Some("out".to_owned()))
        } else if self.cra {
            Some("build".to_owned())
        } else if self.angular {
            angular_output(view, notes)
        } else if self.expo {
            Some("dist".to_owned())
        } else {
            None
        }
    }
}

fn first_text<'a>(view: &View<'a>, names: &[&str]) -> Option<&'a str> {
    names.iter().find(|name| view.has(name)).and_then(|name| view.raw(name))
}

fn hit(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|p| p.is_match(text))
}

fn group(pattern: &LazyLock<Option<Regex>>, text: &str) -> Option<String> {
    pattern.as_ref()?.captures(text)?.get(1).map(|m| m.as_str().to_owned())
}

fn expo_is_static(view: &View<'_>) -> bool {
    let value = view.raw("app.json").and_then(json::parse);
    let output = value.as_ref().and_then(|v| v.pointer("/expo/web/output")).and_then(Value::as_str);
    output.is_some_and(|o| o.eq_ignore_ascii_case("static") || o.eq_ignore_ascii_case("single"))
}

fn angular_output(view: &View<'_>, notes: &mut Notes) -> Option<String> {
    let value = json::parse(view.raw("angular.json")?)?;
    let projects = value.get("projects")?.as_object()?;
    let mut keys: Vec<&String> = projects.keys().collect();
    keys.sort();
    let named = view.env("ANGULAR_PROJECT");
    let key = named.map_or_else(|| keys.first().map(|k| k.as_str()), Some)?;
    if named.is_none() && keys.len() > 1 {
        let message = format!("angular.json has several projects; {key} is taken, Railpack takes any");
        notes.say("angular-project-random", message, view.at("angular.json").map(|p| Place::file(&p)).as_ref());
    }
    let build = projects.get(key)?.pointer("/architect/build")?;
    let options = build.get("options")?;
    let path = options.get("outputPath").and_then(Value::as_str);
    let application = build.get("builder").and_then(Value::as_str) == Some("@angular-devkit/build-angular:application");
    let nested = application || options.get("browser").is_some();
    let path = path.unwrap_or_default();
    let path = if nested { format!("{}/browser", path.trim_end_matches('/')) } else { path.to_owned() };
    (!path.is_empty()).then_some(path)
}
