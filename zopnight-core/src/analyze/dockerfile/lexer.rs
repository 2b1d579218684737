//! From text to instructions: continuations, comments, heredocs.

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Upper case.
    pub(crate) name: String,
    pub(crate) rest: String,
    pub(crate) line: u32,
    pub(crate) heredoc: bool,
}

/// The instructions of a Dockerfile; what is no instruction is skipped.
pub(crate) fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape_of(text);
    let mut lines = text.lines().enumerate();
    let mut found = Vec::new();
    while let Some((index, first)) = lines.next() {
        let mut logical = String::new();
        let mut line = first.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        loop {
            if line.starts_with('#') || (line.is_empty() && !logical.is_empty()) {
                // dropped inside a continuation
            } else if let Some(head) = line.strip_suffix(escape) {
                logical.push_str(head);
            } else {
                logical.push_str(line);
                break;
            }
            match lines.next() {
                Some((_, next)) => line = next.trim(),
                None => break,
            }
        }
        let markers = heredocs(&logical);
        for (marker, strip) in &markers {
            for (_, body) in lines.by_ref() {
                let body = if *strip { body.trim_start_matches('\t') } else { body };
                if body == marker {
                    break;
                }
            }
        }
        let (name, rest) = logical.split_once(char::is_whitespace).unwrap_or((logical.as_str(), ""));
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let heredoc = !markers.is_empty();
        found.push(Instruction { name: name.to_ascii_uppercase(), rest: rest.trim().to_owned(), line, heredoc });
    }
    found
}

fn escape_of(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    let mut escapes =
        directives.filter_map(|d| d.trim().split_once('=')).filter(|(k, _)| k.trim().eq_ignore_ascii_case("escape"));
    if escapes.next().is_some_and(|(_, v)| v.trim() == "`") { '`' } else { '\\' }
}

/// The heredoc markers of an instruction that may have them, each with whether leading tabs are stripped.
fn heredocs(logical: &str) -> Vec<(String, bool)> {
    let upper = logical.get(..4).unwrap_or_default().to_ascii_uppercase();
    if !["RUN ", "COPY", "ADD "].contains(&upper.as_str()) {
        return Vec::new();
    }
    let candidates = logical.match_indices("<<").filter(|(at, _)| {
        let before = logical.as_bytes().get(at.wrapping_sub(1)).copied();
        before.is_none_or(|b| b.is_ascii_whitespace() || b.is_ascii_digit())
    });
    candidates
        .filter_map(|(at, _)| {
            let rest = logical.get(at + 2..)?;
            let (strip, rest) = rest.strip_prefix('-').map_or((false, rest), |r| (true, r));
            let rest = rest.trim_start_matches(['"', '\'']);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let marker = rest.get(..end)?;
            let named = marker.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            named.then(|| (marker.to_owned(), strip))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_continuations_and_skips_heredocs() {
        let got =
            instructions("# syntax=x\nfrom a\nRUN a \\\n # c\n\n  b\nRUN <<-\"EOF\" cat\nCMD no\n\tEOF\nCMD [\"x\"]\n");
        let shown: Vec<_> = got.iter().map(|i| (i.name.as_str(), i.rest.as_str(), i.line)).collect();
        assert_eq!(shown, [("FROM", "a", 2), ("RUN", "a b", 3), ("RUN", "<<-\"EOF\" cat", 7), ("CMD", "[\"x\"]", 10)]);
    }

    #[test]
    fn the_escape_directive_counts() {
        let got = instructions("# escape=`\nRUN a `\n b\nCOPY a C:\\\n");
        assert_eq!(got.len(), 2);
    }
}
