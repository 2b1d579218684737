//! The root path, and directories below it.

use std::sync::Arc;

use zopnight_core::ErrorKind;
use zopnight_core::domain::RepoPath;
use zopnight_core::testing::tree::MemoryTree;
use zopnight_core::tree;

use super::{analyze, analyze_at, run, said};

#[test]
fn the_grammar_of_root_paths() {
    for (text, shown) in [("", "."), ("./", "."), (".", "."), ("./a/b/", "a/b"), ("...", "..."), ("%2e%2e", "%2e%2e")] {
        assert_eq!(RepoPath::parse(text).unwrap().to_string(), shown);
    }
    for bad in ["/", "/apps", "a//b", "a/./b", "a/../b", "a\\b", "-x", "a/.git"] {
        assert_eq!(RepoPath::parse(bad).unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
    }
}

#[test]
fn a_root_path_must_be_a_directory() {
    let tree = Arc::new(
        tree! { "apps/web/package.json": "{}", "file": "", "sub/x/": "" }
            .submodule("mod")
            .symlink("link", "apps")
            .symlink("broken", "gone"),
    );
    let code = |root: &str| {
        let error = run(Arc::<MemoryTree>::clone(&tree), root, &[]).unwrap_err();
        (error.kind(), error.code().unwrap().to_owned(), error.message().to_owned())
    };
    assert_eq!(code("file").0, ErrorKind::Invalid);
    assert_eq!(code("file").1, "root_path_not_a_directory");
    for missing in ["none", "apps/none", "none/deeper/still", "broken", "file/x"] {
        let (kind, code, _) = code(missing);
        assert_eq!((kind, code.as_str()), (ErrorKind::NotFound, "root_path_not_found"), "{missing}");
    }
    assert_eq!(code("mod").1, "root_path_submodule");
    assert_eq!(code("mod/x").0, ErrorKind::Unsupported);
    assert!(code("Apps").2.contains("there is apps"));
    assert_eq!(run(Arc::<MemoryTree>::clone(&tree), "link/web", &[]).unwrap().language.as_deref(), Some("node"));
}

#[test]
fn nesting_changes_only_paths() {
    let app = tree! {
        "package.json": r#"{"scripts": {"start": "node server.js"}, "dependencies": {"express": "5"}}"#,
        "server.js": "app.get('/health', h)\napp.listen(4000)\n",
    };
    let flat = analyze(app.clone());
    let nested = analyze_at(tree! { "x": "" }.graft("a/b", &app), "a/b");
    assert_eq!(nested.root_path.as_str(), "a/b");
    assert_eq!(nested.build_context.as_str(), "a/b");
    assert_eq!((nested.suggested_port, nested.suggested_health_path), (flat.suggested_port, flat.suggested_health_path));
    assert_eq!((nested.framework, nested.warnings), (flat.framework, flat.warnings));
}

#[test]
fn other_roots_are_offered_when_this_one_has_no_app() {
    let got = analyze(tree! {
        "README.md": "",
        "services/api/go.mod": "module x\n",
        "services/web/package.json": r#"{"scripts": {"start": "next start"}, "dependencies": {"next": "15"}}"#,
        "services/web/Dockerfile": "FROM node\n",
        "examples/demo/go.mod": "",
        "node_modules/x/package.json": "{}",
    });
    let roots: Vec<_> =
        got.candidates.iter().map(|c| (c.root_path.as_str(), c.language.as_deref(), c.framework.as_deref())).collect();
    assert_eq!(roots, [("services/web", Some("node"), Some("next")), ("services/api", Some("go"), None)]);
    assert!(said(&got, "root-has-no-app") && said(&got, "monorepo-choose-root") && !said(&got, "nothing-detected"));
    assert!(!got.needs_build && got.language.is_none());
}
