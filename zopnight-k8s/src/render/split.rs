//! Splits rendered files into documents, the way Helm does.

/// The documents of `text`: separated by lines that begin with `---`; blank and comment-only ones are dropped.
pub(crate) fn documents(text: &str) -> impl Iterator<Item = String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("---") {
            // Only blanks may follow on the line, or the document itself.
            Some(rest) => documents.push(rest.trim_start_matches([' ', '\t']).trim_start_matches(['\r', '\n']).to_owned()),
            None => {
                if let Some(last) = documents.last_mut() {
                    last.push_str(line);
                }
            }
        }
    }
    documents.into_iter().filter(|d| !is_blank(d)).map(|d| trimmed(&d).to_owned())
}

fn is_blank(document: &str) -> bool {
    document.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Without leading blank lines and trailing blanks; the first line's indent is part of the document.
fn trimmed(document: &str) -> &str {
    let mut rest = document.trim_end();
    while let Some((line, tail)) = rest.split_once('\n') {
        if !line.trim().is_empty() {
            break;
        }
        rest = tail;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_separated_and_blank_ones_dropped() {
        let text = "\n---\n# only a comment\n---\n\nkind: A\n\n---\nkind: B\nv: \"---\"\n  ---\n--- \n\n";
        let found: Vec<String> = documents(text).collect();
        assert_eq!(found, ["kind: A", "kind: B\nv: \"---\"\n  ---"]);
        assert_eq!(documents("").count(), 0);
    }
}
