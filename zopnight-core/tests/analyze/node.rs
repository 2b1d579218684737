//! Node: servers, meta-frameworks, single-page apps.

use zopnight_core::tree;

use super::{analyze, analyze_with, health, port, port_rule, said};

const CADDY: &str = "caddy run --config /Caddyfile --adapter caddyfile 2>&1";

#[test]
fn express_with_an_environment_fallback() {
    let got = analyze(tree! {
        "package.json": r#"{"name": "shop", "scripts": {"start": "node server.js"}, "dependencies": {"express": "^5"}}"#,
        "package-lock.json": "{}",
        "server.js": "const app = require('express')()\napp.get('/healthz', (q, r) => r.send('ok'))\n\
            const port = process.env.PORT || 3000\napp.listen(port, () => {})\n",
    });
    assert_eq!((got.language.as_deref(), got.framework.as_deref()), (Some("node"), Some("express")));
    assert_eq!((got.dialect.as_deref(), got.package_manager.as_deref()), (Some("javascript"), Some("npm")));
    assert_eq!((port(&got), port_rule(&got), got.port_env.as_deref()), (Some(3000), Some("env-fallback"), Some("PORT")));
    assert_eq!(health(&got), Some("/healthz"));
    assert_eq!(got.start_command.as_deref(), Some("npm run start"));
    assert!(got.warnings.is_empty(), "{:?}", got.warnings);
}

#[test]
fn typescript_behind_compiled_output_with_a_constant_one_hop_away() {
    let got = analyze(tree! {
        "package.json": r#"{"main": "dist/server.js", "dependencies": {"fastify": "5"}}"#,
        "tsconfig.json": "{}",
        "src/server.ts": "import { config } from './config.js';\nawait app.listen({ port: config.port, host: '0.0.0.0' });\n",
        "src/config.ts": "export const config = {\n  port: Number(process.env.APP_PORT ?? 4100),\n};\n",
    });
    assert_eq!((got.framework.as_deref(), got.dialect.as_deref()), (Some("fastify"), Some("typescript")));
    assert_eq!((port(&got), got.port_env.as_deref()), (Some(4100), Some("APP_PORT")));
    assert_eq!(got.start_command.as_deref(), Some("node dist/server.js"));
    assert_eq!(got.binds_loopback, Some(false));
}

#[test]
fn next_and_its_static_export() {
    let manifest = r#"{"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "15"}}"#;
    let got = analyze(tree! { "package.json": manifest, "app/api/health/route.ts": "export const GET = 1" });
    assert_eq!((got.framework.as_deref(), port(&got), got.port_env.as_deref()), (Some("next"), Some(3000), Some("PORT")));
    assert_eq!(health(&got), Some("/api/health"));
    assert_eq!(got.railpack.metadata.get("nodeRuntime").map(String::as_str), Some("next"));
    let got = analyze(tree! { "package.json": manifest, "next.config.mjs": "export default { output: 'export' }" });
    assert_eq!((got.start_command.as_deref(), port(&got), health(&got)), (Some(CADDY), Some(80), Some("/health")));
    assert_eq!(got.railpack.output_directory.as_deref(), Some("out"));
}

#[test]
fn a_vite_app_is_static_unless_it_has_a_start_script() {
    let vite =
        |scripts: &str| format!(r#"{{"scripts": {{{scripts}}}, "main": "x.js", "devDependencies": {{"vite": "6"}}}}"#);
    let got = analyze(tree! { "package.json": &vite(r#""build": "tsc && vite build --outDir web""#), "index.html": "" });
    assert_eq!((got.framework.as_deref(), got.start_command.as_deref()), (Some("vite"), Some(CADDY)));
    assert_eq!((port(&got), got.port_env.as_deref(), health(&got)), (Some(80), Some("PORT"), Some("/health")));
    assert_eq!(got.railpack.output_directory.as_deref(), Some("web"));
    assert_eq!(got.railpack.metadata.get("nodeIsSPA").map(String::as_str), Some("true"));
    let got = analyze(tree! { "package.json": &vite(r#""build": "vite build", "start": "node x.js""#) });
    assert_eq!(got.start_command.as_deref(), Some("npm run start"));
    assert!(said(&got, "spa-disabled-by-start"));
}

#[test]
fn the_knobs_of_single_page_apps() {
    let manifest = r#"{"scripts": {"build": "vite build", "start": "node x"}, "devDependencies": {"vite": "6"}}"#;
    let got = analyze_with(tree! { "package.json": manifest }, &[("RAILPACK_SPA_OUTPUT_DIR", "public_html")]);
    assert_eq!((got.start_command.as_deref(), got.railpack.output_directory.as_deref()), (Some(CADDY), Some("public_html")));
    let plain = r#"{"main": "a.js", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}}"#;
    let got = analyze_with(tree! { "package.json": plain }, &[("RAILPACK_NO_SPA", "True")]);
    assert_eq!(got.start_command.as_deref(), Some("node a.js"));
}

#[test]
fn package_managers() {
    let manager = |manifest: &str, lock: &str| {
        let tree = tree! { "package.json": manifest }.put(lock, "");
        let got = analyze(tree);
        (got.package_manager.unwrap(), got.start_command.unwrap())
    };
    let start = r#"{"scripts": {"start": "node a"}}"#;
    assert_eq!(manager(start, "pnpm-lock.yaml"), ("pnpm".into(), "pnpm run start".into()));
    assert_eq!(manager(start, "bun.lock"), ("bun".into(), "bun run start".into()));
    assert_eq!(manager(start, "yarn.lock"), ("yarn1".into(), "yarn run start".into()));
    assert_eq!(manager(start, ".yarnrc.yml"), ("yarnberry".into(), "yarn run start".into()));
    assert_eq!(manager(start, "package-lock.json"), ("npm".into(), "npm run start".into()));
    assert_eq!(
        manager(r#"{"packageManager": "yarn@4.1.0", "main": "a.js"}"#, "yarn.lock"),
        ("yarnberry".into(), "node a.js".into())
    );
    assert_eq!(manager(r#"{"engines": {"pnpm": "9"}, "main": "a.js"}"#, "x"), ("pnpm".into(), "node a.js".into()));
    assert_eq!(manager(r#"{"packageManager": "bun@1", "main": "a.js"}"#, "x"), ("bun".into(), "bun a.js".into()));
}

#[test]
fn starts_without_scripts() {
    let start = |tree| analyze(tree).railpack.start_command;
    assert_eq!(start(tree! { "package.json": "{}", "index.js": "", "index.ts": "" }).as_deref(), Some("node index.js"));
    assert_eq!(start(tree! { "package.json": "{}", "index.ts": "" }).as_deref(), Some("node index.ts"));
    let nuxt = r#"{"dependencies": {"nuxt": "3"}}"#;
    assert_eq!(start(tree! { "package.json": nuxt }).as_deref(), Some("node .output/server/index.mjs"));
    let tanstack = r#"{"dependencies": {"@tanstack/react-start": "1"}}"#;
    assert_eq!(
        start(tree! { "package.json": tanstack, "pnpm-lock.yaml": "" }).as_deref(),
        Some("pnpm exec srvx --prod -s ../client dist/server/server.js")
    );
    let svelte = r#"{"devDependencies": {"svelte": "5", "@sveltejs/kit": "2", "@sveltejs/adapter-auto": "3", "vite": "6"}, "scripts": {"build": "vite build"}}"#;
    assert_eq!(start(tree! { "package.json": svelte }).as_deref(), Some("node build"));
    let got = analyze(tree! { "package.json": "{}" });
    assert!(said(&got, "no-start-command") && !got.needs_build && got.start_command.is_none());
}

#[test]
fn the_one_next_app_of_an_nx_workspace() {
    let got = analyze(tree! {
        "package.json": r#"{"devDependencies": {"nx": "20"}, "dependencies": {"next": "15"}, "workspaces": ["apps/*"]}"#,
        "nx.json": "{}",
        "apps/web/package.json": r#"{"name": "@acme/web"}"#,
        "apps/web/next.config.js": "",
        "apps/docs/package.json": r#"{"name": "docs"}"#,
    });
    assert_eq!(got.start_command.as_deref(), Some("cd apps/web && next start"));
    assert_eq!(port(&got), Some(3000));
}

#[test]
fn a_nest_controller() {
    let got = analyze(tree! {
        "package.json": r#"{"scripts": {"start": "node dist/main"}, "dependencies": {"@nestjs/core": "11"}}"#,
        "src/main.ts": "const app = await NestFactory.create(AppModule);\napp.setGlobalPrefix('api');\nawait app.listen(process.env.PORT ?? 3000);\n",
        "src/health/health.controller.ts": "@Controller('health')\nexport class HealthController {\n  @Get()\n  @HealthCheck()\n  check() {}\n}\n",
    });
    assert_eq!((got.framework.as_deref(), port(&got)), (Some("nestjs"), Some(3000)));
    assert_eq!(health(&got), Some("/api/health"));
}

#[test]
fn dev_servers_and_workers_are_told() {
    let got =
        analyze(tree! { "package.json": r#"{"scripts": {"start": "nodemon server.js"}, "dependencies": {"koa": "2"}}"# });
    assert!(said(&got, "dev-server-start"));
    let got =
        analyze(tree! { "package.json": r#"{"scripts": {"worker": "node w.js"}}"#, "Procfile": "worker: npm run worker\n" });
    assert!(!got.needs_port && got.suggested_port.is_none());
    assert_eq!(got.start_command.as_deref(), Some("npm run worker"));
}
