//! YAML, behind one door so that the crate can be replaced here.

use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

/// The first document as a value.
pub(crate) fn parse(text: &str) -> Option<Value> {
    serde_saphyr::from_str_with_options(text, options()).ok()
}

/// All documents, at most 20.
pub(crate) fn documents(text: &str) -> Option<Vec<Value>> {
    serde_saphyr::from_multiple_with_options(text, options()).ok()
}

fn options() -> serde_saphyr::Options {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_depth = 64;
    budget.max_nodes = 50_000;
    budget.max_aliases = 100;
    budget.max_documents = 20;
    serde_saphyr::options! { budget: Some(budget), duplicate_keys: DuplicateKeyPolicy::LastWins, with_snippet: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_document_within_its_budget() {
        assert_eq!(parse("a: 1\na: 2\n"), Some(serde_json::json!({"a": 2})));
        assert_eq!(parse(&"[".repeat(10_000)), None);
        assert_eq!(parse("a: b: c"), None);
    }
}
