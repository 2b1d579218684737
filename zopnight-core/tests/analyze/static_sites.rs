//! Static sites and shell scripts.

use zopnight_core::domain::analysis::Confidence;
use zopnight_core::tree;

use super::{analyze, analyze_with, health, port, said};

#[test]
fn a_page_is_served_by_caddy() {
    let got = analyze(tree! { "index.html": "<p>" });
    assert_eq!((got.language.as_deref(), got.provider.as_deref()), (Some("static"), Some("staticfile")));
    assert_eq!(got.start_command.as_deref(), Some("caddy run --config Caddyfile --adapter caddyfile 2>&1"));
    assert_eq!((port(&got), got.port_env.as_deref(), health(&got)), (Some(80), Some("PORT"), Some("/health")));
    assert_eq!(got.confidence.language, Confidence::Medium);
}

#[test]
fn an_own_caddyfile_replaces_the_built_in_one() {
    let got = analyze(tree! { "index.html": "", "Caddyfile": ":{$PORT:8088} {\n  respond /live 200\n}\n" });
    assert_eq!((port(&got), health(&got), got.port_env.as_deref()), (Some(8088), Some("/live"), Some("PORT")));
}

#[test]
fn variables_and_files_name_the_root() {
    let got = analyze_with(tree! { "README": "" }, &[("RAILPACK_STATIC_FILE_ROOT", "site")]);
    assert_eq!(got.provider.as_deref(), Some("staticfile"));
    assert_eq!(analyze(tree! { "Staticfile": "root: www\n" }).provider.as_deref(), Some("staticfile"));
    assert_eq!(analyze(tree! { "Staticfile": "" }).provider, None);
    assert_eq!(analyze(tree! { "Staticfile": "a: b: c" }).provider, None);
    assert_eq!(analyze(tree! { "public": "a file" }).provider.as_deref(), Some("staticfile"));
    let got = analyze_with(tree! { "run.sh": "#!/bin/zsh\n" }, &[("RAILPACK_SHELL_SCRIPT", "run.sh")]);
    assert_eq!((got.language.as_deref(), got.start_command.as_deref()), (Some("shell"), Some("zsh run.sh")));
}

#[test]
fn a_weak_provider_yields_the_language_to_real_sources() {
    let got = analyze(tree! { "index.html": "", "manage.py": "" });
    assert_eq!((got.language.as_deref(), got.provider.as_deref()), (Some("python"), Some("staticfile")));
    assert!(said(&got, "fallback-provider"));
    let got = analyze(tree! { "build.gradle": "" });
    assert_eq!((got.language.as_deref(), got.provider.as_deref()), (Some("java"), None));
    assert!(said(&got, "builder-unsupported") && !got.needs_build);
}

#[test]
fn nothing_is_an_answer() {
    let got = analyze(tree! { "README.md": "hello" });
    assert!(got.language.is_none() && got.builder.is_none() && !got.needs_build && said(&got, "nothing-detected"));
    assert_eq!(got.build_context.as_str(), ".");
}
