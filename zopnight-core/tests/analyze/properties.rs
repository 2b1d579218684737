//! Whatever the tree, there is an answer, the same one each time, and it keeps its promises.

use std::sync::Arc;

use proptest::prelude::*;
use zopnight_core::domain::Analysis;
use zopnight_core::domain::analysis::{Builder, EvidenceField, Severity};
use zopnight_core::testing::tree::MemoryTree;

use super::run;

const NAMES: &[&str] = &[
    "package.json",
    "go.mod",
    "go.work",
    "main.go",
    "cmd/api/main.go",
    "pom.xml",
    "gradlew",
    "build.gradle",
    "Cargo.toml",
    "src/main.rs",
    "Gemfile",
    "config.ru",
    "config/application.rb",
    "mix.exs",
    "main.py",
    "app.py",
    "requirements.txt",
    "pyproject.toml",
    "manage.py",
    "mysite/settings.py",
    "deno.json",
    "main.ts",
    "a.csproj",
    "gleam.toml",
    "CMakeLists.txt",
    "Staticfile",
    "public/index.html",
    "index.html",
    "start.sh",
    "railpack.json",
    "Procfile",
    "Dockerfile",
    "Dockerfile.prod",
    "docker/Dockerfile",
    ".dockerignore",
    "configs/.env",
    ".env",
    "server.js",
    "src/index.ts",
    "src/config.ts",
    "next.config.js",
    "vite.config.ts",
    "angular.json",
    "nx.json",
    "pnpm-workspace.yaml",
    "Caddyfile",
    "composer.json",
    "entrypoint.sh",
    "apps/web/package.json",
    "node_modules/x/y.js",
];

const SNIPPETS: &[&str] = &[
    "{}",
    "{\"scripts\": {\"start\": \"next start -p 4000\", \"build\": \"vite build\"}, \"dependencies\": {\"next\": \"1\", \"express\": \"1\", \"vite\": \"1\"}}",
    "module x\nrequire (\n gofr.dev v1\n github.com/gin-gonic/gin v1 // indirect\n)\n",
    "package main\nimport \"gofr.dev/pkg/gofr\"\nfunc main() { a := gofr.New(); a.GET(\"/x\", h); a.Run() }\n",
    "FROM node AS a\nENV PORT=${X:-80}\nEXPOSE $PORT 90-95\nCOPY --from=a . .\nHEALTHCHECK CMD curl http://localhost:$PORT/h\nCMD [\"sh\", \"-c\", \"exec node server.js\"]\n",
    "HTTP_PORT=\"80\nPORT=$PORT\n",
    "web: gunicorn -b :$PORT a:b\n",
    "app.listen(process.env.PORT || `:${port}`)\nconst port = port + 1\n",
    "app.run(port=int(os.environ.get('PORT', 5000)))\n@app.get('/health')\n",
    "[package]\nname = \"x\"\n[workspace]\nmembers = [\"*\", \"../..\"]\n",
    "fastapi\nuvicorn\nflask\ngunicorn\ndjango\n",
    "root: public\n",
    "#!/bin/bash\n",
    ":{$PORT:80} {\n respond /health 200\n}\n",
    "*\n!a\n**/b\n",
    "\u{feff}\r\n'''\"\"\"`/* // {{{ ((( ",
];

fn content() -> impl Strategy<Value = Vec<u8>> {
    let snippet = prop::sample::select(SNIPPETS).prop_map(|s| s.as_bytes().to_vec());
    let flipped = (snippet.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    let cut = (snippet.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    prop_oneof![4 => snippet, 2 => flipped, 2 => cut, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn trees() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    prop::collection::vec((prop::sample::select(NAMES).prop_map(str::to_owned), content()), 0..14)
}

fn build(files: &[(String, Vec<u8>)]) -> MemoryTree {
    files.iter().fold(MemoryTree::new(), |tree, (path, bytes)| tree.bytes(path, bytes))
}

fn check(got: &Analysis) {
    let used = |field| got.evidence.iter().filter(move |e| e.field == field && e.used);
    let told: Vec<_> = got.diagnostics.iter().filter(|d| d.severity != Severity::Info).map(|d| d.message.clone()).collect();
    assert_eq!(got.warnings, told);
    assert_eq!(got.suggested_port.map(|p| p.to_string()), used(EvidenceField::Port).next().map(|e| e.value.clone()));
    assert_eq!(
        got.suggested_health_path.as_ref().map(|p| p.as_str().to_owned()),
        used(EvidenceField::HealthPath).next().map(|e| e.value.clone())
    );
    assert!(used(EvidenceField::Port).count() <= 1 && used(EvidenceField::HealthPath).count() <= 1);
    assert_eq!(got.language.is_some(), used(EvidenceField::Language).count() > 0);
    assert_eq!(got.framework.is_some(), used(EvidenceField::Framework).count() > 0);
    assert_eq!(got.builder.is_some(), got.needs_build);
    assert_eq!(got.dockerfile.is_some(), got.builder == Some(Builder::Dockerfile));
    assert_eq!(got.ports.iter().filter(|p| p.primary).count(), usize::from(got.suggested_port.is_some()));
    assert!(got.needs_port || (got.suggested_port.is_none() && got.suggested_health_path.is_none()));
    assert!(got.evidence.iter().all(|e| e.value.chars().count() <= 200 && !e.value.chars().any(char::is_control)));
    let json = serde_json::to_string(got).unwrap();
    assert_eq!(serde_json::from_str::<Analysis>(&json).unwrap(), *got);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_tree_has_one_answer(files in trees()) {
        let tree = Arc::new(build(&files));
        let got = run(Arc::<MemoryTree>::clone(&tree), ".", &[]).unwrap();
        check(&got);
        prop_assert_eq!(&got, &run(tree, ".", &[]).unwrap());
    }

    #[test]
    fn noise_changes_nothing(files in trees()) {
        let tree = build(&files);
        let noisy = tree.clone()
            .put("node_modules/left/package.json", "{}").put("docs/server.rb", "set :port, 1").put("coverage/main.py", "x");
        let with_modules = files.iter().any(|(path, _)| path.starts_with("node_modules"));
        let (plain, noisy) = (run(Arc::new(tree), ".", &[]).unwrap(), run(Arc::new(noisy), ".", &[]).unwrap());
        prop_assert_eq!(&plain.suggested_port, &noisy.suggested_port);
        prop_assert_eq!(&plain.framework, &noisy.framework);
        prop_assert_eq!(&plain.provider, &noisy.provider);
        if with_modules && plain.candidates == noisy.candidates {
            prop_assert_eq!(&plain.warnings, &noisy.warnings);
        }
    }
}
