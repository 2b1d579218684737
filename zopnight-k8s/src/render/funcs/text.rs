//! Text.

use gotmpl::Value;

use super::{Answer, Args, Function, arg, fault, list, string, text, to_text};
use crate::render::context::{go_quote, whole};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("quote", quote),
    ("squote", squote),
    ("indent", |a| Ok(text(indented("indent", a)?))),
    ("nindent", |a| Ok(text(["\n", &indented("nindent", a)?].concat()))),
    ("trunc", trunc),
    ("trim", |a| Ok(text(string("trim", a, 0)?.trim()))),
    ("trimSuffix", |a| two("trimSuffix", a, |suffix, s| s.strip_suffix(suffix).unwrap_or(s).to_owned())),
    ("trimPrefix", |a| two("trimPrefix", a, |prefix, s| s.strip_prefix(prefix).unwrap_or(s).to_owned())),
    ("upper", |a| Ok(text(string("upper", a, 0)?.to_uppercase()))),
    ("lower", |a| Ok(text(string("lower", a, 0)?.to_lowercase()))),
    ("replace", |a| Ok(text(string("replace", a, 2)?.replace(string("replace", a, 0)?, string("replace", a, 1)?)))),
    ("contains", |a| Ok(Value::Bool(string("contains", a, 1)?.contains(string("contains", a, 0)?)))),
    ("hasPrefix", |a| Ok(Value::Bool(string("hasPrefix", a, 1)?.starts_with(string("hasPrefix", a, 0)?)))),
    ("hasSuffix", |a| Ok(Value::Bool(string("hasSuffix", a, 1)?.ends_with(string("hasSuffix", a, 0)?)))),
    ("join", join),
    ("snakecase", |a| Ok(text(snake_case(string("snakecase", a, 0)?)))),
];

/// Lines of at most this many blanks in front; no real document is deeper.
const MAX_INDENT: i64 = 1_000;

fn two(name: &str, args: Args<'_>, f: fn(&str, &str) -> String) -> Answer {
    Ok(text(f(string(name, args, 0)?, string(name, args, 1)?)))
}

fn quote(args: Args<'_>) -> Answer {
    let quoted: Vec<String> = args.iter().filter(|v| !matches!(v, Value::Nil)).map(|v| go_quote(&to_text(v))).collect();
    Ok(text(quoted.join(" ")))
}

fn squote(args: Args<'_>) -> Answer {
    let quoted: Vec<String> =
        args.iter().filter(|v| !matches!(v, Value::Nil)).map(|v| ["'", &to_text(v), "'"].concat()).collect();
    Ok(text(quoted.join(" ")))
}

fn indented(name: &str, args: Args<'_>) -> gotmpl::Result<String> {
    let spaces = whole(arg(name, args, 0)?);
    if !(0..=MAX_INDENT).contains(&spaces) {
        return Err(fault(format!("{name}: cannot indent by {spaces}")));
    }
    let pad = " ".repeat(usize::try_from(spaces).unwrap_or(0));
    let body = string(name, args, 1)?;
    Ok([&pad, body.replace('\n', &["\n", &pad].concat()).as_str()].concat())
}

fn trunc(args: Args<'_>) -> Answer {
    let length = whole(arg("trunc", args, 0)?);
    let body = string("trunc", args, 1)?;
    let count = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= body.len() {
        return Ok(text(body));
    }
    let near = |mut at: usize| {
        while !body.is_char_boundary(at) {
            at = at.saturating_sub(1);
        }
        at
    };
    let cut = if length < 0 { body.get(near(body.len().saturating_sub(count))..) } else { body.get(..near(count)) };
    Ok(text(cut.unwrap_or_default()))
}

fn join(args: Args<'_>) -> Answer {
    let parts: Vec<String> = match arg("join", args, 1)? {
        Value::List(_) => list("join", args, 1)?.iter().filter(|v| !matches!(v, Value::Nil)).map(to_text).collect(),
        Value::Nil => Vec::new(),
        other => vec![to_text(other)],
    };
    Ok(text(parts.join(string("join", args, 0)?)))
}

/// `HTTPServerName` → `http_server_name`; blanks and `-` become `_` too.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|i| chars.get(i));
        let after = chars.get(at.saturating_add(1));
        if matches!(c, ' ' | '-' | '_') {
            out.push('_');
            continue;
        }
        let new_word = c.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase() || b.is_numeric() || (b.is_uppercase() && after.is_some_and(|a| a.is_lowercase()))
            });
        if new_word {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
