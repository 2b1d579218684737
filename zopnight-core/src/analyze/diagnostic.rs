//! The catalogue of diagnostics. Codes are API: never renamed, never reused.

use crate::domain::analysis::{Diagnostic, Severity};

use super::evidence::Place;

use Severity::{Error as E, Info as I, Warning as W};

/// Every code with its severity, in the order of the answer within a severity.
pub(crate) const CATALOGUE: &[(&str, Severity)] = &[
    ("nothing-detected", W),
    ("root-has-no-app", W),
    ("monorepo-choose-root", W),
    ("builder-unsupported", W),
    ("fallback-provider", W),
    ("several-providers", W),
    ("tooling-manifest-wins", W),
    ("node-manifest-broken", E),
    ("railpack-config-broken", E),
    ("railpack-provider-unknown", E),
    ("railpack-provider-forced", I),
    ("no-start-command", E),
    ("procfile-broken", E),
    ("procfile-order-random", W),
    ("procfile-on-static-image", W),
    ("spa-disabled-by-start", W),
    ("ssr-treated-as-static", W),
    ("static-knob-mismatch", I),
    ("angular-project-random", W),
    ("python-app-target-missing", W),
    ("django-wsgi-missing", W),
    ("python-nothing-installed", W),
    ("go-cmd-ambiguous", W),
    ("ambiguous-binary", W),
    ("start-artifact-missing", W),
    ("cpp-start-name", I),
    ("dotnet-console", I),
    ("phx-server-unset", W),
    ("rails-bin-not-executable", W),
    ("stale-lockfile", W),
    ("lockfile-missing", I),
    ("node-modules-committed", W),
    ("workspace-lock-above-root", W),
    ("dockerfile-invalid", E),
    ("dockerfile-variant", I),
    ("dockerfile-variant-used", W),
    ("docker-context-unresolved", W),
    ("build-artifact-expected", W),
    ("dockerignore-excludes-source", W),
    ("dev-server-start", W),
    ("config-not-copied", W),
    ("foreign-builder-config", I),
    ("expose-vs-listen-conflict", W),
    ("ambiguous-port", W),
    ("privileged-port", W),
    ("port-declared-not-served", W),
    ("no-port-found", I),
    ("grpc-only", I),
    ("port-not-configurable", I),
    ("binds-loopback", W),
    ("no-health-path", I),
    ("health-body-only", W),
    ("health-behind-auth", W),
    ("health-port-differs", W),
    ("management-port-separate", W),
    ("env-committed", W),
    ("prebuilt-image", I),
    ("submodule-empty", W),
    ("lfs-pointer", I),
    ("unparsable-file", I),
    ("file-too-large", I),
    ("analysis-incomplete", I),
];

/// A diagnostic with its place in the order.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    order: usize,
    diagnostic: Diagnostic,
}

impl Said {
    pub(crate) fn new(code: &'static str, message: &str, place: Option<&Place>, hint: Option<String>) -> Self {
        let order = CATALOGUE.iter().position(|(known, _)| *known == code).unwrap_or(CATALOGUE.len());
        let severity = CATALOGUE.get(order).map_or(Severity::Info, |(_, severity)| *severity);
        let message = message.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let diagnostic = Diagnostic {
            code: code.to_owned(),
            severity,
            message,
            file: place.map(|p| p.file.clone()),
            line: place.and_then(|p| p.line),
            hint,
        };
        Self { order, diagnostic }
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.diagnostic.code == code
    }
}

/// Severity, then catalogue, then file; each once.
pub(crate) fn finish(mut said: Vec<Said>, max: usize) -> Vec<Diagnostic> {
    said.sort_by(|a, b| {
        let key = |s: &Said| {
            (s.diagnostic.severity, s.order, s.diagnostic.file.clone(), s.diagnostic.line, s.diagnostic.message.clone())
        };
        key(a).cmp(&key(b))
    });
    let mut diagnostics: Vec<Diagnostic> = said.into_iter().map(|s| s.diagnostic).collect();
    diagnostics.dedup();
    diagnostics.truncate(max);
    diagnostics
}
