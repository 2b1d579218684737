//! From which directory a Dockerfile builds: where everything it copies can be found.

use std::collections::BTreeSet;

use crate::domain::RepoPath;
use crate::domain::analysis::EvidenceField;
use crate::ports::EntryKind;

use super::super::evidence::{Notes, Place};
use super::super::glob;
use super::super::view::{View, clean};
use super::super::wants::Priority;
use super::ignore;
use super::model::{CopyStep, Dockerfile, Op};
use super::select::Chosen;

/// A path the build needs in its context.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Must exist, or match if it is a pattern.
    Path(String),
    /// Must be a directory if the context is right: a working directory below a whole copy.
    Soft(String),
}

/// The build context of the chosen Dockerfile. `declared` is one that a platform file names.
pub(crate) fn infer(view: &View<'_>, chosen: &Chosen, declared: Option<&RepoPath>, notes: &mut Notes) -> RepoPath {
    let place = Place::file(&chosen.path);
    if let Some(context) = declared {
        notes.fact(EvidenceField::BuildContext, context.as_str(), Some(&place), "context-declared");
        return context.clone();
    }
    let candidates = candidates(view, &chosen.path);
    let sources = sources(&chosen.file);
    let scored = candidates.iter().map(|context| (context, missing(view, context, &sources)));
    let best = scored.enumerate().min_by_key(|(order, (_, missing))| (missing.len(), *order));
    let Some((_, (context, missing))) = best else { return view.root().clone() };
    let artifacts: Vec<&str> = sources.iter().filter_map(|s| expected_artifact(view, context, s)).collect();
    let rule = if sources.is_empty() || sources.len() == artifacts.len() { "context-default" } else { "context-copy-proof" };
    notes.fact(EvidenceField::BuildContext, context.as_str(), Some(&place), rule);
    let names = missing.iter().filter_map(|source| match source {
        Source::Path(path) => Some(path.as_str()),
        Source::Soft(_) => None,
    });
    let names = names.take(5).collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        notes.say(
            "docker-context-unresolved",
            format!("{} copies {names}, which the tree does not have", chosen.path),
            Some(&place),
        );
    }
    if !artifacts.is_empty() {
        let message = format!("{} copies {}, so the app must be built before the image", chosen.path, artifacts.join(", "));
        notes.say("build-artifact-expected", message, Some(&place));
    }
    check_ignored(view, chosen, context, &sources, notes);
    context.clone()
}

fn candidates(view: &View<'_>, dockerfile: &RepoPath) -> Vec<RepoPath> {
    let mut candidates = Vec::new();
    let own = dockerfile.parent().into_iter();
    for path in own.chain(std::iter::successors(Some(view.root().clone()), RepoPath::parent)) {
        if !candidates.contains(&path) {
            candidates.push(path);
        }
    }
    candidates
}

/// What the stages that the final one needs copy from the context.
fn sources(file: &Dockerfile) -> BTreeSet<Source> {
    let mut sources = BTreeSet::new();
    for stage in needed(file).into_iter().filter_map(|index| file.stages.get(index)) {
        let mut whole: Option<String> = None;
        let mut workdir = String::new();
        for step in &stage.steps {
            match &step.op {
                Op::Copy(copy) if copy.from.is_none() => {
                    for source in copy.sources.iter().flatten().filter_map(|s| cleaned(s)) {
                        if source.is_empty() || source == "*" {
                            whole = Some(destination(copy, &workdir));
                        } else {
                            sources.insert(Source::Path(source));
                        }
                    }
                }
                Op::Workdir(dir) => {
                    soft(whole.as_deref(), dir, &mut sources);
                    workdir.clone_from(dir);
                }
                Op::Run(line) => {
                    let target = line.trim().strip_prefix("cd ").and_then(|rest| rest.split([' ', ';', '&']).next());
                    if let Some(target) = target.filter(|t| !t.is_empty() && !t.contains('$')) {
                        let dir = if target.starts_with('/') { target.to_owned() } else { format!("{workdir}/{target}") };
                        soft(whole.as_deref(), &dir, &mut sources);
                    }
                }
                _ => {}
            }
        }
    }
    sources
}

fn soft(whole: Option<&str>, dir: &str, sources: &mut BTreeSet<Source>) {
    let Some(whole) = whole else { return };
    let (Some(whole), Some(dir)) = (clean(whole), clean(dir)) else { return };
    let below =
        if whole.is_empty() { Some(dir.as_str()) } else { dir.strip_prefix(&whole).and_then(|d| d.strip_prefix('/')) };
    if let Some(below) = below.filter(|b| !b.is_empty() && !b.contains('$')) {
        sources.insert(Source::Soft(below.to_owned()));
    }
}

fn destination(copy: &CopyStep, workdir: &str) -> String {
    if copy.destination.starts_with('/') { copy.destination.clone() } else { format!("{workdir}/{}", copy.destination) }
}

/// The final stage and every stage it builds on or copies from.
fn needed(file: &Dockerfile) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let mut ahead: Vec<usize> = file.stages.len().checked_sub(1).into_iter().collect();
    while let Some(index) = ahead.pop() {
        if !needed.insert(index) {
            continue;
        }
        let Some(stage) = file.stages.get(index) else { continue };
        ahead.extend(stage.parent);
        for step in &stage.steps {
            if let Op::Copy(CopyStep { from: Some(from), .. }) = &step.op {
                ahead.extend(file.stage(from));
            }
        }
    }
    needed
}

/// As BuildKit cleans a source: relative to the context, which `..` cannot leave.
fn cleaned(source: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn missing<'s>(view: &View<'_>, context: &RepoPath, sources: &'s BTreeSet<Source>) -> Vec<&'s Source> {
    let lacks = |source: &&Source| match source {
        Source::Path(path) => !is_artifact(path) && !resolves(view, context, path),
        Source::Soft(dir) => context.join(dir).ok().is_none_or(|p| view.kind(&p) != Some(EntryKind::Directory)),
    };
    sources.iter().filter(lacks).collect()
}

fn resolves(view: &View<'_>, context: &RepoPath, pattern: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return context.join(pattern).is_ok_and(|path| view.kind(&path).is_some());
    }
    let (dir, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    if dir.contains(['*', '?', '[']) {
        return true;
    }
    let Some(glob) = glob::compile(name) else { return false };
    context.join(dir).is_ok_and(|dir| view.list(&dir, Priority::Docker).iter().any(|e| glob.is_match(&*e.name)))
}

fn is_artifact(path: &str) -> bool {
    let products = ["dist", "build", "target", "out", "bin", "node_modules"];
    let ends = [path.split('/').next(), path.rsplit('/').next()];
    ends.iter().flatten().any(|part| products.contains(part)) || path.ends_with(".jar") || path.ends_with(".war")
}

fn expected_artifact<'s>(view: &View<'_>, context: &RepoPath, source: &'s Source) -> Option<&'s str> {
    match source {
        Source::Path(path) if is_artifact(path) && !resolves(view, context, path) => Some(path),
        _ => None,
    }
}

fn check_ignored(view: &View<'_>, chosen: &Chosen, context: &RepoPath, sources: &BTreeSet<Source>, notes: &mut Notes) {
    let own = format!("{}.dockerignore", chosen.path.file_name().unwrap_or_default());
    let beside = chosen.path.parent().and_then(|dir| dir.join(&own).ok());
    let files = beside.into_iter().chain(context.join(".dockerignore").ok());
    let Some((file, patterns)) = files.filter_map(|f| view.text(&f, Priority::Docker).map(|t| (f, t))).next() else {
        return;
    };
    for source in sources {
        if let Source::Path(path) = source
            && !path.contains(['*', '?', '['])
            && ignore::excludes(patterns, path)
        {
            let message = format!("{} copies {path}, which {file} excludes", chosen.path);
            notes.say("dockerignore-excludes-source", message, Some(&Place::file(&file)));
        }
    }
}
