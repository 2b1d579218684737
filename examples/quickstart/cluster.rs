//! The cluster's place: manifests in a directory, rendered from the real chart.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zopnight_core::Result;
use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{AppName, DeploymentId, ReleaseName};
use zopnight_core::ports::ClusterApplier;
use zopnight_k8s::ManifestDirectory;

/// The namespace of the only tenant.
pub(crate) const NAMESPACE: &str = "zn-demo";

/// Writes releases below `root`.
pub(crate) fn applier(root: &Path) -> Result<Arc<dyn ClusterApplier>> {
    Ok(Arc::new(ManifestDirectory::new(root, Arc::new(SystemClock))?))
}

/// Where a deployment's manifests are.
pub(crate) fn release_dir(root: &Path, name: &AppName, deployment: DeploymentId) -> PathBuf {
    root.join(NAMESPACE).join(ReleaseName::derive(name, deployment).as_str())
}

/// The manifests that are current, all in one text; `None` if there are none.
pub(crate) fn current(release: &Path) -> Option<String> {
    let named = fs::read_to_string(release.join("CURRENT")).ok()?;
    let dir = release.join(named.trim());
    let mut files: Vec<PathBuf> = fs::read_dir(dir).ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    let yaml = files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "yaml"));
    Some(yaml.filter_map(|p| fs::read_to_string(p).ok()).collect())
}
