//! The document's schemas, held against what is really sent.

use std::sync::LazyLock;

use serde_json::Value;
use zopnight_core::http::openapi;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(openapi()).unwrap());

pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}

/// The codes that the document lists.
pub(crate) fn codes() -> &'static Vec<Value> {
    document()["components"]["schemas"]["ErrorBody"]["properties"]["code"]["enum"].as_array().unwrap()
}

/// What the document says of an operation.
pub(crate) fn operation(method: &str, path: &str) -> &'static Value {
    &document()["paths"][path][method.to_ascii_lowercase()]
}

/// What an operation's body or answer looks like: a schema and perhaps an example.
pub(crate) fn content(of: &Value) -> &Value {
    &of["content"]["application/json"]
}

/// Every way in which the value is not of the schema: kinds, words, keys that miss and keys that are too many.
pub(crate) fn faults(value: &Value, schema: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check("", value, schema, &mut faults);
    faults
}

fn check(at: &str, value: &Value, schema: &Value, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document().pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference}"));
        return check(at, value, target, faults);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Value| self::faults(value, choice).is_empty();
        let fitting = choices.iter().filter(fits).count();
        if fitting != 1 {
            faults.push(format!("{at}: {value} fits {fitting} choices, not one"));
        }
        return;
    }
    if !kinds(schema).contains(&kind(value)) {
        return faults.push(format!("{at}: {value} is not {}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        faults.push(format!("{at}: {value} is none of the words"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&format!("{at}[{n}]"), item, &schema["items"], faults);
    }
    if let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (key, member) in members {
            match properties.get(key) {
                Some(property) => check(&format!("{at}.{key}"), member, property, faults),
                None => faults.push(format!("{at}.{key} is not described")),
            }
        }
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required.filter(|key| !members.contains_key(key.as_str().unwrap()));
        faults.extend(missing.map(|key| format!("{at}.{key} is missing")));
    }
}

fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        kind => vec![kind.as_str().unwrap_or_else(|| panic!("a schema without a type: {schema}"))],
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
