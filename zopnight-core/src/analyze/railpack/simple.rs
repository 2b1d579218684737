//! The providers with a one-line rule.

use std::sync::LazyLock;

use regex::Regex;

use super::super::evidence::Notes;
use super::super::glob;
use super::super::parse::yaml;
use super::super::view::View;
use super::super::wants::Priority;
use super::order::Provider;

/// What serves a single-page app.
pub(crate) const CADDY_NODE: &str = "caddy run --config /Caddyfile --adapter caddyfile 2>&1";
/// What serves a static site.
pub(crate) const CADDY_STATIC: &str = "caddy run --config Caddyfile --adapter caddyfile 2>&1";

static SHEBANG: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^#!\s?/(usr/)?bin/(env\s+)?(sh|bash|mksh|bats|zsh)(\s|$)").ok());

pub(crate) fn start(view: &View<'_>, provider: Provider, notes: &mut Notes) -> Option<String> {
    match provider {
        Provider::Php => Some("/start-container.sh".to_owned()),
        Provider::Elixir => Some(elixir(view)),
        Provider::Deno => deno(view),
        Provider::Dotnet => {
            let project = view.root_entries().iter().find(|e| glob::matches("*.csproj", &e.name))?;
            let stem = project.name.strip_suffix(".csproj")?;
            Some(format!("ASPNETCORE_URLS=http://0.0.0.0:${{PORT:-3000}} ./out/{stem}"))
        }
        Provider::Gleam => Some("./build/erlang-shipment/entrypoint.sh run".to_owned()),
        Provider::Cpp => {
            if view.root().is_root() {
                let message = format!("the start command /build/{} depends on the name of the checkout", view.app_name());
                notes.say("cpp-start-name", message, None);
            }
            Some(format!("/build/{}", view.app_name()))
        }
        Provider::Shell => shell(view),
        _ => None,
    }
}

fn elixir(view: &View<'_>) -> String {
    let text = view.raw("mix.exs").unwrap_or_default();
    let name = text.lines().find(|line| line.contains("app: :")).map_or_else(String::new, |line| {
        let rest = line.replacen("app:", "", 1);
        rest.split(':').nth(1).unwrap_or_default().trim_matches([',', '\'', '"']).trim().to_owned()
    });
    let name = name.trim_end_matches([',', '\'', '"']);
    format!("/app/_build/prod/rel/{name}/bin/{name} start")
}

fn deno(view: &View<'_>) -> Option<String> {
    let main = ["main.ts", "main.js", "main.mjs", "main.mts"].into_iter().find(|name| view.has(name));
    let file = match main {
        Some(main) => main.to_owned(),
        None => {
            let files = view.walk(view.root(), 3, Priority::Entry);
            let script = |name: &str| [".ts", ".js", ".mjs", ".mts"].iter().any(|end| name.ends_with(end));
            let found = files.iter().find(|f| f.file_name().is_some_and(script))?;
            found.relative_to(view.root())?.to_string()
        }
    };
    Some(format!("deno run --allow-all {file}"))
}

/// The interpreter of the start script.
pub(crate) fn interpreter(view: &View<'_>) -> &'static str {
    let text = view.raw(view.env("SHELL_SCRIPT").unwrap_or("start.sh")).unwrap_or_default();
    let found = SHEBANG.as_ref().and_then(|r| r.captures(text)).and_then(|c| c.get(3)).map(|m| m.as_str());
    match found {
        Some("bash" | "mksh") => "bash",
        Some("zsh") => "zsh",
        _ => "sh",
    }
}

fn shell(view: &View<'_>) -> Option<String> {
    let script = view.env("SHELL_SCRIPT").unwrap_or("start.sh");
    Some(format!("{} {script}", interpreter(view)))
}

/// The directory a static site is served from.
pub(crate) fn static_root(view: &View<'_>) -> Option<String> {
    if let Some(root) = view.env("STATIC_FILE_ROOT") {
        return Some(root.to_owned());
    }
    let declared = view.raw("Staticfile").and_then(yaml::parse);
    let root =
        declared.as_ref().and_then(|v| v.get("root")).and_then(|r| r.as_str()).map(str::trim).filter(|r| !r.is_empty());
    let public = if view.has("public") { "public" } else { "." };
    Some(root.unwrap_or(public).to_owned())
}
