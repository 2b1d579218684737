//! An applier that writes manifests to a directory instead of a cluster.

mod apply;
mod files;
mod lock;
mod state;
mod write;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use zopnight_core::domain::{
    LoadBalancerStatus, Namespace, ProgressLine, ReleaseOutcome, ReleaseRef, ReleaseStatus, Timestamp, UninstallOutcome,
    UninstallRequest,
};
use zopnight_core::ports::{Clock, ClusterApplier, ReleaseRequest};
use zopnight_core::{Error, ErrorKind, Result};

use crate::chart::{Chart, ChartSource};
use crate::guard::GuardConfig;

const OPERATION: &str = "k8s.directory";
/// Rendering that takes longer is given up.
const RENDER_LIMIT: Duration = Duration::from_secs(10);

/// Writes each release as plain manifests, for clusters that pull from a directory, and for trying things out without one.
///
/// ```text
/// <root>/<namespace>/<release>/rev-<n>/NN-<kind>-<name>.yaml   one object a file, in the order of installation
///                             /rev-<n>/release.json            the release record
///                             /CURRENT                         the text rev-<n>
///                             /removed-<n>                     what an uninstall left, so that a stale deploy stays out
/// ```
///
/// A revision is written beside the others and appears by a rename; so does `CURRENT`. A writer that dies leaves the old
/// `CURRENT` valid, and its lock is taken over after 60 s, or at once by a later hand-out of the same job. Links inside the
/// root are refused. The verdict is `Ready` as soon as the files are there, with a warning that says so.
///
/// ```
/// use std::sync::Arc;
/// use zopnight_core::clock::SystemClock;
/// use zopnight_k8s::ManifestDirectory;
///
/// let applier = ManifestDirectory::new("/var/lib/zopnight/manifests", Arc::new(SystemClock)).unwrap().with_history_max(5);
/// assert!(format!("{applier:?}").contains("manifests"));
/// ```
#[derive(Clone, Debug)]
pub struct ManifestDirectory {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Settings {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    chart: Arc<Chart>,
    guard: GuardConfig,
    base_values: Json,
    history_max: usize,
    allow_namespaces: Vec<Namespace>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// Writers of this process wait for each other here, those of others at the lock file.
    writing: Mutex<()>,
}

impl ManifestDirectory {
    /// Over `root`, which is made when it is needed, with the embedded chart and ten revisions of history.
    ///
    /// # Errors
    /// `Internal` if the embedded chart is broken.
    pub fn new(root: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self> {
        let settings = Settings {
            root: root.into(),
            clock,
            chart: Chart::load(&ChartSource::Embedded)?,
            guard: GuardConfig::default(),
            base_values: Json::Object(serde_json::Map::new()),
            history_max: 10,
            allow_namespaces: Vec::new(),
        };
        Ok(Self::over(settings))
    }

    fn over(settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { settings, writing: Mutex::new(()) }) }
    }

    fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.inner.settings.clone();
        change(&mut settings);
        Self::over(settings)
    }

    /// With this chart.
    #[must_use]
    pub fn with_chart(self, chart: Arc<Chart>) -> Self {
        self.with(|s| s.chart = chart)
    }

    /// With these rules for what a release may contain.
    #[must_use]
    pub fn with_guard(self, guard: GuardConfig) -> Self {
        self.with(|s| s.guard = guard)
    }

    /// With these chart values below those of each request.
    #[must_use]
    pub fn with_base_values(self, values: Json) -> Self {
        self.with(|s| s.base_values = values)
    }

    /// Keeping this many revisions; 0 keeps all. The current one is never removed.
    #[must_use]
    pub fn with_history_max(self, revisions: usize) -> Self {
        self.with(|s| s.history_max = revisions)
    }

    /// Also writing to this namespace, which matters for `default`: it is refused unless named here.
    #[must_use]
    pub fn with_namespace(self, namespace: Namespace) -> Self {
        self.with(|s| s.allow_namespaces.push(namespace))
    }

    fn now(&self) -> Timestamp {
        self.inner.settings.clock.now()
    }

    fn in_time(&self, deadline: Timestamp) -> Result<()> {
        if self.now() >= deadline {
            return Err(Error::new(ErrorKind::Timeout, OPERATION, "the deadline has passed"));
        }
        Ok(())
    }

    /// Runs `work` where blocking is allowed. A dropped caller does not stop it: what it began it finishes.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &Arc<AtomicBool>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (inner, cancelled) = (Arc::clone(&self.inner), Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&cancelled);
        let mut job = tokio::task::spawn_blocking(move || work(&inner, &cancelled));
        let ended = match tokio::time::timeout(RENDER_LIMIT, &mut job).await {
            Ok(ended) => ended,
            Err(_) => {
                stop.store(true, Ordering::Relaxed);
                job.await
            }
        };
        ended.map_err(|e| Error::internal(OPERATION, "the work ended early").with_source(e))?
    }
}

#[async_trait]
impl ClusterApplier for ManifestDirectory {
    async fn apply(&self, request: &ReleaseRequest) -> Result<ReleaseOutcome> {
        self.in_time(request.deadline)?;
        let owned = request.clone();
        let outcome = self.blocking(move |inner, cancelled| inner.apply(&owned, cancelled)).await?;
        if let Some(progress) = &request.progress {
            let message = format!("revision {}: {} objects looked at", request.revision, outcome.changed.len());
            progress.progress(&request.target, ProgressLine { message, counts: Default::default() }).await;
        }
        Ok(outcome)
    }

    async fn status(&self, release: &ReleaseRef) -> Result<ReleaseStatus> {
        let release = release.clone();
        self.blocking(move |inner, _| inner.status(&release)).await
    }

    async fn load_balancer(&self, _: &ReleaseRef) -> Result<LoadBalancerStatus> {
        Ok(LoadBalancerStatus::default())
    }

    async fn uninstall(&self, request: &UninstallRequest) -> Result<UninstallOutcome> {
        self.in_time(request.deadline)?;
        let request = request.clone();
        self.blocking(move |inner, _| inner.uninstall(&request)).await
    }
}
