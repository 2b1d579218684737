//! Text meant for people: cleaned of what could deceive a reader, and cut.

/// The first line of `text` without control and bidirectional control characters, at most `max` characters.
#[must_use]
pub fn line(text: &str, max: usize) -> String {
    cut(&clean(text.lines().next().unwrap_or_default()), max)
}

/// `text` without control (line feed excepted) and bidirectional control characters.
#[must_use]
pub fn clean(text: &str) -> String {
    let hidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !hidden(*c)).collect()
}

/// At most `max` characters; `…` replaces what was cut.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) if max == 0 => String::new(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// At most `max` bytes, ending at a character's end; `…` replaces what was cut.
#[must_use]
pub fn cut_bytes(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    cut_by(text, max, char::len_utf8)
}

/// Clean text whose JSON form is at most `max` bytes without its quotes; `…` replaces what was cut.
pub(crate) fn cut_json(text: &str, max: usize) -> String {
    let size = |c: char| if matches!(c, '"' | '\\' | '\n') { 2 } else { c.len_utf8() };
    if text.chars().map(size).sum::<usize>() <= max {
        return text.to_owned();
    }
    cut_by(text, max, size)
}

/// As many characters as have, with `…`, at most `max` by this measure. A bound too small for `…` does without.
fn cut_by(text: &str, max: usize, size: fn(char) -> usize) -> String {
    let mark = if max < '…'.len_utf8() { "" } else { "…" };
    let mut left = max.saturating_sub(mark.len());
    let fits = |c: &char| match left.checked_sub(size(*c)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push_str(mark);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_first_only_clean_and_short() {
        assert_eq!(line("one\u{202E}\u{7}\r\ntwo", 200), "one");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
        assert_eq!(cut_bytes("ééé", 5), "é…");
        assert_eq!(cut_bytes("ééé", 6), "ééé");
    }
}
