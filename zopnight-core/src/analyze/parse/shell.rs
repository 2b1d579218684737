//! Command lines: words, wrappers and chains.

/// The simple commands of a line, each as words, wrappers such as `sh -c` and `exec` looked through.
pub(crate) fn commands(line: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    unwrap(&words(line), 0, &mut out);
    out
}

/// The words of a line; on a syntax error split on spaces.
pub(crate) fn words(line: &str) -> Vec<String> {
    if line.len() > 16 * 1024 {
        return Vec::new();
    }
    shlex::split(&space_out(line)).unwrap_or_else(|| line.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect())
}

/// Puts spaces around `;`, `&&` and `||` outside quotes and braces, so that they become words.
fn space_out(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => {
                quote = None;
                out.push(c);
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                out.push(c);
            }
            (None, ';' | '\n') => out.push_str(" ; "),
            (None, '&' | '|') if chars.peek() == Some(&c) => {
                chars.next();
                out.push_str(" ; ");
            }
            (_, c) => out.push(c),
        }
    }
    out
}

fn unwrap(words: &[String], depth: u8, out: &mut Vec<Vec<String>>) {
    if depth > 3 {
        return;
    }
    for part in words.split(|w| w == ";") {
        let mut part: &[String] = part;
        let mut leading: Vec<String> = Vec::new();
        while let Some(first) = part.first() {
            let base = first.rsplit('/').next().unwrap_or(first);
            match base {
                "exec" | "env" | "nohup" | "command" | "time" | "dotenv" | "--" => part = part.get(1..).unwrap_or_default(),
                "dumb-init" | "tini" => {
                    let skip = part.iter().skip(1).take_while(|w| w.starts_with('-')).count();
                    part = part.get(1 + skip..).unwrap_or_default();
                }
                "sh" | "bash" | "ash" | "zsh" if part.get(1).is_some_and(|w| w.starts_with('-') && w.contains('c')) => {
                    if let Some(script) = part.get(2) {
                        unwrap(&self::words(script), depth + 1, out);
                    }
                    part = &[];
                }
                _ if is_assignment(first) => {
                    leading.push(first.clone());
                    part = part.get(1..).unwrap_or_default();
                }
                _ => break,
            }
        }
        leading.extend(part.iter().cloned());
        if !leading.is_empty() {
            out.push(leading);
        }
    }
}

/// Whether a word is `NAME=value`.
pub(crate) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_through_wrappers_and_chains() {
        let got = commands("sh -c \"cd a && exec PORT=3 node 'b c.js'\"; tini -g -- ./run");
        assert_eq!(got, [vec!["cd", "a"], vec!["PORT=3", "node", "b c.js"], vec!["./run"]]);
        assert_eq!(commands("gunicorn --bind 0.0.0.0:${PORT:-8000} a:b").len(), 1);
        assert_eq!(words("it's broken"), ["it's", "broken"]);
    }
}
