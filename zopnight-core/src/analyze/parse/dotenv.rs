//! Environment files. Only ports, addresses and paths are kept: the rest may be secret.

use std::collections::BTreeMap;

/// Kept variables with their value and 1-based line; the last assignment wins.
pub(crate) fn parse(text: &str) -> BTreeMap<String, (String, u32)> {
    let mut kept = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim();
        if line.starts_with('#') || !is_kept(key) {
            continue;
        }
        let value = expand(&unquote(value.trim()), &kept);
        kept.insert(key.to_owned(), (value, u32::try_from(index + 1).unwrap_or(u32::MAX)));
    }
    kept
}

/// The names of variables that look secret and have a value.
pub(crate) fn secret_names(text: &str) -> Vec<&str> {
    let assignments = text.lines().map(str::trim_start).filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('='));
    let names = assignments.filter(|(_, v)| !matches!(v.trim(), "" | "\"\"" | "''")).map(|(k, _)| k.trim());
    let secret = |k: &&str| k.ends_with("_KEY") || ["SECRET", "PASSWORD", "TOKEN"].iter().any(|word| k.contains(word));
    names.filter(|k| k.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).filter(secret).collect()
}

fn is_kept(key: &str) -> bool {
    let suffixes = ["_PORT", "_URL", "_URLS", "_ADDR", "_ADDRESS", "_BIND", "_PATH"];
    key.len() <= 128 && (key == "PORT" || key == "APP_ENV" || suffixes.iter().any(|suffix| key.ends_with(suffix)))
}

fn unquote(value: &str) -> String {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.split('\'').next().unwrap_or_default().to_owned();
    }
    if let Some(rest) = value.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some(c) => out.push(c),
                    None => {}
                },
                c => out.push(c),
            }
        }
        return out;
    }
    let end = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim_end().to_owned()
}

fn expand(value: &str, known: &BTreeMap<String, (String, u32)>) -> String {
    let Some((before, after)) = value.split_once('$') else { return value.to_owned() };
    let (name, rest) = match after.strip_prefix('{').and_then(|a| a.split_once('}')) {
        Some(found) => found,
        None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
    };
    match known.get(name) {
        Some((found, _)) if found.len() + value.len() < 4_096 => format!("{before}{found}{rest}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ports_and_drops_secrets() {
        let got =
            parse("# c\nexport HTTP_PORT=\"9000\" # x\nDB_PASSWORD=hunter2\nPORT=${HTTP_PORT}\nPORT='1' \nA_PORT=7 # y\n");
        let value = |k: &str| got.get(k).map(|(v, l)| (v.as_str(), *l));
        assert_eq!(value("HTTP_PORT"), Some(("9000", 2)));
        assert_eq!(value("PORT"), Some(("1", 5)));
        assert_eq!(value("A_PORT"), Some(("7", 6)));
        assert!(!got.contains_key("DB_PASSWORD"));
        assert_eq!(secret_names("DB_PASSWORD=x\nAPI_KEY=\nA=1"), ["DB_PASSWORD"]);
    }
}
