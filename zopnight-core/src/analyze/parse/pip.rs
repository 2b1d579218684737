//! Names of Python dependencies, normalised: lower case, `-` for `_` and `.`.

use std::collections::BTreeSet;

use super::toml as toml_reader;

/// From a `requirements.txt`.
pub(crate) fn requirements(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default()).filter_map(name).collect()
}

/// From a `pyproject.toml` or a `Pipfile`.
pub(crate) fn manifest(text: &str) -> Option<BTreeSet<String>> {
    let table = toml_reader::parse(text)?;
    let mut names = BTreeSet::new();
    if let Some(list) = toml_reader::at(&table, &["project", "dependencies"]).and_then(toml::Value::as_array) {
        names.extend(list.iter().filter_map(toml::Value::as_str).filter_map(name));
    }
    for path in [&["tool", "poetry", "dependencies"][..], &["packages"][..]] {
        if let Some(table) = toml_reader::at(&table, path).and_then(toml::Value::as_table) {
            names.extend(table.keys().filter_map(|key| name(key)));
        }
    }
    Some(names)
}

fn name(spec: &str) -> Option<String> {
    let spec = spec.trim();
    let end = spec.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(spec.len());
    let name = spec.get(..end)?.to_ascii_lowercase().replace(['_', '.'], "-");
    (!name.is_empty() && !spec.starts_with('-')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_only() {
        let got = requirements("Flask==2 # fastapi\n-r more.txt\nuvicorn[standard]>=0.1; python_version>'3'\n");
        assert_eq!(got.into_iter().collect::<Vec<_>>(), ["flask", "uvicorn"]);
        let got = manifest("[project]\ndependencies = ['Django>=5']\n[tool.poetry.dependencies]\npython='3'\n").unwrap();
        assert!(got.contains("django") && got.contains("python"));
    }
}
