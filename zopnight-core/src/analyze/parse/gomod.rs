//! `go.mod` and `go.work`.

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) module: String,
    pub(crate) indirect: bool,
    pub(crate) line: u32,
}

/// The modules that `go.mod` requires.
pub(crate) fn requirements(text: &str) -> Vec<Requirement> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let code = code.trim();
        let spec = match (inside, code.strip_prefix("require")) {
            (true, _) if code == ")" => {
                inside = false;
                continue;
            }
            (true, _) => code,
            (false, Some(rest)) if rest.trim() == "(" => {
                inside = true;
                continue;
            }
            (false, Some(rest)) if rest.starts_with([' ', '\t']) => rest.trim(),
            _ => continue,
        };
        if let Some(module) = spec.split_whitespace().next() {
            let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            found.push(Requirement {
                module: module.trim_matches('"').to_owned(),
                indirect: comment.trim() == "indirect",
                line,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_direct_from_indirect() {
        let got = requirements("module x\nrequire gofr.dev v1\nrequire (\n\ta.b/c v2 // indirect\n)\n// require d v1\n");
        assert_eq!(
            got.iter().map(|r| (r.module.as_str(), r.indirect, r.line)).collect::<Vec<_>>(),
            [("gofr.dev", false, 2), ("a.b/c", true, 4)]
        );
    }
}
