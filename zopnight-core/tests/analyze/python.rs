//! Python.

use zopnight_core::tree;

use super::{analyze, health, port, port_rule, said};

#[test]
fn fastapi_under_uvicorn() {
    let got = analyze(tree! {
        "requirements.txt": "fastapi==0.115\nuvicorn[standard]\n",
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get(\"/health\")\ndef health():\n    return {}\n",
    });
    assert_eq!((got.language.as_deref(), got.framework.as_deref()), (Some("python"), Some("fastapi")));
    assert_eq!(got.start_command.as_deref(), Some("uvicorn main:app --host 0.0.0.0 --port ${PORT:-8000}"));
    assert_eq!((port(&got), port_rule(&got), got.port_env.as_deref()), (Some(8000), Some("start-flag"), Some("PORT")));
    assert_eq!((health(&got), got.package_manager.as_deref()), (Some("/health"), Some("pip")));
    assert!(got.warnings.is_empty(), "{:?}", got.warnings);
}

#[test]
fn a_target_that_is_not_there_is_told() {
    let got = analyze(tree! { "requirements.txt": "fastapi\nuvicorn\n", "server.py": "application = 1\n" });
    assert!(said(&got, "python-app-target-missing"));
}

#[test]
fn flask_alone_and_under_gunicorn() {
    let app = "from flask import Flask\napp = Flask(__name__)\n# app.run(port=1)\nif __name__ == '__main__':\n    app.run(host='0.0.0.0', port=int(os.environ.get('PORT', 5050)))\n";
    let got = analyze(tree! { "requirements.txt": "Flask\n", "app.py": app });
    assert_eq!((got.framework.as_deref(), got.start_command.as_deref()), (Some("flask"), Some("python app.py")));
    assert_eq!((port(&got), got.port_env.as_deref()), (Some(5050), Some("PORT")));
    let got = analyze(tree! { "requirements.txt": "flask\ngunicorn\n", "main.py": app });
    assert_eq!(got.start_command.as_deref(), Some("gunicorn --bind 0.0.0.0:${PORT:-8000} main:app"));
    assert_eq!((port(&got), port_rule(&got)), (Some(8000), Some("start-flag")));
}

#[test]
fn django_with_its_settings() {
    let tree = tree! {
        "manage.py": "", "requirements.txt": "Django==5\ngunicorn\n",
        "mysite/settings.py": "WSGI_APPLICATION = 'mysite.wsgi.application'\n",
        "mysite/urls.py": "urlpatterns = [path('healthz/', ok)]\n",
    };
    let got = analyze(tree.clone());
    assert_eq!(got.framework.as_deref(), Some("django"));
    assert_eq!(
        got.start_command.as_deref(),
        Some("python manage.py migrate && gunicorn --bind 0.0.0.0:${PORT:-8000} mysite.wsgi:application")
    );
    assert_eq!(port(&got), Some(8000));
    let got = analyze(tree.put("mysite/settings.py", "WSGI_APPLICATION = make()\n"));
    assert!(said(&got, "django-wsgi-missing"));
}

#[test]
fn managers_and_programs_without_a_port() {
    let got = analyze(
        tree! { "pyproject.toml": "[project]\nname='x'\ndependencies=['httpx']\n", "uv.lock": "", "main.py": "print(1)\n" },
    );
    assert_eq!((got.package_manager.as_deref(), got.start_command.as_deref()), (Some("uv"), Some("python main.py")));
    assert!(!got.needs_port && port(&got).is_none());
    let got = analyze(tree! { "pyproject.toml": "[project]\nname='x'\n", "main.py": "" });
    assert!(said(&got, "python-nothing-installed"));
    let got =
        analyze(tree! { "requirements.txt": "celery\n", "main.py": "", "Procfile": "worker: celery -A main worker\n" });
    assert!(!got.needs_port);
}

#[test]
fn streamlit_by_its_command() {
    let got = analyze(
        tree! { "requirements.txt": "streamlit\n", "app.py": "import streamlit\n", "Procfile": "web: streamlit run app.py\n" },
    );
    assert_eq!(
        (got.framework.as_deref(), port(&got), port_rule(&got)),
        (Some("streamlit"), Some(8501), Some("server-default"))
    );
}
