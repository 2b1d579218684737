//! Listen calls.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::analysis::PortKind;

use super::super::evidence::Place;
use super::super::view::line_of;
use super::constants::{Value, eval, split_all, until_end};
use super::entry::Sources;

/// Where the port stands in a call.
#[derive(Clone, Copy, Debug)]
enum Arg {
    First,
    Second,
    Last,
    /// `port=`, `port:`, or a field of an object argument.
    Named,
    /// Everything up to the end of the statement.
    Rest,
}

/// A listen call.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) value: Value,
    pub(crate) place: Place,
    pub(crate) entry: bool,
    pub(crate) kind: PortKind,
}

struct Pattern {
    regex: Regex,
    arg: Arg,
    /// Whether the call listens even when its argument says nothing.
    certain: bool,
}

type Patterns = LazyLock<Vec<Pattern>>;

fn compile(rows: &[(&str, Arg, bool)]) -> Vec<Pattern> {
    rows.iter()
        .filter_map(|(p, arg, certain)| Some(Pattern { regex: Regex::new(p).ok()?, arg: *arg, certain: *certain }))
        .collect()
}

static NODE: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\.listen\s*\(", Arg::First, false),
        (r"\b(?:Deno\.serve|Bun\.serve|serve|startStandaloneServer)\s*\(", Arg::Named, false),
        (r"\bexport\s+default\s*\{", Arg::Named, false),
    ])
});
static PYTHON: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\b(?:uvicorn\.run|run_app|[a-z_]+\.run)\s*\(", Arg::Named, false),
        (r"\bserve\s*\(", Arg::Named, false),
        (r"\b(?:make_server|run_simple)\s*\(", Arg::Second, false),
        (r"\b(?:ThreadingHTTPServer|HTTPServer|WSGIServer|TCPServer)\s*\(", Arg::First, false),
        (r"\.listen\s*\(", Arg::First, false),
        (r"(?m)^bind\s*=", Arg::Rest, false),
    ])
});
static GO: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\bListenAndServe(?:TLS)?\s*\(", Arg::First, true),
        (r"\bnet\.Listen\s*\(", Arg::Second, true),
        (r"\b(?:\w+)\.Listen\s*\(", Arg::First, false),
        (r"\.(?:Run|Start|RunTLS)\s*\(", Arg::First, false),
        (r"\bAddr:", Arg::Rest, false),
        (r"\bWithHostPorts\s*\(", Arg::First, true),
    ])
});
static RUST: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\.bind\s*\(", Arg::First, false),
        (r"\bTcpListener::(?:bind|new)\s*\(", Arg::First, false),
        (r"\bSocketAddr::from\s*\(", Arg::First, false),
        (r"\bSocketAddr::new\s*\(", Arg::Second, false),
        (r"\.run\s*\(\s*\(", Arg::Rest, false),
    ])
});
static JVM: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\bembeddedServer\s*\(", Arg::Named, true),
        (r"\.(?:start|listen|setPort|port|bind)\s*\(", Arg::First, false),
        (r"\b(?:ServerSocket|InetSocketAddress)\s*\(", Arg::Last, false),
        (r"\bnewServerAt\s*\(", Arg::Second, true),
    ])
});
static RUBY: Patterns = LazyLock::new(|| {
    compile(&[
        (r"(?m)^\s*set\s+:port\s*,", Arg::Rest, false),
        (r"(?m)^\s*port[ (]", Arg::Rest, false),
        (r"\bTCPServer\.new\s*\(", Arg::Last, false),
    ])
});
static PHP: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\bServer\s*\(", Arg::Second, false),
        (r"->listen\s*\(", Arg::First, false),
        (r"\bWorker\s*\(", Arg::First, false),
    ])
});
static DOTNET: Patterns = LazyLock::new(|| {
    compile(&[
        (r"\.UseUrls\s*\(", Arg::First, true),
        (r"\b[Aa]pp\.Run\s*\(", Arg::First, false),
        (r"\bListenAnyIP\s*\(", Arg::First, true),
        (r"\.Listen\s*\(", Arg::Second, false),
        (r"\bUrls\.Add\s*\(", Arg::First, true),
    ])
});

/// The listen calls of all files, in file order.
pub(crate) fn listens(sources: &Sources, language: &str) -> Vec<Listen> {
    let patterns: &[Pattern] = match language {
        "node" | "deno" => &NODE,
        "python" => &PYTHON,
        "go" => &GO,
        "rust" => &RUST,
        "java" => &JVM,
        "ruby" => &RUBY,
        "php" => &PHP,
        "dotnet" => &DOTNET,
        _ => return Vec::new(),
    };
    let mut found: Vec<(usize, usize, Listen)> = Vec::new();
    for (index, file) in sources.files.iter().enumerate() {
        let text = file.code.text.as_str();
        for pattern in patterns {
            for hit in pattern.regex.find_iter(text).take(20).filter(|hit| !file.code.in_string(hit.start())) {
                let after = text.get(hit.end()..).unwrap_or_default();
                let Some(value) = argument(sources, index, after, pattern) else { continue };
                let known =
                    found.iter().any(|(i, at, l)| *i == index && (hit.start().abs_diff(*at) < 40 && l.value == value));
                if !known {
                    let place = Place::line(&file.path, line_of(text, hit.start()));
                    let kind = if speaks_grpc(text, hit.start()) { PortKind::Grpc } else { PortKind::Http };
                    found.push((index, hit.start(), Listen { value, place, entry: file.entry, kind }));
                }
            }
        }
    }
    found.sort_by_key(|(index, at, _)| (*index, *at));
    found.into_iter().map(|(_, _, listen)| listen).collect()
}

fn speaks_grpc(text: &str, at: usize) -> bool {
    let raw = text.get(at..).is_some_and(|t| t.starts_with("net.Listen"));
    raw && text.contains("google.golang.org/grpc") && !text.contains(".Serve(lis, ") && !text.contains("http.Serve(")
}

fn argument(sources: &Sources, file: usize, after: &str, pattern: &Pattern) -> Option<Value> {
    let inside = match pattern.arg {
        Arg::Rest => until_end(after),
        _ => until_close(after),
    };
    let arguments = split_all(inside);
    let value = match pattern.arg {
        Arg::First | Arg::Rest => arguments.first().map(|a| of(sources, file, a)),
        Arg::Second => arguments.get(1).map(|a| of(sources, file, a)),
        Arg::Last => arguments.last().map(|a| of(sources, file, a)),
        Arg::Named => named(sources, file, &arguments),
    };
    match value {
        Some(value) if !value.is_empty() => Some(value),
        value if pattern.certain => Some(value.unwrap_or_default()),
        _ => None,
    }
}

fn of(sources: &Sources, file: usize, argument: &str) -> Value {
    let argument = argument.trim();
    if let Some(fields) = argument.strip_prefix('{').and_then(|a| a.strip_suffix('}')) {
        return named(sources, file, &split_all(fields)).unwrap_or_default();
    }
    let inner = argument.strip_prefix('(').and_then(|a| a.strip_suffix(')'));
    let tuple = inner.map(split_all).filter(|parts| parts.len() > 1);
    if let Some(last) = tuple.as_ref().and_then(|parts| parts.last()) {
        let host = tuple.as_ref().and_then(|parts| parts.first()).map_or("", |h| h.trim().trim_matches(['"', '\'']));
        let loopback = host == "localhost" || host.starts_with("127.") || host.starts_with("[127");
        return Value { loopback: Some(loopback), ..eval(sources, file, last) };
    }
    eval(sources, file, argument)
}

fn named(sources: &Sources, file: usize, arguments: &[&str]) -> Option<Value> {
    let field = |name: &str| {
        arguments.iter().find_map(|a| {
            let rest = a.trim().trim_matches(['"', '\'']).strip_prefix(name)?;
            let rest = rest.trim_start_matches(['"', '\'']).trim_start();
            if rest.is_empty() { Some(name.to_owned()) } else { Some(rest.strip_prefix([':', '='])?.trim().to_owned()) }
        })
    };
    if let Some(expression) = field("port") {
        let host = field("hostname").or_else(|| field("host")).unwrap_or_default();
        let host = host.trim_matches(['"', '\'']);
        let value = eval(sources, file, &expression);
        let loopback = (!host.is_empty()).then(|| host == "localhost" || host == "::1" || host.starts_with("127."));
        return Some(Value { loopback: loopback.or(value.loopback), ..value });
    }
    if let Some(nested) =
        field("listen").or_else(|| arguments.iter().map(|a| a.trim()).find(|a| a.starts_with('{')).map(str::to_owned))
    {
        let fields = nested.strip_prefix('{')?.strip_suffix('}')?;
        return named(sources, file, &split_all(fields));
    }
    None
}

/// The text up to the bracket that closes the call.
fn until_close(after: &str) -> &str {
    let mut rest = after;
    let mut end = 0;
    loop {
        let part = until_end(rest);
        end += part.len();
        match after.as_bytes().get(end) {
            Some(b',' | b';' | b'\n') if end - (after.len() - rest.len()) <= 2_000 && end < 4_000 => {
                end += 1;
                rest = after.get(end..).unwrap_or_default();
            }
            _ => return after.get(..end).unwrap_or_default(),
        }
    }
}
