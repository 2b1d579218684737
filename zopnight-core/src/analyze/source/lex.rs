//! Blanks comments and marks strings, so that commented code never counts.

/// How a language writes comments and strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `//`, `/* */`, all three quotes.
    Script,
    /// `//`, `/* */`, `"` and `` ` ``; `'` holds one character.
    Compiled,
    /// `#`, `'`, `"`, triple quotes.
    Hash,
}

impl Dialect {
    pub(crate) fn of(language: &str) -> Self {
        match language {
            "python" | "ruby" | "elixir" | "crystal" | "r" | "perl" | "julia" => Self::Hash,
            "node" | "deno" | "php" | "dart" => Self::Script,
            _ => Self::Compiled,
        }
    }
}

/// Source text of the same length and lines, with blanks for comments.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) text: String,
    strings: Vec<(usize, usize)>,
}

impl Code {
    pub(crate) fn lex(text: &str, dialect: Dialect) -> Self {
        let mut lexer = Lexer { bytes: text.as_bytes().to_vec(), at: 0, strings: Vec::new(), dialect };
        lexer.run();
        let strings = lexer.strings;
        Self { text: String::from_utf8(lexer.bytes).unwrap_or_default(), strings }
    }

    /// Whether the byte lies in a string literal.
    pub(crate) fn in_string(&self, at: usize) -> bool {
        let next = self.strings.partition_point(|(start, _)| *start <= at);
        next.checked_sub(1).and_then(|i| self.strings.get(i)).is_some_and(|(start, end)| *start < at && at < *end)
    }
}

struct Lexer {
    bytes: Vec<u8>,
    at: usize,
    strings: Vec<(usize, usize)>,
    dialect: Dialect,
}

impl Lexer {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let next = self.bytes.get(self.at + 1).copied();
            match (self.dialect, byte, next) {
                (Dialect::Hash, b'#', _) => self.comment_to(b"\n", false),
                (Dialect::Script | Dialect::Compiled, b'/', Some(b'/')) => self.comment_to(b"\n", false),
                (Dialect::Script | Dialect::Compiled, b'/', Some(b'*')) => self.comment_to(b"*/", true),
                (Dialect::Hash, b'"' | b'\'', _) if self.is_triple(byte) => self.string(&[byte; 3], true),
                (Dialect::Script | Dialect::Compiled, b'`', _) => self.string(b"`", true),
                (_, b'"', _) => self.string(b"\"", false),
                (Dialect::Script | Dialect::Hash, b'\'', _) => self.string(b"'", false),
                (Dialect::Compiled, b'\'', _) => self.character(),
                _ => self.at += 1,
            }
        }
    }

    fn starts(&self, at: usize, needle: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(needle))
    }

    fn is_triple(&self, quote: u8) -> bool {
        self.starts(self.at, &[quote; 3])
    }

    fn comment_to(&mut self, end: &[u8], inclusive: bool) {
        let from = self.at;
        let mut at = from;
        while at < self.bytes.len() && !self.starts(at, end) {
            at += 1;
        }
        let to = (at + if inclusive { end.len() } else { 0 }).min(self.bytes.len());
        for byte in self.bytes.get_mut(from..to).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        self.at = to.max(from + 1);
    }

    fn string(&mut self, quote: &[u8], multiline: bool) {
        let start = self.at;
        let mut at = start + quote.len();
        while let Some(&byte) = self.bytes.get(at) {
            if self.starts(at, quote) {
                at += quote.len();
                break;
            }
            match byte {
                b'\\' => at += 2,
                b'\n' if !multiline => break,
                _ => at += 1,
            }
        }
        let end = at.min(self.bytes.len());
        self.strings.push((start, end));
        self.at = end.max(start + 1);
    }

    /// `'a'` or `'\n'`; a lone `'` is a lifetime or a digit separator.
    fn character(&mut self) {
        let window = self.bytes.get(self.at + 1..).unwrap_or_default();
        let escaped = window.first() == Some(&b'\\');
        let close = window.iter().skip(usize::from(escaped) + 1).take(8).position(|b| *b == b'\'');
        self.at += match close {
            Some(n) if escaped || n < 4 => n + 3 + usize::from(escaped),
            _ => 1,
        };
        self.at = self.at.min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_keeps_strings() {
        let code = Code::lex("a // x\n\"//b\" /* c\nd */ e 'é' `//`", Dialect::Script);
        assert_eq!(code.text, "a     \n\"//b\"     \n     e 'é' `//`");
        assert!(code.in_string(9) && !code.in_string(0));
        let code = Code::lex("x = '''# no\n''' # c\n", Dialect::Hash);
        assert_eq!(code.text, "x = '''# no\n'''    \n");
        let code = Code::lex("fn f<'a>(c: char) { let q = '\"'; } // z", Dialect::Compiled);
        assert!(code.text.starts_with("fn f<'a>(c: char) { let q = '\"'; } ") && !code.text.contains('z'));
    }
}
