//! Python: Django, the uvicorn and gunicorn pairs, else the main file.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::domain::RepoPath;

use super::super::evidence::{Notes, Place};
use super::super::parse::pip;
use super::super::view::View;
use super::super::wants::Priority;
use super::order::python_mains;

static WSGI: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"WSGI_APPLICATION = ["'](.*).application["']"#).ok());

pub(crate) fn start(view: &View<'_>, notes: &mut Notes) -> Option<String> {
    let mut command = None;
    if is_django(view) {
        match django_app(view) {
            Some(app) => {
                command =
                    Some(format!("python manage.py migrate && gunicorn --bind 0.0.0.0:${{PORT:-8000}} {app}:application"));
            }
            None => {
                let place = view.at("manage.py").map(|path| Place::file(&path));
                notes.say(
                    "django-wsgi-missing",
                    "no settings file has a WSGI_APPLICATION that Railpack can read",
                    place.as_ref(),
                );
            }
        }
    }
    let main = python_mains().iter().find(|name| view.has(name));
    if let Some(main) = main {
        let both = |a, b| dep(view, a) && dep(view, b);
        if both("python-fasthtml", "uvicorn") || both("fastapi", "uvicorn") {
            command = Some("uvicorn main:app --host 0.0.0.0 --port ${PORT:-8000}".to_owned());
            check_target(view, notes);
        }
        if both("flask", "gunicorn") {
            command = Some("gunicorn --bind 0.0.0.0:${PORT:-8000} main:app".to_owned());
            check_target(view, notes);
        }
        if command.is_none() {
            command = Some(format!("python {main}"));
        }
    }
    if package_manager(view).is_none() && view.has("pyproject.toml") {
        let place = view.at("pyproject.toml").map(|path| Place::file(&path));
        notes.say(
            "python-nothing-installed",
            "pyproject.toml has no lock file beside it, so nothing is installed",
            place.as_ref(),
        );
    }
    command
}

fn check_target(view: &View<'_>, notes: &mut Notes) {
    let main = view.read("main.py", Priority::Entry);
    let defines = |text: &str| {
        text.lines().any(|l| {
            l.strip_prefix("app").is_some_and(|r| r.trim_start().starts_with(['=', ':', ','])) || l.contains("import app")
        })
    };
    let known = view.at("main.py").is_some_and(|path| view.facts.file(&path).is_some() || !view.has("main.py"));
    if known && !main.as_ref().is_some_and(|found| defines(found.text)) {
        let place = main.map(|found| Place::file(&found.path));
        notes.say("python-app-target-missing", "Railpack starts main:app, but main.py has no top-level app", place.as_ref());
    }
}

pub(crate) fn is_django(view: &View<'_>) -> bool {
    view.has("manage.py") && dep(view, "django")
}

fn django_app(view: &View<'_>) -> Option<String> {
    if let Some(name) = view.env("DJANGO_APP_NAME") {
        return Some(name.to_owned());
    }
    let files = view.walk(view.root(), 3, Priority::Manifest);
    let likely = |path: &&RepoPath| {
        let path = path.as_str();
        path.ends_with(".py") && ["settings", "config", "base", "prod", "wsgi"].iter().any(|word| path.contains(word))
    };
    let texts = files.iter().filter(likely).take(40).filter_map(|path| view.text(path, Priority::Manifest));
    let mut found = texts.filter_map(|text| WSGI.as_ref()?.captures(text)?.get(1).map(|m| m.as_str().to_owned()));
    found.next()
}

/// Whether a dependency file mentions `name`, as Railpack looks: a substring in any of them, nested projects too.
pub(crate) fn dep(view: &View<'_>, name: &str) -> bool {
    dependency_files(view)
        .iter()
        .filter_map(|path| view.text(path, Priority::Manifest))
        .any(|t| t.to_lowercase().contains(name))
}

fn dependency_files(view: &View<'_>) -> Vec<RepoPath> {
    let names = ["requirements.txt", "pyproject.toml", "Pipfile"];
    let files = view.walk(view.root(), 3, Priority::Manifest);
    files.into_iter().filter(|f| f.file_name().is_some_and(|n| names.contains(&n))).take(20).collect()
}

/// The parsed names of the app root's own dependencies.
pub(crate) fn dependencies(view: &View<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in ["requirements.txt", "requirements/base.txt", "requirements/prod.txt", "requirements/production.txt"] {
        names.extend(view.read(file, Priority::Manifest).map(|f| pip::requirements(f.text)).unwrap_or_default());
    }
    for file in ["pyproject.toml", "Pipfile"] {
        names.extend(view.read(file, Priority::Manifest).and_then(|f| pip::manifest(f.text)).unwrap_or_default());
    }
    names
}

/// What installs the dependencies.
pub(crate) fn package_manager(view: &View<'_>) -> Option<&'static str> {
    let project = view.has("pyproject.toml");
    if view.has("requirements.txt") {
        Some("pip")
    } else if project && view.has("uv.lock") {
        Some("uv")
    } else if project && view.has("poetry.lock") {
        Some("poetry")
    } else if project && view.has("pdm.lock") {
        Some("pdm")
    } else if view.has("Pipfile") {
        Some("pipenv")
    } else {
        None
    }
}
