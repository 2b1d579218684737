//! Evaluates the expression in a port's place: literals, addresses, environment reads with fallbacks, names one level away.

use std::collections::BTreeSet;

use super::entry::Sources;
use super::lex::Code;

/// What an expression is known to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) port: Option<u16>,
    pub(crate) env: Option<String>,
    /// Whether the host of an address is a loopback one; `None` if there is no host.
    pub(crate) loopback: Option<bool>,
    /// A flag or setting may replace the number at run time.
    pub(crate) soft: bool,
}

impl Value {
    pub(crate) fn is_empty(&self) -> bool {
        self.port.is_none() && self.env.is_none()
    }

    fn or(self, fallback: Self) -> Self {
        Self {
            port: self.port.or(fallback.port),
            env: self.env.or(fallback.env),
            loopback: self.loopback.or(fallback.loopback),
            soft: self.soft || fallback.soft,
        }
    }
}

const MAX_DEPTH: u8 = 6;
const MAX_EXPRESSION: usize = 2_000;

/// Evaluates `expression`, which stands in the file with index `file`.
pub(crate) fn eval(sources: &Sources, file: usize, expression: &str) -> Value {
    at_depth(sources, file, expression, 0)
}

fn at_depth(sources: &Sources, file: usize, expression: &str, depth: u8) -> Value {
    let text = strip(expression);
    if text.is_empty() || text.len() > MAX_EXPRESSION || depth > MAX_DEPTH {
        return Value::default();
    }
    let again = |inner: &str| at_depth(sources, file, inner, depth + 1);
    if let Some(port) = number(text) {
        return Value { port: Some(port), ..Value::default() };
    }
    for operator in ["||", "??", "?:", " or ", "<>"] {
        if let Some((left, right)) = split_top(text, operator) {
            return again(left).or(again(right));
        }
    }
    if let Some((_, parts)) = text.split_once('?').filter(|_| !text.contains("?.") && !is_string(text))
        && let Some((yes, no)) = split_top(parts, ":")
    {
        return again(yes).or(again(no));
    }
    if let Some((left, right)) = split_top(text, "+") {
        let host = again(left);
        let value = again(right);
        return Value { loopback: host.loopback.or(value.loopback), ..value };
    }
    if is_string(text) {
        return string(text, &again);
    }
    if let Some(name) = env_member(text) {
        return Value { env: Some(name.to_owned()), ..Value::default() };
    }
    if text.ends_with(')')
        && let Some(open) = matching_open(text)
    {
        return call(text.get(..open).unwrap_or_default(), text.get(open + 1..text.len() - 1).unwrap_or_default(), &again);
    }
    let name = text.rsplit(['.', ':', '>']).next().unwrap_or(text).trim_end_matches(['!', '?']);
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && depth < 4;
    if plain { lookup(sources, file, name, depth) } else { Value::default() }
}

fn strip(expression: &str) -> &str {
    let mut text = expression.trim().trim_end_matches(';').trim();
    loop {
        let before = text;
        text = text.trim_start_matches(['*', '&', '+']).trim();
        for suffix in [" as string", " as number", " as any", " as u16", "!", "?"] {
            text = text.strip_suffix(suffix).unwrap_or(text).trim_end();
        }
        if text.starts_with('(') && matching_open(text) == Some(0) && split_top(&text[1..text.len() - 1], ",").is_none() {
            text = text[1..text.len() - 1].trim();
        }
        if text == before {
            return text;
        }
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = text.trim_end_matches("u16").trim_end_matches("u32").trim_end_matches('L');
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port > 0)
}

fn is_string(text: &str) -> bool {
    let body = text.trim_start_matches(['f', 'b', 'r', 'u', '$', '@']);
    let Some(quote) = body.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else { return false };
    body.len() >= 2 && body.ends_with(quote) && body.get(1..body.len() - 1).is_some_and(|inner| !inner.contains(quote))
}

fn string(text: &str, again: &dyn Fn(&str) -> Value) -> Value {
    let body = text.trim_start_matches(['f', 'b', 'r', 'u', '$', '@']);
    let inner = body.get(1..body.len() - 1).unwrap_or_default();
    let interpolated =
        inner.rfind(['{', '$']).is_some() && (inner.contains("${") || text.starts_with(['f', '$']) || inner.contains("#{"));
    if interpolated && let Some(open) = inner.rfind('{') {
        let hole = inner.get(open + 1..).and_then(|rest| rest.split('}').next()).unwrap_or_default();
        let host = address(&format!("{}1", inner.get(..open).unwrap_or_default().trim_end_matches(['$', '#'])));
        return Value { loopback: host.loopback, ..again(hole) };
    }
    address(inner)
}

/// `8080`, `:8080`, `host:8080`, `http://host:8080/x`, `[::1]:80`.
pub(crate) fn address(text: &str) -> Value {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((host, port)) = authority.rsplit_once(':') else {
        return Value { port: number(authority), ..Value::default() };
    };
    let host = host.trim_matches(['[', ']']);
    let loopback = matches!(host, "localhost" | "::1") || host.starts_with("127.");
    let known = host.is_empty() || !host.contains(['$', '{', '%', ' ']);
    Value { port: number(port), loopback: known.then_some(loopback), ..Value::default() }
}

/// The variable of `process.env.V`, `env["V"]`, `os.environ['V']`, `ENV["V"]`, `$_ENV['V']`.
fn env_member(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let at = lower.rfind("env")?;
    let after = text.get(at + 3..)?;
    let after = after.strip_prefix("iron").unwrap_or(after);
    let name = if let Some(name) = after.strip_prefix('.') {
        name
    } else {
        let inner = after.strip_prefix('[')?.strip_suffix(']')?;
        inner.trim_matches(['"', '\''])
    };
    is_env_name(name).then_some(name)
}

pub(super) fn is_env_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Functions that hand their argument through.
const TRANSPARENT: &[&str] = &[
    "int",
    "Number",
    "parseInt",
    "String",
    "str",
    "Itoa",
    "Atoi",
    "normalizePort",
    "Int",
    "valueOf",
    "ParseInt",
    "ParseUint",
    "Addr",
    "Some",
    "Ok",
    "to_string",
    "uint16",
    "toInteger",
    "Integer",
    "to_integer",
    "WithHostPorts",
    "float",
    "getInt",
    "JoinHostPort",
    "u16",
    "from",
];

fn call(callee: &str, arguments: &str, again: &dyn Fn(&str) -> Value) -> Value {
    let arguments = split_all(arguments);
    let name = callee.trim_end_matches('!').rsplit(['.', ':', ' ', '>']).next().unwrap_or(callee);
    let lower = callee.to_ascii_lowercase();
    let first = arguments.first().map_or("", |a| a.trim());
    let quoted = first.trim_matches(['"', '\'', '`']);
    let reads_env =
        lower.contains("env") || ["config", "getordefault", "getorelse"].contains(&name.to_ascii_lowercase().as_str());
    if reads_env && is_string(first) && is_env_name(quoted) {
        let rest: Vec<&str> = arguments.iter().skip(1).copied().collect();
        let fallback = rest.iter().map(|a| a.split_once("default=").map_or(*a, |(_, v)| v)).find_map(|a| {
            let value = again(a);
            (!value.is_empty()).then_some(value)
        });
        return Value { env: Some(quoted.to_owned()), ..Value::default() }.or(fallback.unwrap_or_default());
    }
    if (lower.contains("flag.") || lower.contains("setdefault"))
        && is_string(first)
        && first.to_ascii_lowercase().contains("port")
        || lower.contains("flag.") && (quoted.contains("addr") || quoted.contains("listen"))
    {
        let value = arguments.get(1).map(|a| again(a)).unwrap_or_default();
        return Value { soft: true, ..value };
    }
    if let Some(receiver) = receiver_of(callee, name)
        && [
            "parse",
            "unwrap",
            "expect",
            "toString",
            "String",
            "to_string",
            "into",
            "unwrap_or",
            "unwrap_or_else",
            "unwrap_or_default",
            "and_then",
            "ok",
            "map",
            "to_i",
            "toInt",
            "trim",
            "strip",
        ]
        .contains(&name)
    {
        let own = again(receiver);
        let closure = first.rsplit('|').next().unwrap_or(first);
        return if name.starts_with("unwrap_or") { own.or(again(closure)) } else { own };
    }
    if ["Sprintf", "format", "Sprint", "concat"].contains(&name) {
        let host = address(&format!("{}1", quoted.split(['%', '{']).next().unwrap_or_default()));
        let value = arguments.iter().skip(1).next_back().map(|a| again(a)).unwrap_or_default();
        return Value { loopback: host.loopback.or(value.loopback), ..value };
    }
    if TRANSPARENT.contains(&name) {
        let last = matches!(name, "JoinHostPort" | "from");
        return if last { arguments.last() } else { arguments.first() }.map(|a| again(a)).unwrap_or_default();
    }
    Value::default()
}

fn receiver_of<'t>(callee: &'t str, name: &str) -> Option<&'t str> {
    callee.strip_suffix(name)?.trim_end().strip_suffix('.').filter(|r| !r.is_empty())
}

/// What a name is assigned to: in its own file, else in the others. Two different numbers leave it unresolved.
fn lookup(sources: &Sources, file: usize, name: &str, depth: u8) -> Value {
    let others = (0..sources.files.len()).filter(|i| *i != file);
    for index in std::iter::once(file).chain(others) {
        let Some(source) = sources.files.get(index) else { continue };
        let values: Vec<Value> = assignments(&source.code, name)
            .into_iter()
            .map(|expression| match expression {
                Assigned::Expression(text) => at_depth(sources, index, text, depth + 1),
                Assigned::Value(value) => value,
            })
            .filter(|v| !v.is_empty())
            .collect();
        if !values.is_empty() {
            let ports: BTreeSet<u16> = values.iter().filter_map(|v| v.port).collect();
            return Value {
                port: ports.first().copied().filter(|_| ports.len() == 1),
                env: values.iter().find_map(|v| v.env.clone()),
                loopback: values.iter().find_map(|v| v.loopback),
                soft: values.iter().any(|v| v.soft),
            };
        }
    }
    Value::default()
}

enum Assigned<'t> {
    Expression(&'t str),
    Value(Value),
}

fn assignments<'t>(code: &'t Code, name: &str) -> Vec<Assigned<'t>> {
    let text = code.text.as_str();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices(name).filter(|(at, _)| !code.in_string(*at)).take(200) {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        if before.ends_with(word) || after.starts_with(word) {
            continue;
        }
        let line = after.split('\n').next().unwrap_or_default();
        if let Some(value) = tagged(before, line) {
            found.push(Assigned::Value(value));
        } else if let Some(start) = assigned_at(line) {
            let expression = until_end(after.get(start..).unwrap_or_default());
            found.push(Assigned::Expression(expression));
            if before.trim_end().ends_with(['{', ',']) && line.contains("= process.env") {
                found.push(Assigned::Value(Value { env: is_env_name(name).then(|| name.to_owned()), ..Value::default() }));
            }
        } else if line.trim_start().starts_with(['}', ',']) && line.contains("= process.env") && is_env_name(name) {
            found.push(Assigned::Value(Value { env: Some(name.to_owned()), ..Value::default() }));
        }
    }
    found
}

/// Where the assigned expression begins behind a name: after `=`, `:=`, or the `:` of a literal's field.
fn assigned_at(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let equals = bytes.iter().enumerate().position(|(i, b)| {
        *b == b'='
            && !matches!(bytes.get(i + 1), Some(b'=' | b'>'))
            && !i.checked_sub(1).and_then(|p| bytes.get(p)).is_some_and(|p| b"=!<>".contains(p))
    });
    if let Some(at) = equals {
        let between = line.get(..at)?;
        if between.len() <= 60 && !between.contains(['(', '{', '"', '\'', '[', ';', ')']) {
            return Some(at + 1);
        }
    }
    let trimmed = line.trim_start();
    let skipped = line.len() - trimmed.len();
    (trimmed.starts_with(':') && !trimmed.starts_with("::")).then_some(skipped + 1)
}

/// Go struct tags and clap attributes: `Port int `env:"PORT" envDefault:"8080"``.
fn tagged(before: &str, line: &str) -> Option<Value> {
    let first_on_line = before.rsplit('\n').next().is_some_and(|l| l.trim().is_empty());
    let tag = line.split_once('`').map(|(_, tag)| tag).filter(|_| first_on_line)?;
    let key = |name: &str| {
        let at = tag.find(name)?;
        tag.get(at + name.len()..)?.split('"').next()
    };
    let port = key("envDefault:\"").or_else(|| key("default:\"")).map(address).unwrap_or_default();
    let env = key("env:\"").or_else(|| key("envconfig:\"")).map(|e| e.split(',').next().unwrap_or(e).to_owned());
    (env.is_some() || port.port.is_some()).then_some(Value { env, soft: true, ..port })
}

/// The expression up to the end of its statement or argument.
pub(super) fn until_end(text: &str) -> &str {
    let mut depth = 0_i32;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices().take(MAX_EXPRESSION) {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth == 0 => return text.get(..at).unwrap_or_default(),
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',' | ';') if depth == 0 => return text.get(..at).unwrap_or_default(),
            (None, '\n') if depth == 0 && !text.get(..at).unwrap_or_default().trim().is_empty() => {
                let so_far = text.get(..at).unwrap_or_default().trim_end();
                let next = text.get(at..).unwrap_or_default().trim_start();
                if !so_far.ends_with("||")
                    && !so_far.ends_with("??")
                    && !next.starts_with("||")
                    && !next.starts_with("??")
                    && !next.starts_with('.')
                {
                    return text.get(..at).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    text.char_indices().nth(MAX_EXPRESSION).map_or(text, |(at, _)| text.get(..at).unwrap_or_default())
}

/// Splits at the last top-level `operator`; for `||`-like ones at the first.
pub(super) fn split_top<'t>(text: &'t str, operator: &str) -> Option<(&'t str, &'t str)> {
    let at = *top_level(text, operator).first()?;
    let at = if operator == "+" { *top_level(text, operator).last()? } else { at };
    Some((text.get(..at)?, text.get(at + operator.len()..)?))
}

/// All parts between top-level commas.
pub(super) fn split_all(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in top_level(text, ",") {
        parts.push(text.get(from..at).unwrap_or_default());
        from = at + 1;
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts.retain(|p| !p.trim().is_empty());
    parts
}

fn top_level(text: &str, operator: &str) -> Vec<usize> {
    let mut depth = 0_i32;
    let mut quote = None;
    let mut escaped = false;
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            _ if depth == 0 && at > 0 && text.get(at..).is_some_and(|rest| rest.starts_with(operator)) => found.push(at),
            _ => {}
        }
        if depth == 0 && operator == "," && at == 0 && c == ',' {
            found.push(0);
        }
    }
    found
}

/// The index of the bracket that the last `)` closes.
fn matching_open(text: &str) -> Option<usize> {
    if !text.ends_with(')') {
        return None;
    }
    let mut depth = 0_i32;
    for (at, c) in text.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::lex::Dialect;
    use super::*;

    fn value(code: &str, expression: &str) -> (Option<u16>, Option<String>) {
        let sources = Sources::of_one("main", code, Dialect::Script);
        let value = eval(&sources, 0, expression);
        (value.port, value.env)
    }

    #[test]
    fn evaluates_what_people_write() {
        let port = Some("PORT".to_owned());
        assert_eq!(value("", "process.env.PORT || 3000"), (Some(3000), port.clone()));
        assert_eq!(value("", "Number(process.env['PORT'] ?? '3000')"), (Some(3000), port.clone()));
        assert_eq!(value("const p = parseInt(process.env.PORT, 10) || 4000\n", "p"), (Some(4000), port.clone()));
        assert_eq!(value("const { PORT = 5000 } = process.env;\n", "PORT"), (Some(5000), port.clone()));
        assert_eq!(value("", "int(os.environ.get(\"PORT\", 8000))"), (Some(8000), port.clone()));
        assert_eq!(
            value("port := os.Getenv(\"PORT\")\nif port == \"\" {\n port = \"8081\"\n}\n", "\":\" + port"),
            (Some(8081), port.clone())
        );
        assert_eq!(value("a := 1\na = 2\n", "a"), (None, None));
        assert_eq!(value("", "fmt.Sprintf(\":%d\", 9090)"), (Some(9090), None));
        assert_eq!(value("", "`:${process.env.PORT}`"), (None, port.clone()));
        assert_eq!(
            value("type C struct {\n\tPort int `env:\"PORT\" envDefault:\"8088\"`\n}\n", "cfg.Port"),
            (Some(8088), port)
        );
        assert_eq!(value("", "0"), (None, None));
        assert_eq!(value("a = b\nb = a\n", "a"), (None, None));
    }

    #[test]
    fn addresses_tell_the_host() {
        assert_eq!(address("127.0.0.1:80").loopback, Some(true));
        assert_eq!(address(":80").loopback, Some(false));
        assert_eq!(address("http://[::1]:81/x").port, Some(81));
        assert_eq!(address("nothing"), Value::default());
    }
}
