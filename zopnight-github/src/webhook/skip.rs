//! The words by which an author asks for no build.

use zopnight_core::domain::{SkipToken, text};

const TOKENS: [&str; 7] =
    ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "[skip deploy]", "[deploy skip]"];

/// The first token anywhere in `message`, else the trailer `skip-checks: true` after its last blank line.
pub(super) fn find(message: &str) -> Option<SkipToken> {
    token(message).or_else(|| trailer(message)).map(|found| SkipToken(text::line(found, 64)))
}

fn token(message: &str) -> Option<&str> {
    message.match_indices('[').find_map(|(at, _)| {
        let rest = message.get(at..)?;
        TOKENS.iter().find_map(|token| rest.get(..token.len()).filter(|found| found.eq_ignore_ascii_case(token)))
    })
}

fn trailer(message: &str) -> Option<&str> {
    let mut lines = message.trim_end().lines().rev();
    let mut found = None;
    let is_trailer = |line: &str| {
        let plain: String = line.chars().filter(|c| !c.is_whitespace()).take(32).collect();
        plain.eq_ignore_ascii_case("skip-checks:true")
    };
    for line in lines.by_ref() {
        if line.trim().is_empty() {
            return found;
        }
        if is_trailer(line) {
            found = Some(line.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(message: &str) -> Option<String> {
        find(message).map(|token| token.0)
    }

    #[test]
    fn every_token_is_found_anywhere_in_any_case() {
        for token in TOKENS {
            assert_eq!(found(token).as_deref(), Some(token));
            let upper = token.to_uppercase();
            assert_eq!(found(&format!("Fix [x] é\n\nbody {upper} end")), Some(upper));
        }
        assert_eq!(found("a [ci skip] b [skip ci]").as_deref(), Some("[ci skip]"));
    }

    #[test]
    fn near_misses_are_not_found() {
        for message in ["", "skip ci", "[skip  ci]", "[skip-ci]", "[skip ci", "[ skip ci]", "[ski\u{430} ci]", "[", "[é"] {
            assert_eq!(found(message), None, "{message}");
        }
    }

    #[test]
    fn the_trailer_counts_after_the_last_blank_line_only() {
        assert_eq!(found("Title\n\nskip-checks: true").as_deref(), Some("skip-checks: true"));
        assert_eq!(found("Title\n\nbody\n\n\nSKIP-CHECKS :True \n\n").as_deref(), Some("SKIP-CHECKS :True"));
        assert_eq!(found("Title\r\n\r\nSigned-off-by: A\r\nskip-checks:true\r\n").as_deref(), Some("skip-checks:true"));
        for message in [
            "skip-checks: true",
            "Title\nskip-checks: true",
            "Title\n\nskip-checks: true\n\nbody",
            "Title\n\nskip-checks: false",
            "Title\n\nskip-checks: true story",
            "Title\n\nplease skip-checks: true",
        ] {
            assert_eq!(found(message), None, "{message}");
        }
    }
}
