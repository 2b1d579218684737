//! Railpack's order and edge cases.

use zopnight_core::domain::Analysis;
use zopnight_core::testing::tree::MemoryTree;
use zopnight_core::tree;

use super::{analyze, analyze_at, analyze_with, said};

fn provider(tree: MemoryTree) -> Option<String> {
    analyze(tree).provider
}

#[test]
fn every_provider_in_its_order() {
    let rows: [(&str, &str, &str); 14] = [
        ("start.sh", "shell", "sh start.sh"),
        ("index.html", "staticfile", "caddy run --config Caddyfile --adapter caddyfile 2>&1"),
        ("CMakeLists.txt", "cpp", "/build/shop"),
        ("gleam.toml", "gleam", "./build/erlang-shipment/entrypoint.sh run"),
        ("package.json", "node", "node a.js"),
        ("shop.csproj", "Dotnet", "ASPNETCORE_URLS=http://0.0.0.0:${PORT:-3000} ./out/shop"),
        ("deno.json", "deno", "deno run --allow-all main.ts"),
        ("main.py", "python", "python main.py"),
        ("mix.exs", "Elixir", "/app/_build/prod/rel/shop/bin/shop start"),
        ("Gemfile", "ruby", "bundle exec rake"),
        ("Cargo.toml", "rust", "./bin/shop"),
        ("gradlew", "java", "java $JAVA_OPTS -jar  $(ls -1 */build/libs/*jar | grep -v plain)"),
        ("go.mod", "golang", "./out"),
        ("composer.json", "php", "/start-container.sh"),
    ];
    let mut tree = tree! { "main.ts": "", "Rakefile": "", "src/main.rs": "" };
    for (file, provider, start) in rows {
        let text = match file {
            "package.json" => r#"{"main": "a.js"}"#,
            "mix.exs" => "def project do\n  [app: :shop,\n",
            "Cargo.toml" => "[package]\nname = \"shop\"\n",
            _ => "",
        };
        tree = tree.put(file, text);
        let got = analyze(tree.clone());
        assert_eq!(
            (got.provider.as_deref(), got.railpack.start_command.as_deref()),
            (Some(provider), Some(start)),
            "{file}"
        );
    }
}

#[test]
fn start_commands_of_the_smaller_providers() {
    let start = |tree: MemoryTree| analyze(tree).railpack.start_command.unwrap_or_default();
    let spring = "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent";
    assert_eq!(start(tree! { "pom.xml": spring }), "java -Dserver.port=$PORT $JAVA_OPTS -jar target/*jar");
    assert_eq!(start(tree! { "pom.xml": "<a/>" }), "java  $JAVA_OPTS -jar target/*jar");
    assert_eq!(start(tree! { "pom.groovy": "" }), "java $JAVA_OPTS -jar target/*jar");
    assert_eq!(
        start(tree! { "gradlew": "", "build.gradle.kts": "id(\"org.springframework.boot\")" }),
        "java $JAVA_OPTS -jar -Dserver.port=$PORT $(ls -1 */build/libs/*jar | grep -v plain)"
    );
    assert_eq!(start(tree! { "Gemfile": "", "config.ru": "" }), "bundle exec rackup config.ru -o 0.0.0.0 -p ${PORT:-3000}");
    let rails = tree! { "Gemfile": "", "config/application.rb": "class A < Rails::Application", "bin/rails": "" };
    assert_eq!(start(rails), "bundle exec bin/rails server -b 0.0.0.0 -p ${PORT:-3000} -e $RAILS_ENV");
    assert_eq!(start(tree! { "start.sh": "#!/usr/bin/env bash\n" }), "bash start.sh");
    let rust = |more: &str| format!("[package]\nname = \"a\"\n{more}");
    assert_eq!(
        start(tree! { "Cargo.toml": &rust("default-run = \"b\""), "src/bin/b.rs": "", "src/bin/c.rs": "" }),
        "./bin/b"
    );
    let members = "[workspace]\nmembers = [\"crates/*\"]\n";
    assert_eq!(
        start(tree! { "Cargo.toml": members, "crates/x/Cargo.toml": "[package]\nname = \"x\"\n", "crates/x/src/lib.rs": "",
        "crates/y/Cargo.toml": "[package]\nname = \"why\"\n", "crates/y/src/main.rs": "" }),
        "./bin/why"
    );
    assert!(said(&analyze(tree! { "Cargo.toml": &rust(""), "src/bin/b.rs": "", "src/bin/c.rs": "" }), "ambiguous-binary"));
}

#[test]
fn names_are_exact_and_links_are_followed() {
    assert_eq!(provider(tree! { "Package.json": "{}" }), None);
    assert_eq!(provider(tree! { "real.json": "{}" }.symlink("package.json", "real.json")).as_deref(), Some("node"));
    assert_eq!(provider(tree! { "x": "" }.symlink("package.json", "gone")), None);
    assert_eq!(provider(tree! { "go.mod/x": "" }).as_deref(), Some("golang"));
    assert_eq!(provider(MemoryTree::new().submodule("public")).as_deref(), Some("staticfile"));
    assert_eq!(provider(tree! { "package.json5": "{}" }).as_deref(), Some("node"));
}

#[test]
fn a_broken_node_manifest_falls_through() {
    let got = analyze(tree! { "package.json": "{", "public/": "" });
    assert_eq!((got.provider.as_deref(), got.railpack.detected_provider.as_deref()), (Some("staticfile"), Some("node")));
    let got = analyze(tree! { "package.json": r#"{"scripts": {"a": 1}}"# });
    assert_eq!((got.provider.as_deref(), got.railpack.detected_provider.as_deref()), (None, Some("node")));
    assert!(said(&got, "node-manifest-broken") && got.railpack.failure.as_deref() == Some("node-manifest"));
    let got = analyze(tree! { "package.json": "\u{feff}{}" });
    assert_eq!(got.provider, None);
}

#[test]
fn railpack_json_overrides() {
    let got = analyze(tree! {
        "go.mod": "module x\n", "main.py": "",
        "railpack.json": "{ // mine\n \"provider\": \"PYTHON\", \"deploy\": {\"startCommand\": \"./run\"}, }",
    });
    assert_eq!((got.provider.as_deref(), got.railpack.detected_provider.as_deref()), (Some("python"), Some("golang")));
    assert!(said(&got, "railpack-provider-forced") && got.start_command.as_deref() == Some("./run"));
    let got = analyze(tree! { "go.mod": "", "railpack.json": "{" });
    assert_eq!((got.railpack.failure.as_deref(), got.needs_build), (Some("config"), false));
    assert!(said(&got, "railpack-config-broken"));
    let got = analyze_with(tree! { "go.mod": "" }, &[("RAILPACK_CONFIG_FILE", "other.json")]);
    assert!(said(&got, "railpack-config-broken"));
    let got = analyze(tree! { "go.mod": "", "railpack.json": r#"{"provider": "cobol"}"# });
    assert!(got.provider.is_none() && said(&got, "railpack-provider-unknown"));
    let steps = r#"{"steps": {"build": {"commands": ["make"]}}, "deploy": {"startCommand": "./run.sh"}}"#;
    let got = analyze(tree! { "railpack.json": steps });
    assert_eq!((got.provider, got.needs_build, got.start_command.as_deref()), (None, true, Some("./run.sh")));
}

#[test]
fn procfiles_and_variables() {
    let go = |procfile: &str| analyze(tree! { "go.mod": "", "main.go": "", "Procfile": procfile });
    assert_eq!(go("web: ./out serve\nworker: ./out work\n").start_command.as_deref(), Some("./out serve"));
    assert_eq!(go("worker: ./out work\nb: x\n").start_command.as_deref(), Some("./out work"));
    let got = go("zeta: ./z\nbeta: ./b\n");
    assert!(got.start_command.as_deref() == Some("./b") && said(&got, "procfile-order-random"));
    let got = go("web: echo a: b\n");
    assert!(got.railpack.failure.as_deref() == Some("procfile") && said(&got, "procfile-broken"));
    let tree = tree! { "go.mod": "", "main.go": "", "Procfile": "web: ./p\n" };
    assert_eq!(analyze_with(tree, &[("RAILPACK_START_CMD", " ./e ")]).start_command.as_deref(), Some("./e"));
}

#[test]
fn windows_line_endings_change_nothing() {
    let files = [
        ("package.json", "{\n  \"main\": \"server.js\",\n  \"dependencies\": {\"express\": \"5\"}\n}\n"),
        ("server.js", "// x\nconst p = process.env.PORT || 4000\napp.listen(p)\n"),
        ("Dockerfile", "FROM node\nCOPY . \\\n  .\nEXPOSE 4000\nCMD [\"node\", \"server.js\"]\n"),
    ];
    let build = |crlf: bool| {
        files.iter().fold(MemoryTree::new(), |tree, (path, text)| {
            tree.put(path, &if crlf { text.replace('\n', "\r\n") } else { (*text).to_owned() })
        })
    };
    assert_eq!(analyze(build(true)), analyze(build(false)));
}

#[test]
fn the_name_of_a_cpp_program_is_the_directory() {
    let got = analyze_at(tree! { "svc/engine/meson.build": "" }, "svc/engine");
    assert_eq!(got.start_command.as_deref(), Some("/build/engine"));
    let got: Analysis = analyze(tree! { "meson.build": "" });
    assert!(said(&got, "cpp-start-name") && got.start_command.as_deref() == Some("/build/shop"));
}
