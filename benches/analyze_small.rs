//! A small tree of eight files: listing and reading it alone, and the whole analysis.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use zopnight_core::analyze::{AnalyzeConfig, StackAnalyzer};
use zopnight_core::domain::RepoPath;
use zopnight_core::ports::{AnalyzeRequest, Analyzer};
use zopnight_core::testing::tree::MemoryTree;
use zopnight_core::tree;

fn small() -> MemoryTree {
    tree! {
        "package.json": r#"{"scripts": {"start": "node src/server.js"}, "dependencies": {"express": "5"}}"#,
        "package-lock.json": "{}",
        "Dockerfile": "FROM node:22\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nEXPOSE 3000\nCMD [\"npm\", \"start\"]\n",
        ".dockerignore": "node_modules\n",
        ".env.example": "PORT=3000\n",
        "README.md": "# shop\n",
        "src/server.js": "const { port } = require('./config')\napp.get('/healthz', ok)\napp.listen(port)\n",
        "src/config.js": "module.exports = { port: process.env.PORT || 3000 }\n",
    }
}

fn analyses(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let request = AnalyzeRequest::new(Arc::new(small()), RepoPath::root(), "shop");
    let mut group = c.benchmark_group("analyze");
    for (name, rounds) in [("root_only/small", 0), ("full/small", 3)] {
        let analyzer = StackAnalyzer::new(AnalyzeConfig::default().with_max_rounds(rounds));
        group.bench_function(name, |b| b.iter(|| black_box(runtime.block_on(analyzer.analyze(black_box(&request))))));
    }
    group.finish();
}

criterion_group!(benches, analyses);
criterion_main!(benches);
