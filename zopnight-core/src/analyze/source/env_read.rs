//! Reads of the port variable that stand outside a listen call.

use std::sync::LazyLock;

use regex::Regex;

use super::super::evidence::Place;
use super::super::view::line_of;
use super::constants::{Value, eval, until_end};
use super::entry::Sources;

static READ: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let member = r"(?:process\.env|Bun\.env|import\.meta\.env)\.(?:HTTP_|SERVER_|APP_)?PORT\b";
    let index = r#"(?:process\.env|os\.environ|ENV|\$_ENV)\[\s*["'](?:HTTP_|SERVER_|APP_)?PORT["']\s*\]"#;
    let call = r#"[\w.:>]*(?i:env|environ)[\w.:!]*\(\s*["'](?:HTTP_|SERVER_|APP_)?PORT["']"#;
    Regex::new(&format!("{member}|{index}|{call}")).ok()
});

/// Each read of a port variable, with its fallback if it has one.
pub(crate) fn port_reads(sources: &Sources) -> Vec<(Value, Place)> {
    let mut found = Vec::new();
    let Some(read) = READ.as_ref() else { return found };
    for (index, file) in sources.files.iter().enumerate() {
        let text = file.code.text.as_str();
        for hit in read.find_iter(text).take(10).filter(|hit| !file.code.in_string(hit.start())) {
            let expression = until_end(text.get(hit.start()..).unwrap_or_default());
            let mut value = eval(sources, index, expression);
            if value.env.is_none() {
                value = eval(sources, index, hit.as_str());
            }
            if value.port.is_none() {
                value.port = assigned_later(sources, index, text, hit.start());
            }
            if value.env.is_some() {
                found.push((value, Place::line(&file.path, line_of(text, hit.start()))));
            }
        }
    }
    found
}

/// The number that the name on the left of the read gets elsewhere: `port := os.Getenv("PORT")`, `port = "8080"`.
fn assigned_later(sources: &Sources, index: usize, text: &str, at: usize) -> Option<u16> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let (left, _) = line.rsplit_once('=')?;
    let name = left.trim_end_matches([':', ' ']).split([',', ' ']).rfind(|w| !w.is_empty())?;
    let name = name.trim();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { eval(sources, index, name).port } else { None }
}
