//! Branch names against git itself.

use std::process::{Command, Stdio};

use zopnight_core::domain::BranchName;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

const PARTS: &[&str] = &[
    "a",
    "b",
    "main",
    "/",
    "/",
    ".",
    "..",
    ".lock",
    "lock",
    "@",
    "{",
    "@{",
    "-",
    "~",
    "^",
    ":",
    "?",
    "*",
    "[",
    "]",
    "\\",
    " ",
    "\t",
    "\n",
    "\u{1}",
    "\u{7f}",
    "é",
    "\u{85}",
    "\u{202e}",
    "#",
    "%",
    "$(id)",
    ";",
    "'",
    "\"",
    "HEAD",
    "refs/",
    "heads",
    "!",
    "&",
    "|",
    "<",
    ">",
    "=",
    ",",
    "+",
    "}",
    "`",
    "0123456789abcdef",
    "deadbeef",
    ".a",
    "a.",
    "//",
    "/.",
    "./",
];

fn names(count: usize) -> Vec<String> {
    let mut rng = Rng(42);
    let mut names: Vec<String> =
        ["", "@", "HEAD", "-", "refs/heads/a", "a.lock", "a.lock.", ".lock", "@/", "/@"].map(String::from).into();
    names.extend(["a".repeat(40), "F".repeat(64), "0".repeat(40), "a".repeat(41), "x".repeat(244), "x".repeat(245)]);
    while names.len() < count {
        let length = 1 + rng.below(5);
        names.push((0..length).map(|_| PARTS[rng.below(PARTS.len())]).collect());
    }
    names
}

/// The rules that are ours and not git's.
fn only_we_refuse(name: &str) -> bool {
    let hex = [40, 64].contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
    name.len() > 244 || name.starts_with('-') || ["HEAD", "@"].contains(&name) || name.starts_with("refs/") || hex
}

fn git_accepts(name: &str) -> bool {
    Command::new("git")
        .args(["check-ref-format", &format!("refs/heads/{name}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn five_thousand_names_get_the_verdict_of_git_and_our_own_rules() {
    if Command::new("git").arg("--version").output().is_err() {
        zopnight_core::testing::skipped("there is no git on PATH to compare with");
        return;
    }
    let names = names(5_000);
    let mut accepted = 0;
    std::thread::scope(|scope| {
        let check = |chunk: &[String]| {
            let compare = |name: &&String| {
                let ours = BranchName::parse(name).is_ok();
                let expected = git_accepts(name) && !only_we_refuse(name);
                assert_eq!(ours, expected, "{name:?}");
                ours
            };
            chunk.iter().filter(compare).count()
        };
        let workers: Vec<_> = names.chunks(names.len().div_ceil(4)).map(|c| scope.spawn(move || check(c))).collect();
        accepted = workers.into_iter().map(|w| w.join().unwrap()).sum();
    });
    assert!((500..4_500).contains(&accepted), "{accepted} accepted: the names are all alike");
}
