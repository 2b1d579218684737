//! What the detectors hand in: evidence and diagnostics.

use crate::domain::RepoPath;
use crate::domain::analysis::{Diagnostic, Evidence, EvidenceField};

use super::diagnostic::{self, Said};

/// A file, and a line of it where one is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: RepoPath,
    pub(crate) line: Option<u32>,
}

impl Place {
    pub(crate) fn file(file: &RepoPath) -> Self {
        Self { file: file.clone(), line: None }
    }

    pub(crate) fn line(file: &RepoPath, line: u32) -> Self {
        Self { file: file.clone(), line: Some(line) }
    }
}

/// The collected lines of one run.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    evidence: Vec<Evidence>,
    said: Vec<Said>,
}

impl Notes {
    pub(crate) fn fact(&mut self, field: EvidenceField, value: &str, place: Option<&Place>, rule: &str) {
        self.ranked(field, value, place, rule, 0, true);
    }

    pub(crate) fn ranked(
        &mut self,
        field: EvidenceField,
        value: &str,
        place: Option<&Place>,
        rule: &str,
        rank: u8,
        used: bool,
    ) {
        let value = value.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let evidence = Evidence {
            field,
            value,
            file: place.map(|p| p.file.clone()),
            line: place.and_then(|p| p.line),
            rule: rule.to_owned(),
            rank,
            used,
        };
        if !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
    }

    pub(crate) fn say(&mut self, code: &'static str, message: impl Into<String>, place: Option<&Place>) {
        self.said.push(Said::new(code, &message.into(), place, None));
    }

    pub(crate) fn advise(&mut self, code: &'static str, message: impl Into<String>, place: Option<&Place>, hint: &str) {
        self.said.push(Said::new(code, &message.into(), place, Some(hint.to_owned())));
    }

    #[cfg(test)]
    pub(crate) fn has_said(&self, code: &str) -> bool {
        self.said.iter().any(|s| s.is(code))
    }

    /// Takes back what a later detector explained.
    pub(crate) fn retract(&mut self, code: &str) {
        self.said.retain(|s| !s.is(code));
    }

    /// Everything in the order of the answer, cut to the budgets; what decided and what is strong survives a cut.
    pub(crate) fn finish(mut self, max_evidence: usize, max_diagnostics: usize) -> (Vec<Evidence>, Vec<Diagnostic>) {
        self.evidence.sort_by_key(|e| (!e.used, e.rank));
        self.evidence.truncate(max_evidence);
        self.evidence.sort_by(|a, b| {
            (a.field, a.rank, &a.file, a.line, !a.used, &a.value).cmp(&(b.field, b.rank, &b.file, b.line, !b.used, &b.value))
        });
        (self.evidence, diagnostic::finish(self.said, max_diagnostics))
    }
}
