//! Ports in start commands: flags, leading variables, positions, and the documented defaults of server programs.

use super::dockerfile::expand::expand;
use super::parse::shell;
use super::source::address;

/// A port that a start command gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlagHit {
    pub(crate) port: Option<u16>,
    pub(crate) env: Option<String>,
    /// A default of the program, not a flag.
    pub(crate) default: bool,
}

/// Flags whose value is a port or an address, whatever the program.
const ANY: &[&str] = &[
    "--port",
    "--http-port",
    "--server-port",
    "--http.port",
    "--server.port",
    "-Dserver.port",
    "-Dquarkus.http.port",
    "-Dmicronaut.server.port",
    "-Dhttp.port",
    "-Dswarm.http.port",
    "--bind",
    "--listen",
    "--addr",
    "--address",
    "--http-addr",
    "--urls",
];

const LEADING: &[&str] = &["PORT", "HTTP_PORT", "SERVER_PORT", "ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS"];

/// Programs for which `-p N` means a port.
const SHORT_P: &[&str] = &[
    "next",
    "nuxt",
    "serve",
    "http-server",
    "rails",
    "rackup",
    "puma",
    "thin",
    "unicorn",
    "flask",
    "srvx",
    "gatsby",
    "docusaurus",
    "sirv",
    "php-cgi",
];

const RUNNERS: &[&str] = &[
    "npx", "bunx", "pnpm", "yarn", "bundle", "poetry", "uv", "exec", "run", "python", "python3", "-m", "--", "node", "dlx",
];

/// The ports of a start command. `lookup` knows the image's variables.
pub(crate) fn hits(start: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<FlagHit> {
    let commands = shell::commands(start);
    let found = commands.iter().rev().map(|words| of_command(words, lookup));
    found.into_iter().find(|hits| !hits.is_empty()).unwrap_or_default()
}

/// The program of a simple command, runners looked through.
pub(crate) fn program(words: &[String]) -> Option<&str> {
    let rest = words.iter().filter(|w| !shell::is_assignment(w)).map(|w| w.rsplit('/').next().unwrap_or(w));
    let mut rest = rest.peekable();
    let mut last = None;
    while let Some(word) = rest.next() {
        last = Some(word);
        let continues = rest.peek().is_some_and(|next| !next.starts_with('-') || *next == "-m");
        if !RUNNERS.contains(&word) || !continues {
            break;
        }
    }
    last
}

fn of_command(words: &[String], lookup: &dyn Fn(&str) -> Option<String>) -> Vec<FlagHit> {
    let mut found = Vec::new();
    let mut push = |value: &str| found.extend(value_of(value, lookup));
    let program = program(words).unwrap_or_default();
    for (index, word) in words.iter().enumerate() {
        let next = words.get(index + 1).map(String::as_str);
        if shell::is_assignment(word) {
            if let Some((_, value)) = word.split_once('=').filter(|(name, _)| LEADING.contains(name)) {
                push(value);
            }
            continue;
        }
        let (flag, inline) = word.split_once('=').map_or((word.as_str(), None), |(f, v)| (f, Some(v)));
        let value = inline.or(next);
        let takes = ANY.contains(&flag)
            || (flag == "-p" && SHORT_P.contains(&program))
            || (flag == "-l" && program == "serve")
            || (flag == "-b" && matches!(program, "gunicorn" | "hypercorn" | "puma"))
            || (matches!(flag, "--http" | "--http-socket") && program == "uwsgi")
            || (flag == "-S" && program == "php");
        if takes && let Some(value) = value {
            push(value);
        }
    }
    positional(words, program, &mut push);
    if found.is_empty() {
        found.extend(default_of(words, program));
    }
    found
}

fn positional(words: &[String], program: &str, push: &mut dyn FnMut(&str)) {
    let after =
        |name: &str| words.iter().position(|w| w == name || w.ends_with(&format!("/{name}"))).and_then(|i| words.get(i + 1));
    let value = match program {
        "http.server" => after("http.server"),
        "manage.py" => after("runserver"),
        _ => None,
    };
    if let Some(value) = value.filter(|v| v.contains(|c: char| c.is_ascii_digit() || c == '$')) {
        push(value);
    }
}

fn default_of(words: &[String], program: &str) -> Option<FlagHit> {
    let has = |word: &str| words.iter().any(|w| w == word);
    let by_env = |port| FlagHit { port: Some(port), env: Some("PORT".to_owned()), default: true };
    let fixed = |port| FlagHit { port: Some(port), env: None, default: true };
    match program {
        "uvicorn" | "granian" | "daphne" | "hypercorn" => Some(fixed(8000)),
        "fastapi" if has("run") => Some(fixed(8000)),
        "gunicorn" => Some(by_env(8000)),
        "streamlit" if has("run") => Some(fixed(8501)),
        "http.server" => Some(fixed(8000)),
        "manage.py" if has("runserver") => Some(fixed(8000)),
        "flask" if has("run") => Some(fixed(5000)),
        "rails" if has("server") || has("s") => Some(by_env(3000)),
        "rackup" => Some(fixed(9292)),
        "puma" => Some(by_env(9292)),
        "waitress-serve" => Some(fixed(8080)),
        "next" | "nuxt" if has("start") => Some(by_env(3000)),
        "remix-serve" | "react-router-serve" | "srvx" => Some(by_env(3000)),
        "vite" if has("preview") => Some(fixed(4173)),
        "gatsby" if has("serve") => Some(fixed(9000)),
        "ng" if has("serve") => Some(fixed(4200)),
        "react-scripts" if has("start") => Some(by_env(3000)),
        "serve" => Some(by_env(3000)),
        "build" if has("node") => Some(by_env(3000)),
        _ => None,
    }
}

/// `N`, `host:N`, `$V`, `${V:-N}`, `host:$V`.
fn value_of(value: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<FlagHit> {
    let env = variable(value);
    let port = expand(value, lookup).and_then(|text| address(&text).port);
    (port.is_some() || env.is_some()).then_some(FlagHit { port, env, default: false })
}

/// The last variable of a word.
fn variable(value: &str) -> Option<String> {
    let (_, tail) = value.rsplit_once('$')?;
    let tail = tail.strip_prefix('{').unwrap_or(tail);
    let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(tail.len());
    tail.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Whether the command runs a development server.
pub(crate) fn is_dev_server(start: &str) -> bool {
    shell::commands(start).iter().any(|words| {
        let program = program(words).unwrap_or_default();
        let has = |word: &str| words.iter().any(|w| w == word);
        match program {
            "nodemon" | "air" | "manage.py" => program != "manage.py" || has("runserver"),
            "vite" => !has("preview") && !has("build"),
            "next" | "nuxt" => has("dev"),
            "ng" => has("serve"),
            "react-scripts" | "vue-cli-service" => has("start") || has("serve"),
            "flask" => has("--debug"),
            _ => false,
        }
    })
}

/// Whether the command runs a worker, so that nothing listens.
pub(crate) fn is_worker(start: &str) -> bool {
    let commands = shell::commands(start);
    let Some(words) = commands.last() else { return false };
    let program = program(words).unwrap_or_default();
    let has = |word: &str| words.iter().any(|w| w == word);
    matches!(program, "sidekiq" | "rq" | "rqworker" | "dramatiq") || (program == "celery" && !has("flower"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(start: &str) -> Vec<(Option<u16>, Option<String>, bool)> {
        let lookup = |name: &str| (name == "SET").then(|| "7000".to_owned());
        hits(start, &lookup).into_iter().map(|h| (h.port, h.env, h.default)).collect()
    }

    #[test]
    fn reads_flags_variables_and_defaults() {
        let port = Some("PORT".to_owned());
        assert_eq!(ports("uvicorn main:app --host 0.0.0.0 --port ${PORT:-8000}"), [(Some(8000), port.clone(), false)]);
        assert_eq!(
            ports("python manage.py migrate && gunicorn --bind 0.0.0.0:${PORT:-8000} a:b"),
            [(Some(8000), port.clone(), false)]
        );
        assert_eq!(ports("gunicorn -b :$SET a"), [(Some(7000), Some("SET".to_owned()), false)]);
        assert_eq!(ports("java -Dserver.port=$PORT -jar x"), [(None, port.clone(), false)]);
        assert_eq!(ports("PORT=4000 node a.js"), [(Some(4000), None, false)]);
        assert_eq!(ports("npx next start -p 3001"), [(Some(3001), None, false)]);
        assert_eq!(ports("next start"), [(Some(3000), port, true)]);
        assert_eq!(ports("python -m http.server 8123"), [(Some(8123), None, false)]);
        assert_eq!(ports("mkdir -p 80"), []);
        assert_eq!(ports("php -S 0.0.0.0:99999 -t public"), []);
    }

    #[test]
    fn knows_workers_and_dev_servers() {
        assert!(is_worker("celery -A app worker") && !is_worker("gunicorn a"));
        assert!(is_dev_server("next dev") && !is_dev_server("next start") && is_dev_server("python manage.py runserver"));
    }
}
