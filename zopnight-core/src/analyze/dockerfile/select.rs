//! Which Dockerfile builds the app.

use crate::domain::RepoPath;
use crate::domain::analysis::EvidenceField;
use crate::ports::EntryKind;

use super::super::evidence::{Notes, Place};
use super::super::view::View;
use super::super::wants::Priority;
use super::model::{Dockerfile, Image};

/// The chosen Dockerfile.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) path: RepoPath,
    pub(crate) file: Dockerfile,
    pub(crate) image: Image,
}

/// What the choice found: the chosen one, and variants that were left aside.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) chosen: Option<Chosen>,
    pub(crate) variants: Vec<Chosen>,
}

const IN_ROOT: &[&str] = &["Dockerfile", "dockerfile", "Containerfile"];
const BELOW: &[&str] = &["docker/Dockerfile", "build/Dockerfile", ".docker/Dockerfile", "deploy/Dockerfile"];
const NOT_FOR_PRODUCTION: &[&str] = &["dev", "test", "debug", "ci", "local", "builder", "base"];

/// The Dockerfile of the app root. `declared` is one that a platform file names; `has_provider` whether Railpack could build.
pub(crate) fn select(view: &View<'_>, declared: Option<&RepoPath>, has_provider: bool, notes: &mut Notes) -> Selection {
    let first = |names: &[&str]| names.iter().find(|name| view.has_file(name)).and_then(|name| view.at(name));
    let declared = declared.filter(|path| view.kind(path) == Some(EntryKind::File)).cloned();
    let picked = first(IN_ROOT).map(|p| (p, "dockerfile-in-root"));
    let picked = picked.or_else(|| declared.map(|p| (p, "dockerfile-declared")));
    let picked = picked.or_else(|| first(BELOW).map(|p| (p, "dockerfile-below-root")));
    if let Some((path, rule)) = picked {
        if let Some(chosen) = load(view, &path, notes) {
            notes.fact(EvidenceField::Dockerfile, chosen.path.as_str(), Some(&Place::file(&chosen.path)), rule);
            return Selection { chosen: Some(chosen), variants: Vec::new() };
        }
        return Selection::default();
    }
    let names = variants(view);
    let variants: Vec<Chosen> = names.iter().take(4).filter_map(|path| load(view, path, notes)).collect();
    match variants.as_slice() {
        [only] if !has_provider => {
            let place = Place::file(&only.path);
            let message = format!("{} is the only Dockerfile, so it is used although its name marks a variant", only.path);
            notes.say("dockerfile-variant-used", message, Some(&place));
            notes.fact(EvidenceField::Dockerfile, only.path.as_str(), Some(&place), "dockerfile-variant");
            Selection { chosen: Some(only.clone()), variants: Vec::new() }
        }
        _ => {
            for variant in &variants {
                let message = format!("{} is a variant and is not used", variant.path);
                let hint = "name a Dockerfile explicitly to build with it";
                notes.advise("dockerfile-variant", message, Some(&Place::file(&variant.path)), hint);
            }
            Selection { chosen: None, variants }
        }
    }
}

fn load(view: &View<'_>, path: &RepoPath, notes: &mut Notes) -> Option<Chosen> {
    let Some(text) = view.text(path, Priority::Docker) else {
        if view.facts.file(path).is_some() {
            notes.say("dockerfile-invalid", format!("{path} cannot be read as text"), Some(&Place::file(path)));
        }
        return None;
    };
    let parsed = Dockerfile::parse(text.strip_prefix('\u{feff}').unwrap_or(text));
    let Some(file) = parsed else {
        notes.say("dockerfile-invalid", format!("{path} has no FROM instruction"), Some(&Place::file(path)));
        return None;
    };
    let image = file.image();
    Some(Chosen { path: path.clone(), file, image })
}

fn variants(view: &View<'_>) -> Vec<RepoPath> {
    let is_variant = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let shaped = name.starts_with("Dockerfile.") || name.starts_with("Dockerfile-") || lower.ends_with(".dockerfile");
        shaped && !lower.ends_with(".dockerignore") && !NOT_FOR_PRODUCTION.iter().any(|word| lower.contains(word))
    };
    let entries = view.root_entries().iter().filter(|e| e.kind != EntryKind::Directory && is_variant(&e.name));
    entries.filter_map(|e| view.at(&e.name)).filter(|path| view.kind(path) == Some(EntryKind::File)).collect()
}
