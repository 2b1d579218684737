//! TOML.

/// A table, or `None` if the text is broken or nested too deeply.
pub(crate) fn parse(text: &str) -> Option<toml::Table> {
    let nesting = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    if nesting > 20_000 {
        return None;
    }
    text.parse().ok()
}

/// The value at a path of keys.
pub(crate) fn at<'t>(table: &'t toml::Table, path: &[&str]) -> Option<&'t toml::Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}
