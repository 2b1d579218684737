//! `railpack.json`.

use serde_json::Value;

use crate::domain::RepoPath;

use super::super::parse::json;
use super::super::view::View;

/// What is taken of the file.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) path: Option<RepoPath>,
    pub(crate) provider: Option<String>,
    pub(crate) start_command: Option<String>,
    pub(crate) has_commands: bool,
}

/// The configuration; an error is the path of a file that is broken, or that was named and is absent.
pub(crate) fn load(view: &View<'_>) -> Result<Config, String> {
    let named = view.env("CONFIG_FILE");
    let name = named.unwrap_or("railpack.json");
    let Some(path) = view.at(name) else { return Err(name.to_owned()) };
    let Some(text) = view.raw(name) else {
        let unreadable = view.facts.file(&path).is_some() && view.kind(&path).is_some();
        return if named.is_some() || unreadable { Err(name.to_owned()) } else { Ok(Config::default()) };
    };
    let value = json::parse(text).filter(Value::is_object).ok_or_else(|| name.to_owned())?;
    let text =
        |value: Option<&Value>| value.and_then(Value::as_str).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned);
    let steps = json::member(&value, "steps").and_then(Value::as_object);
    let commands = |step: &Value| json::member(step, "commands").and_then(Value::as_array).is_some_and(|c| !c.is_empty());
    Ok(Config {
        path: Some(path),
        provider: text(json::member(&value, "provider")),
        start_command: text(json::member(&value, "deploy").and_then(|d| json::member(d, "startCommand"))),
        has_commands: steps.is_some_and(|steps| steps.values().any(commands)),
    })
}
