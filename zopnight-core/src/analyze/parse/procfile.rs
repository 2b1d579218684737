//! Procfiles, as Railpack reads them: a YAML map of strings.

use std::collections::BTreeMap;

use super::yaml;

/// The processes; `None` if the file is no map of scalars.
pub(crate) fn parse(text: &str) -> Option<BTreeMap<String, String>> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Some(BTreeMap::new());
    }
    let value = yaml::parse(text)?;
    let scalar = |v: &serde_json::Value| match v {
        serde_json::Value::String(s) => Some(s.clone()),
        serde_json::Value::Null => Some(String::new()),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Some(v.to_string()),
        _ => None,
    };
    value.as_object()?.iter().map(|(key, v)| Some((key.clone(), scalar(v)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_in_a_command_is_a_yaml_error() {
        assert_eq!(parse("web: node a.js\n").unwrap().get("web").map(String::as_str), Some("node a.js"));
        assert_eq!(parse("web: echo a: b\n"), None);
        assert_eq!(parse("- web\n"), None);
        assert_eq!(parse("web: [a]\n"), None);
    }
}
