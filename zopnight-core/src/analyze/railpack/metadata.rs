//! Railpack's metadata keys: strings; booleans are `"true"` or absent.

use super::super::view::View;
use super::java;
use super::order::Provider;
use super::python;
use super::ruby;
use super::simple;
use super::start::Plan;

pub(crate) fn fill(view: &View<'_>, plan: &mut Plan) {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let yes = |condition: bool| if condition { "true".to_owned() } else { String::new() };
    if let Some(provider) = plan.provider {
        pairs.push(("providers", provider.name().to_owned()));
    }
    match plan.provider {
        Some(Provider::Node) => {
            if let (Some(app), Some(manifest)) = (&plan.node, &plan.manifest) {
                let corepack = !manifest.package_manager.trim().is_empty() && app.manager.name() != "bun";
                pairs.push(("nodeRuntime", app.runtime.to_owned()));
                pairs.push(("nodePackageManager", app.manager.name().to_owned()));
                pairs.push(("nodeIsSPA", yes(app.spa)));
                pairs.push(("nodeUsesCorepack", yes(corepack)));
            }
        }
        Some(Provider::Python) => {
            plan.package_manager = python::package_manager(view);
            let dep = |name| python::dep(view, name);
            let runtime = if python::is_django(view) {
                "django"
            } else if dep("flask") {
                "flask"
            } else if dep("fastapi") {
                "fastapi"
            } else if dep("python-fasthtml") {
                "fasthtml"
            } else {
                "python"
            };
            let locks = [("poetry.lock", "poetry"), ("pdm.lock", "pdm"), ("uv.lock", "uv")];
            let manager = locks.iter().find(|(lock, _)| view.has(lock)).map_or("pip", |(_, name)| name);
            pairs.push(("pythonRuntime", runtime.to_owned()));
            pairs.push(("pythonPackageManager", manager.to_owned()));
        }
        Some(Provider::Golang) => {
            pairs.push(("goMod", yes(view.has("go.mod"))));
            pairs.push(("goWorkspace", yes(view.has("go.work"))));
            pairs.push(("goRootFile", yes(view.root_entries().iter().any(|e| e.name.ends_with(".go")))));
            pairs.push(("goGin", yes(view.contains("go.mod", "github.com/gin-gonic/gin"))));
            pairs.push(("goCGO", yes(view.subject.env.get("CGO_ENABLED").is_some_and(|v| v == "1"))));
        }
        Some(Provider::Java) => {
            let manager = if java::is_gradle(view) { "gradle" } else { "maven" };
            plan.package_manager = Some(manager);
            pairs.push(("javaPackageManager", manager.to_owned()));
        }
        Some(Provider::Php) => pairs.push(("phpLaravel", yes(view.has("artisan")))),
        Some(Provider::Ruby) => {
            let gem = |name| view.contains("Gemfile", name) || view.contains("Gemfile.lock", name);
            pairs.push(("rubyRails", yes(ruby::is_rails(view))));
            pairs.push(("rubyAssetPipeline", yes(gem("sprockets") || gem("propshaft"))));
            pairs.push(("rubyBootsnap", yes(gem("bootsnap"))));
        }
        Some(Provider::Shell) => pairs.push(("detectedShellInterpreter", simple::interpreter(view).to_owned())),
        _ => {}
    }
    plan.metadata = pairs.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v)).collect();
}
