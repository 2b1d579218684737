//! The statements of the store, read from its source.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A named statement of one `sql_*.rs` file.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// All files of statements.
pub(crate) fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sqlite");
    let entries = fs::read_dir(directory).expect("the source is there").map(|e| e.expect("an entry").path());
    let is_sql = |p: &PathBuf| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("sql_"));
    let mut files: Vec<PathBuf> = entries.filter(is_sql).collect();
    files.sort();
    files
}

/// All statements, with their macros expanded.
pub(crate) fn statements() -> Vec<Statement> {
    files().iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Statement> {
    let source = fs::read_to_string(file).expect("the source is text");
    let mut macros: HashMap<String, String> = HashMap::new();
    let mut statements = Vec::new();
    for item in source.split("\n\n") {
        if let Some((_, rest)) = item.split_once("macro_rules! ") {
            let (name, body) = rest.split_once(" {").expect("a macro has a body");
            macros.insert(name.to_owned(), literals(body, &macros));
        }
        if let Some((_, rest)) = item.split_once("pub(super) const ") {
            let (name, body) = rest.split_once(": &str").expect("a statement is text");
            let name = name.to_owned();
            statements.push(Statement { name, text: literals(body, &macros) });
        }
    }
    statements
}

/// The string literals of `code` with the named macros put in.
fn literals(code: &str, macros: &HashMap<String, String>) -> String {
    let mut text = String::new();
    let mut word = String::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => text.push_str(&literal(&mut chars)),
            '!' => text.push_str(macros.get(&word).map_or("", String::as_str)),
            _ => {}
        }
        if c.is_alphanumeric() || c == '_' { word.push(c) } else { word.clear() }
    }
    text
}

fn literal(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                Some(escaped) => text.push(escaped),
                None => break,
            },
            c => text.push(c),
        }
    }
    text
}
