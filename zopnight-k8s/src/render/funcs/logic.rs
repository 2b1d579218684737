//! Defaults, demands and kinds.

use gotmpl::Value;

use super::{Answer, Args, Function, arg, fault, string, to_text};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("default", default),
    ("empty", |a| Ok(Value::Bool(!arg("empty", a, 0)?.is_truthy()))),
    ("coalesce", |a| Ok(a.iter().find(|v| v.is_truthy()).cloned().unwrap_or(Value::Nil))),
    ("ternary", ternary),
    ("required", required),
    ("fail", |a| Err(fault(string("fail", a, 0)?))),
    ("kindIs", |a| Ok(Value::Bool(kind(arg("kindIs", a, 1)?) == string("kindIs", a, 0)?))),
];

fn default(args: Args<'_>) -> Answer {
    let fallback = arg("default", args, 0)?;
    Ok(args.get(1).filter(|v| v.is_truthy()).unwrap_or(fallback).clone())
}

fn ternary(args: Args<'_>) -> Answer {
    match arg("ternary", args, 2)? {
        Value::Bool(true) => arg("ternary", args, 0).cloned(),
        Value::Bool(false) => arg("ternary", args, 1).cloned(),
        other => Err(fault(format!("ternary: expected a bool, got {}", other.type_name()))),
    }
}

fn required(args: Args<'_>) -> Answer {
    let missing = |v: &&Value| matches!(v, Value::Nil) || v.as_str() == Some("");
    match args.get(1).filter(|v| !missing(v)) {
        Some(value) => Ok(value.clone()),
        None => Err(fault(to_text(arg("required", args, 0)?))),
    }
}

/// The kind's name in Go.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Function(_) => "func",
    }
}
