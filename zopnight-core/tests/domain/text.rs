//! Text for people: cleaned and cut.

use proptest::prelude::*;
use zopnight_core::domain::CommitInfo;
use zopnight_core::domain::CommitSha;
use zopnight_core::domain::text::{clean, cut, cut_bytes, line};

fn is_clean(c: char) -> bool {
    let bidi = ('\u{202A}'..='\u{202E}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    (c == '\n' || !c.is_control()) && !bidi
}

#[test]
fn limits_hold_at_n_and_n_plus_one() {
    for max in 0..6 {
        for n in 0..8 {
            let text = "é".repeat(n);
            assert!(cut(&text, max).chars().count() <= max, "{n} cut to {max}");
            assert!(cut_bytes(&text, max).len() <= max, "{n} cut to {max} bytes");
            assert_eq!(cut(&text, max) == text, n <= max);
            assert_eq!(cut_bytes(&text, max) == text, 2 * n <= max);
        }
    }
}

#[test]
fn commits_are_described_by_their_first_line() {
    let sha = CommitSha::parse(&"a".repeat(40)).unwrap();
    let message = format!("Fix \u{202e}it\u{7}{}\nbody", "x".repeat(300));
    let info = CommitInfo::described(sha, Some(&message), Some("A\u{2066} B"));
    let title = info.title.unwrap();
    assert!(title.starts_with("Fix itx") && title.ends_with('…') && title.chars().count() == 200);
    assert_eq!(info.author.as_deref(), Some("A B"));
}

proptest! {
    #[test]
    fn nothing_hidden_is_left_and_no_bound_is_passed(text: String, max in 0_usize..300) {
        prop_assert!(clean(&text).chars().all(is_clean));
        let line = line(&text, max);
        prop_assert!(line.chars().all(is_clean) && !line.contains('\n') && line.chars().count() <= max);
        prop_assert!(cut_bytes(&text, max).len() <= max);
        prop_assert_eq!(cut_bytes(&text, text.len()), text);
    }
}
