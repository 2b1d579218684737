//! Literal GET routes, as far as health checks need them.

use std::sync::LazyLock;

use regex::Regex;

use super::super::evidence::Place;
use super::super::view::line_of;
use super::entry::Sources;
use super::prefix::{Prefixes, join};

/// A route that can be probed.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) place: Place,
    /// A group or middleware around it mentions authentication.
    pub(crate) guarded: bool,
}

/// What a health route ends in, best first.
const HEALTH: &[&str] = &[
    "/health",
    "/healthz",
    "/healthcheck",
    "/health-check",
    "/health/ready",
    "/readyz",
    "/ready",
    "/livez",
    "/live",
    "/alive",
    "/status",
    "/ping",
    "/up",
    "/_health",
    "/_healthz",
];

static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let verbs = "get|all|use|route|GET|Get|Head|HEAD|All|HandleFunc|Handle|handle|handleFunc|MapGet|add_route|add_api_route|resource|service|at|add_get|add_url_rule";
    Regex::new(&format!(r#"(\w*)\s*(?:\.|->|::)(?:{verbs})\(\s*["'`]((?:[A-Z]+ )?/?[^"'`\n]*)["'`]([^\n]*)"#)).ok()
});
static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?m)(?:^\s*get\s+|\b(?:re_)?path\(\s*r?|#\[get\(\s*|@(?:GetMapping|RequestMapping|Path)\(\s*(?:(?:value|path)\s*=\s*)?)["']([^"'\n]*)["']([^\n]*)"#).ok()
});
static NEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"@Controller\(\s*(?:["'`]([^"'`\n]*)["'`])?[^)]*\)|@(?:Get|All)\(\s*(?:["'`]([^"'`\n]*)["'`])?\s*\)"#).ok()
});

/// Every literal route with its full path; parameters and unreadable prefixes drop it.
fn routes(sources: &Sources) -> Vec<Route> {
    let prefixes: Vec<Prefixes> = sources.files.iter().map(|f| Prefixes::of(&f.code.text)).collect();
    let global = prefixes.iter().map(Prefixes::global).find(|g| !g.is_empty()).unwrap_or_default();
    let mut found = Vec::new();
    for (file, own) in sources.files.iter().zip(&prefixes) {
        let text = file.code.text.as_str();
        let mut push = |path: String, at: usize, guarded: bool| {
            let shaped = !path.contains([':', '{', '<', '*', '$', '(', ' ', '?']) && path.len() <= 200;
            if shaped && !file.code.in_string(at) {
                let path = if path.is_empty() { "/".to_owned() } else { path };
                found.push(Route { path, place: Place::line(&file.path, line_of(text, at)), guarded });
            }
        };
        for c in CALL.iter().flat_map(|r| r.captures_iter(text)).take(400) {
            let (Some(whole), Some(literal)) = (c.get(0), c.get(2)) else { continue };
            let receiver = c.get(1).map_or("", |m| m.as_str());
            let tail = c.get(3).map_or("", |m| m.as_str());
            let path = match literal.as_str().split_once(' ') {
                Some(("GET" | "HEAD", path)) => path,
                Some(_) => continue,
                None => literal.as_str(),
            };
            let mounted = path.is_empty() && own.is_mounted(receiver).is_some();
            if !(path.starts_with('/') || mounted) || mutates(tail) {
                continue;
            }
            let Some(prefix) = prefix_of(receiver, own, &prefixes) else { continue };
            push(join(global, &join(prefix, path)), whole.start(), own.is_guarded(receiver) || guards(tail));
        }
        for c in BARE.iter().flat_map(|r| r.captures_iter(text)).take(200) {
            let (Some(whole), Some(literal)) = (c.get(0), c.get(1)) else { continue };
            let django = whole.as_str().contains("path(");
            if django && c.get(2).is_some_and(|t| t.as_str().contains("include(")) {
                continue;
            }
            let slash = if django && literal.as_str().ends_with('/') && literal.as_str().len() > 1 { "/" } else { "" };
            let path = literal.as_str().trim_start_matches('^').trim_end_matches('$');
            push(format!("{}{slash}", join("", path)), whole.start(), false);
        }
        let mut controller = None;
        for c in NEST.iter().flat_map(|r| r.captures_iter(text)).take(200) {
            let Some(whole) = c.get(0) else { continue };
            if whole.as_str().starts_with("@Controller") {
                controller = Some(c.get(1).map_or("", |m| m.as_str()).to_owned());
            } else if let Some(controller) = &controller {
                let path = join(controller, c.get(2).map_or("", |m| m.as_str()));
                push(join(global, &path), whole.start(), false);
            }
        }
    }
    found
}

/// The prefix of a receiver, in its own file or where another file mounts it.
fn prefix_of<'p>(receiver: &str, own: &'p Prefixes, all: &'p [Prefixes]) -> Option<&'p str> {
    if own.is_mounted(receiver).is_none()
        && let Some(elsewhere) = all.iter().find_map(|p| p.is_mounted(receiver))
    {
        return elsewhere.as_deref();
    }
    own.of_receiver(receiver)
}

fn mutates(tail: &str) -> bool {
    let methods = ["POST", "PUT", "PATCH", "DELETE", "post(", "put(", "patch(", "delete("];
    methods.iter().any(|m| tail.contains(m)) && !tail.contains("GET") && !tail.contains("get(")
}

fn guards(tail: &str) -> bool {
    let lower = tail.to_ascii_lowercase();
    ["requireauth", "authmiddleware", "jwt", "isauthenticated", "login_required", "protect("]
        .iter()
        .any(|word| lower.contains(word))
}

/// The routes that look like health checks, the best first.
pub(crate) fn health_routes(sources: &Sources) -> Vec<Route> {
    let rank = |path: &str| {
        let lower = path.trim_end_matches('/').to_lowercase();
        HEALTH.iter().position(|end| lower == *end || lower.ends_with(end))
    };
    let mut ranked: Vec<(usize, usize, Route)> =
        routes(sources).into_iter().enumerate().filter_map(|(i, r)| Some((rank(&r.path)?, i, r))).collect();
    ranked.sort_by_key(|(rank, order, route)| (route.guarded, *rank, route.path.len(), *order));
    ranked.into_iter().map(|(_, _, route)| route).collect()
}

/// The route `/`, if a literal GET serves it.
pub(crate) fn literal_gets(sources: &Sources, path: &str) -> Option<Route> {
    routes(sources).into_iter().find(|r| r.path == path && !r.guarded)
}

#[cfg(test)]
mod tests {
    use super::super::lex::Dialect;
    use super::*;

    fn paths(code: &str, dialect: Dialect) -> Vec<String> {
        let sources = Sources::of_one("main", code, dialect);
        health_routes(&sources).into_iter().map(|r| r.path).collect()
    }

    #[test]
    fn finds_routes_with_their_prefixes() {
        assert_eq!(
            paths("app.get('/healthz', h)\napp.post('/health', h)\n// app.get('/health')\n", Dialect::Script),
            ["/healthz"]
        );
        assert_eq!(paths("v1 := r.Group(\"/api\")\nv1.GET(\"/ping\", h)\n", Dialect::Compiled), ["/api/ping"]);
        assert_eq!(
            paths("mux.HandleFunc(\"GET /health\", h)\nmux.HandleFunc(\"POST /ready\", h)\n", Dialect::Compiled),
            ["/health"]
        );
        assert_eq!(paths("router = APIRouter(prefix=\"/v1\")\n@router.get(\"/health\")\n", Dialect::Hash), ["/v1/health"]);
        assert_eq!(paths("router = APIRouter(prefix=P)\n@router.get(\"/health\")\n", Dialect::Hash), Vec::<String>::new());
        assert_eq!(paths("urlpatterns = [path('health/', v)]\n", Dialect::Hash), ["/health/"]);
        assert_eq!(paths("@Controller('x')\nclass A { @Get('health') h() {} }", Dialect::Script), ["/x/health"]);
        assert_eq!(paths("app.get('/users/:id/status', h)", Dialect::Script), Vec::<String>::new());
    }
}
