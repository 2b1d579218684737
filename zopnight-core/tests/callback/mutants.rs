//! 20,000 tokens that are nearly ours: both verifiers agree on each, and only the minted one is accepted.

use zopnight_core::callback::CallbackRefusal as R;
use zopnight_core::callback::testing::verify;

use crate::common::*;
use crate::independent;

/// SplitMix64: small, seeded and the same everywhere.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "1",
    "1e3",
    "1.0",
    ".",
    "..",
    "=",
    " ",
    "\n",
    "\\u0000",
    "\"alg\":\"none\",",
    "\"exp\":9999999999,",
    "\"typ\":\"JWT\",",
    "\"kid\":\"\",",
    "\"x\":1,",
    "HS512",
    "none",
    "é",
    "/",
    "@",
    "1767225600",
    "1767247200",
    "1767247201",
    "9007199254740992",
    "18446744073709551615",
    "org_acme",
    "localhost",
    ":443",
];

/// A few random edits of `text`, which stays UTF-8.
fn edited(rng: &mut Rng, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=rng.below(2) {
        let at = rng.below(chars.len());
        let to = (at + rng.below(12)).min(chars.len());
        match rng.below(6) {
            0 if !chars.is_empty() => chars[at] = char::from(32 + (rng.next() % 95) as u8),
            1 => drop(chars.drain(at..to)),
            2 => drop(chars.splice(at..at, rng.pick(WORDS).chars())),
            3 => drop(chars.splice(at..to, rng.pick(WORDS).chars())),
            4 => {
                let copy = chars[at..to].to_vec();
                drop(chars.splice(at..at, copy));
            }
            _ => chars.truncate(at),
        }
    }
    chars.into_iter().collect()
}

/// One member's value replaced by another's, or by a word: mutants that stay JSON.
fn swapped(rng: &mut Rng) -> String {
    const NAMES: &[&str] = &["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "org", "dep", "img", "sha", "att"];
    let values = serde_json::from_str::<serde_json::Value>(CLAIMS).unwrap();
    let number = (IAT - 100 + rng.below(25_000) as i64).to_string();
    let value = match rng.below(3) {
        0 => values[rng.pick(NAMES)].to_string(),
        1 => serde_json::to_string(rng.pick(WORDS)).unwrap(),
        _ => number,
    };
    with_claim(rng.pick(NAMES), &value)
}

#[test]
fn both_verifiers_agree_on_twenty_thousand_mutants() {
    let keys = keys();
    let good = signed(HEADER, CLAIMS);
    let path = revision().to_string();
    let mut rng = Rng(0x5EED);
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for round in 0..20_000 {
        let token = match rng.below(4) {
            0 => edited(&mut rng, &good),
            1 => signed(edited(&mut rng, HEADER), CLAIMS),
            2 => signed(HEADER, edited(&mut rng, CLAIMS)),
            _ => signed(HEADER, swapped(&mut rng)),
        };
        let now = rng.pick(&[IAT - 31, IAT - 30, IAT, EXP, EXP + 30, EXP + 31]);
        let ours = verify(&keys, &token, revision(), now);
        let theirs = independent::verdict(&token, &path, now);
        assert_eq!(ours.as_ref().map(|_| ()).map_err(|r| r.as_str()), theirs, "round {round}: {token}");
        *seen.entry(ours.as_ref().map_or_else(|r| r.as_str(), |_| "accepted")).or_default() += 1;
    }
    let reached =
        ["accepted", "token_malformed", "header_refused", "key_unknown", "signature", "claims_malformed", "issuer"];
    let also = ["audience", "expired", "not_yet_valid", "lifetime", "subject_mismatch"];
    for verdict in reached.into_iter().chain(also) {
        assert!(seen.contains_key(verdict), "no mutant reached {verdict}: {seen:?}");
    }
}

#[test]
fn no_single_altered_character_is_accepted() {
    let keys = keys();
    let good = signed(HEADER, CLAIMS);
    for at in 0..good.len() {
        for with in ["A", "B", "_", "-", "9", ".", "=", ""] {
            let token = [&good[..at], with, &good[at + 1..]].concat();
            if token != good {
                let verdict = verify(&keys, &token, revision(), IAT).unwrap_err();
                assert!(matches!(verdict, R::TokenMalformed | R::HeaderRefused | R::KeyUnknown | R::Signature), "{token}");
            }
        }
    }
}
