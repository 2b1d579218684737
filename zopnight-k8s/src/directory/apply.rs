//! The work of the applier, on a thread where blocking is allowed.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};

use serde_json::Value as Json;
use zopnight_core::domain::{
    ChangeKind, ImageRef, ObjectChange, ReleaseOutcome, ReleaseRef, ReleaseStatus, ReplicaCounts, RevisionNumber,
    UninstallOutcome, UninstallRequest, Verdict,
};
use zopnight_core::ports::ReleaseRequest;
use zopnight_core::{Error, ErrorKind, Result};

use super::files::{self, failed};
use super::lock::{self, Lock};
use super::state::{Folder, State, read_record};
use super::{Inner, OPERATION, write};
use crate::guard::{self, is_workload};
use crate::object::{self, Object, parse_manifest};
use crate::record::{Release, Status};
use crate::render::{RenderOptions, render_until};

const WARNING: &str = "manifests written, nothing was rolled out";

fn rejected(message: &str) -> Error {
    Error::conflict(OPERATION, "cluster_rejected", message)
}

impl Inner {
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, target: &ReleaseRef) -> Folder {
        Folder { path: self.settings.root.join(target.namespace.as_str()).join(target.release.as_str()) }
    }

    /// The folder, made if it is not there, with no link on the way from the root.
    fn made_folder(&self, target: &ReleaseRef) -> Result<Folder> {
        let root = &self.settings.root;
        fs::create_dir_all(root).map_err(|e| failed(root, e))?;
        let folder = self.folder(target);
        if let Some(namespace) = folder.path.parent() {
            files::ensure_directory(namespace)?;
        }
        files::ensure_directory(&folder.path)?;
        Ok(folder)
    }

    /// The folder if it is there, with no link on the way.
    fn found_folder(&self, target: &ReleaseRef) -> Result<Option<Folder>> {
        let folder = self.folder(target);
        let namespace = folder.path.parent().map(files::exists).transpose()?.unwrap_or(false);
        Ok((namespace && files::exists(&folder.path)?).then_some(folder))
    }

    pub(super) fn apply(&self, request: &ReleaseRequest, cancelled: &Arc<AtomicBool>) -> Result<ReleaseOutcome> {
        let target = &request.target;
        if target.namespace.as_str() == "default" && !self.settings.allow_namespaces.contains(&target.namespace) {
            let message = "namespace default is refused unless the applier's configuration names it";
            return Err(Error::new(ErrorKind::Forbidden, OPERATION, message).with("code", "cluster_rejected"));
        }
        let _writing = self.writing();
        let folder = self.made_folder(target)?;
        let now = self.settings.clock.now();
        let _lock = Lock::take(&folder.path, target, request.revision, request.job_fence, now)?;
        let state = folder.state()?;
        let number = request.revision.get();
        let record = state.current.map(|n| folder.record(n)).transpose()?.flatten();
        if let Some(by) = state.newest().filter(|newest| *newest > request.revision) {
            return Ok(ReleaseOutcome::of(Verdict::Superseded { by }, record.map_or(0, |r| r.version)));
        }
        if state.removed.is_some_and(|removed| number <= removed) {
            return Err(rejected("the release was removed; only a newer revision brings it back"));
        }
        self.write(request, &folder, &state, record.as_ref(), cancelled)
    }

    fn write(
        &self,
        request: &ReleaseRequest,
        folder: &Folder,
        state: &State,
        record: Option<&Release>,
        cancelled: &Arc<AtomicBool>,
    ) -> Result<ReleaseOutcome> {
        let number = request.revision.get();
        let again = state.current == Some(number);
        let version = match record {
            Some(record) if again => record.version,
            Some(record) => record.version.saturating_add(1),
            None => removed_version(folder, state)?.saturating_add(1),
        };
        let options = RenderOptions::default().with_helm_revision(version);
        let options = options.with_base_values(self.settings.base_values.clone());
        let chart = &self.settings.chart;
        let rendered = render_until(chart, request, &options, Arc::clone(cancelled))?;
        let objects = guard::check(&rendered, request, &self.settings.guard)?;
        let manifests = write::manifest_files(&objects);
        let resumed = files::exists(&folder.unfinished(number))?
            || files::exists(&folder.set_aside(number))?
            || (!again && state.revisions.contains(&number));
        let before = record.map(|r| self.objects(r)).transpose()?.unwrap_or_default();
        let unchanged = again && write::holds(&folder.revision(number), &manifests)?;
        if !unchanged {
            let first = record.map(|r| r.info.first_deployed.as_str());
            let next = Release::deployed(chart, request, &rendered, version, first, self.settings.clock.now());
            write::write(folder, number, &manifests, &next)?;
        }
        self.settle(folder, state, record.filter(|_| !again))?;
        let mut outcome = ReleaseOutcome::of(Verdict::Ready, version);
        outcome.previous = record.filter(|_| !again).and_then(Release::revision);
        outcome.changed = changes(&before, &objects);
        outcome.resumed = resumed;
        outcome.warnings.push(WARNING.into());
        outcome.warnings.extend(chart.warnings().iter().cloned());
        Ok(outcome)
    }

    /// The objects of a record as they were written.
    fn objects(&self, record: &Release) -> Result<Vec<Object>> {
        let objects = parse_manifest(&record.manifest)?;
        Ok(objects.iter().map(|o| o.owned_by(&record.name, &record.namespace)).collect())
    }

    /// Tidies up after `CURRENT` moved: the old record says so, and history is cut.
    fn settle(&self, folder: &Folder, before: &State, old: Option<&Release>) -> Result<()> {
        if let (Some(old), Some(number)) = (old, before.current) {
            let mut old = old.clone();
            old.info.status = Status::Superseded;
            Folder::rewrite_record(&folder.place_of(number)?, &old)?;
        }
        let state = folder.state()?;
        if self.settings.history_max > 0 {
            let kept = self.settings.history_max.saturating_sub(1);
            let others = state.revisions.iter().filter(|n| Some(**n) != state.current);
            for number in others.skip(kept) {
                files::remove(&folder.revision(*number))?;
                files::remove(&folder.set_aside(*number))?;
            }
        }
        Ok(())
    }

    pub(super) fn status(&self, target: &ReleaseRef) -> Result<ReleaseStatus> {
        let Some(folder) = self.found_folder(target)? else { return Ok(ReleaseStatus::default()) };
        let locked = lock::is_held(&folder.path, self.settings.clock.now())?;
        let current = folder.state()?.current;
        let Some(record) = current.map(|n| folder.record(n)).transpose()?.flatten() else {
            return Ok(ReleaseStatus { locked, ..ReleaseStatus::default() });
        };
        let objects = parse_manifest(&record.manifest)?;
        let workload = objects.iter().find(|o| is_workload(o, target.release.as_str()));
        let text = |pointer: &str| workload.and_then(|w| w.text(pointer));
        let revision = text("/spec/template/metadata/annotations/zopnight.dev~1revision").and_then(|n| n.parse().ok());
        let desired = workload.and_then(|w| w.json().pointer("/spec/replicas")).and_then(Json::as_u64).unwrap_or(0);
        Ok(ReleaseStatus {
            helm_revision: Some(record.version),
            helm_status: Some(record.info.status.as_str().to_owned()),
            revision: revision.and_then(|n| RevisionNumber::new(n).ok()),
            image: text("/spec/template/spec/containers/0/image").and_then(|image| ImageRef::parse(image).ok()),
            replicas: ReplicaCounts { desired: u32::try_from(desired).unwrap_or(u32::MAX), ..ReplicaCounts::default() },
            foreign: record.revision().is_none(),
            locked,
        })
    }

    pub(super) fn uninstall(&self, request: &UninstallRequest) -> Result<UninstallOutcome> {
        let nothing = UninstallOutcome { nothing_to_do: true, changed: Vec::new() };
        let _writing = self.writing();
        let Some(folder) = self.found_folder(&request.target)? else { return Ok(nothing) };
        let now = self.settings.clock.now();
        let _lock = Lock::take(&folder.path, &request.target, request.revision, request.job_fence, now)?;
        let state = folder.state()?;
        if state.newest().is_some_and(|newest| newest > request.revision) {
            return Err(rejected("a newer revision than this uninstall knows of is there"));
        }
        let Some(current) = state.current else {
            folder.clear_current()?;
            return Ok(nothing);
        };
        let place = folder.place_of(current)?;
        let mut objects = match read_record(&place)? {
            None => Vec::new(),
            Some(mut record) => {
                let objects = self.objects(&record)?;
                record.uninstall(now);
                Folder::rewrite_record(&place, &record)?;
                objects
            }
        };
        let removed = folder.removed(request.revision.get());
        files::remove(&removed)?;
        files::rename(&place, &removed)?;
        folder.clear_current()?;
        for number in state.revisions.iter().filter(|n| !request.keep_history && **n != current) {
            files::remove(&folder.revision(*number))?;
            files::remove(&folder.set_aside(*number))?;
        }
        if let Some(earlier) = state.removed.filter(|n| *n != request.revision.get()) {
            files::remove(&folder.removed(earlier))?;
        }
        object::sort_for_uninstall(&mut objects);
        let changed = objects.iter().map(|o| change(o, ChangeKind::Deleted)).collect();
        Ok(UninstallOutcome { nothing_to_do: false, changed })
    }
}

/// The number of the record that an uninstall left.
fn removed_version(folder: &Folder, state: &State) -> Result<u32> {
    let record = state.removed.map(|n| read_record(&folder.removed(n))).transpose()?.flatten();
    Ok(record.map_or(0, |r| r.version))
}

fn change(object: &Object, change: ChangeKind) -> ObjectChange {
    ObjectChange {
        kind: object.kind().to_owned(),
        namespace: object.namespace().unwrap_or_default().to_owned(),
        name: object.name().to_owned(),
        change,
    }
}

fn changes(before: &[Object], after: &[Object]) -> Vec<ObjectChange> {
    let same = |a: &Object, b: &Object| (a.group(), a.kind(), a.name()) == (b.group(), b.kind(), b.name());
    let mut changed: Vec<ObjectChange> = after
        .iter()
        .map(|object| match before.iter().find(|old| same(old, object)) {
            None => change(object, ChangeKind::Created),
            Some(old) if old == object => change(object, ChangeKind::Unchanged),
            Some(_) => change(object, ChangeKind::Updated),
        })
        .collect();
    let gone = before.iter().filter(|old| !after.iter().any(|object| same(old, object)));
    changed.extend(gone.map(|old| change(old, ChangeKind::Deleted)));
    changed
}
