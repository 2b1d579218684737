//! The shape of the answer.

use zopnight_core::tree;

use super::analyze;

const KEYS: [&str; 27] = [
    "language",
    "framework",
    "suggestedPort",
    "suggestedHealthPath",
    "dockerfile",
    "buildContext",
    "needsBuild",
    "warnings",
    "builder",
    "provider",
    "dialect",
    "packageManager",
    "startCommand",
    "needsPort",
    "portEnv",
    "ports",
    "suggestedLivenessPath",
    "bindsLoopback",
    "confidence",
    "evidence",
    "diagnostics",
    "candidates",
    "rootPath",
    "railpack",
    "railpackVersion",
    "complete",
    "",
];

/// The top-level keys of a JSON object in their order.
fn keys(json: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = Vec::new();
    let bytes: Vec<char> = json.chars().collect();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let start = at + 1;
                at += 1;
                while bytes[at] != '"' {
                    at += if bytes[at] == '\\' { 2 } else { 1 };
                }
                if depth == 1 && bytes.get(at + 1) == Some(&':') {
                    found.push(bytes[start..at].iter().collect());
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[test]
fn every_key_is_always_there_in_its_order() {
    for tree in [tree! { "x": "" }, tree! { "go.mod": "", "Dockerfile": "FROM a\nEXPOSE 1\n" }] {
        let json = serde_json::to_string(&analyze(tree)).unwrap();
        assert_eq!(keys(&json), KEYS[..26]);
    }
}

#[test]
fn warnings_are_the_messages_of_diagnostics_in_their_order() {
    use zopnight_core::domain::analysis::Severity;
    let got = analyze(
        tree! { "Dockerfile": "FROM a\nCOPY gone target/x ./\nCMD npm run dev\n", "package.json": r#"{"scripts": {"dev": "vite"}}"#, ".env": "API_KEY=abc\n" },
    );
    let told: Vec<_> = got.diagnostics.iter().filter(|d| d.severity != Severity::Info).map(|d| d.message.clone()).collect();
    assert!(!told.is_empty() && got.warnings == told);
    assert!(got.diagnostics.windows(2).all(|w| w[0].severity <= w[1].severity));
    assert!(!serde_json::to_string(&got).unwrap().contains("abc"));
}
