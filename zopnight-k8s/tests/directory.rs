//! The manifest directory: the contract's suite, then crashes, locks and links.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use zopnight_core::domain::{
    CommitSha, DeployedImage, DeploymentId, Fence, Namespace, OrgId, Port, ReleaseName, ReleaseRef, RevisionNumber,
    RuntimeSpec, SpaceId, Timestamp, UninstallRequest, Verdict,
};
use zopnight_core::ports::{Clock, ClusterApplier, ReleaseRequest};
use zopnight_core::testing::suites::applier::ApplierHarness;
use zopnight_core::{ErrorKind, Retry};
use zopnight_k8s::{GuardConfig, ManifestDirectory};

const NOW: i64 = 1_767_225_600;

#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

struct Harness {
    root: tempfile::TempDir,
    clock: Arc<TestClock>,
    applier: ManifestDirectory,
}

impl Harness {
    async fn start() -> Self {
        Self::new()
    }

    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(Timestamp::from_secs(NOW).as_micros())));
        let applier = ManifestDirectory::new(root.path(), Arc::<TestClock>::clone(&clock)).unwrap();
        Self { root, clock, applier }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("shop").join("web")
    }

    fn request(&self, revision: u32) -> ReleaseRequest {
        let target = ReleaseRef {
            org: OrgId::parse("acme").unwrap(),
            deployment: DeploymentId::new(Timestamp::from_secs(NOW), [7; 10]),
            space: SpaceId::parse("prod").unwrap(),
            namespace: Namespace::parse("shop").unwrap(),
            release: ReleaseName::parse("web").unwrap(),
        };
        ReleaseRequest::new(
            target,
            RevisionNumber::new(revision).unwrap(),
            Fence::of(i64::from(revision), 1),
            CommitSha::parse(&format!("{revision:040x}")).unwrap(),
            DeployedImage::parse(&format!("registry.test/acme/web@sha256:{revision:064x}")).unwrap(),
            RuntimeSpec { port: Port::new(8000).ok(), ..RuntimeSpec::default() },
            self.clock.now().plus(Duration::from_secs(60)),
        )
    }

    async fn apply(&self, revision: u32) -> Verdict {
        self.applier.apply(&self.request(revision)).await.unwrap().verdict
    }

    fn current(&self) -> String {
        fs::read_to_string(self.folder().join("CURRENT")).unwrap()
    }
}

impl ApplierHarness for Harness {
    fn applier(&self) -> Arc<dyn ClusterApplier> {
        Arc::new(self.applier.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn place(&self) -> (SpaceId, Namespace) {
        (SpaceId::parse("prod").unwrap(), Namespace::parse("shop").unwrap())
    }
}

zopnight_core::cluster_applier_suite!(contract, Harness::start);

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_layout_on_disk() {
    let harness = Harness::new();
    let outcome = harness.applier.apply(&harness.request(1)).await.unwrap();
    assert_eq!(outcome.warnings, ["manifests written, nothing was rolled out"]);
    assert_eq!(names(&harness.folder()), ["CURRENT", "rev-1"]);
    assert_eq!(harness.current(), "rev-1\n");
    assert_eq!(
        names(&harness.folder().join("rev-1")),
        [
            "01-serviceaccount-web.yaml",
            "02-configmap-web-env.yaml",
            "03-service-web.yaml",
            "04-deployment-web.yaml",
            "release.json"
        ]
    );
    let deployment = fs::read_to_string(harness.folder().join("rev-1/04-deployment-web.yaml")).unwrap();
    for line in ["  namespace: shop", "    app.kubernetes.io/managed-by: Helm", "    meta.helm.sh/release-name: web"] {
        assert!(deployment.lines().any(|l| l == line), "{line}:\n{deployment}");
    }
    harness.apply(2).await;
    let old = fs::read_to_string(harness.folder().join("rev-1/release.json")).unwrap();
    assert!(old.contains(r#""status": "superseded""#));
    let new = fs::read_to_string(harness.folder().join("rev-2/release.json")).unwrap();
    assert!(new.contains(r#""status": "deployed""#) && new.contains(r#""version": 2"#));
}

#[tokio::test]
async fn what_a_dead_writer_left_is_taken_up() {
    let harness = Harness::new();
    harness.apply(1).await;
    let unfinished = harness.folder().join("rev-2.tmp");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("01-half.yaml"), "half").unwrap();
    fs::write(
        harness.folder().join("LOCK"),
        format!("x/2/{}\n{}\n", Fence::of(9, 9).get(), harness.clock.now().as_micros()),
    )
    .unwrap();
    fs::write(harness.folder().join("CURRENT.tmp"), "rev").unwrap();

    let error = harness.applier.apply(&harness.request(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, Some("release_locked")));
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(60)));
    assert!(harness.applier.status(&harness.request(2).target).await.unwrap().locked);
    assert_eq!(harness.current(), "rev-1\n");

    harness.clock.advance(Duration::from_secs(59));
    let error = harness.applier.apply(&harness.request(2)).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(1)));
    harness.clock.advance(Duration::from_secs(1));
    let outcome = harness.applier.apply(&harness.request(2)).await.unwrap();
    assert_eq!((outcome.verdict, outcome.resumed), (Verdict::Ready, true));
    assert_eq!(names(&harness.folder()), ["CURRENT", "rev-1", "rev-2"]);
    assert!(!names(&harness.folder().join("rev-2")).contains(&"01-half.yaml".to_owned()));
}

#[tokio::test]
async fn a_later_hand_out_of_the_same_job_takes_the_lock_at_once() {
    let harness = Harness::new();
    harness.apply(1).await;
    let lock = format!("x/2/{}\n{}\n", Fence::of(2, 1).get(), harness.clock.now().as_micros());
    fs::write(harness.folder().join("LOCK"), lock).unwrap();
    let mut request = harness.request(2);
    assert!(harness.applier.apply(&request).await.is_err(), "the same hand-out waits");
    request.job_fence = Fence::of(2, 2);
    assert_eq!(harness.applier.apply(&request).await.unwrap().verdict, Verdict::Ready);
}

#[tokio::test]
async fn a_lock_without_content_goes_stale_by_its_age() {
    let harness = Harness::new();
    harness.apply(1).await;
    let lock = harness.folder().join("LOCK");
    fs::write(&lock, "").unwrap();
    let written = fs::metadata(&lock).unwrap().modified().unwrap();
    let age = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    harness.clock.0.store(i64::try_from(age.as_micros()).unwrap(), Ordering::SeqCst);
    assert_eq!(harness.applier.apply(&harness.request(2)).await.unwrap_err().code(), Some("release_locked"));
    harness.clock.advance(Duration::from_secs(60));
    assert_eq!(harness.apply(2).await, Verdict::Ready);
}

/// A writer dies after each step of writing revision 2: revision 1 stays valid, a repeat finishes, an older one is refused.
#[tokio::test]
async fn a_crash_after_any_step_leaves_a_valid_current() {
    let finished = Harness::new();
    finished.apply(1).await;
    finished.apply(2).await;
    let written = finished.folder().join("rev-2");
    let files = names(&written);
    for step in 0..=files.len() + 1 {
        let harness = Harness::new();
        harness.apply(1).await;
        let unfinished = harness.folder().join("rev-2.tmp");
        fs::create_dir(&unfinished).unwrap();
        for (at, file) in files.iter().enumerate().take(step) {
            let bytes = fs::read(written.join(file)).unwrap();
            let bytes = if at + 1 == step { &bytes[..bytes.len() / 2] } else { &bytes[..] };
            fs::write(unfinished.join(file), bytes).unwrap();
        }
        if step == files.len() + 1 {
            fs::rename(&unfinished, harness.folder().join("rev-2")).unwrap();
        }
        assert_eq!(harness.current(), "rev-1\n");
        let status = harness.applier.status(&harness.request(1).target).await.unwrap();
        assert_eq!(status.revision.map(|r| r.get()), Some(1));
        let outcome = harness.applier.apply(&harness.request(2)).await.unwrap();
        assert_eq!((outcome.verdict, outcome.resumed), (Verdict::Ready, true), "step {step}");
        assert_eq!(names(&harness.folder()), ["CURRENT", "rev-1", "rev-2"]);
        assert_eq!(names(&harness.folder().join("rev-2")), files);
        let by = RevisionNumber::new(2).unwrap();
        assert_eq!(harness.apply(1).await, Verdict::Superseded { by });
    }
}

#[tokio::test]
async fn a_revision_that_was_set_aside_still_counts() {
    let harness = Harness::new();
    harness.apply(1).await;
    fs::rename(harness.folder().join("rev-1"), harness.folder().join("rev-1.old")).unwrap();
    let target = harness.request(1).target;
    assert_eq!(harness.applier.status(&target).await.unwrap().revision.map(|r| r.get()), Some(1));
    assert_eq!(harness.apply(1).await, Verdict::Ready);
    assert_eq!(names(&harness.folder()), ["CURRENT", "rev-1"]);
}

#[tokio::test]
async fn a_manifest_changed_by_hand_is_put_right() {
    let harness = Harness::new();
    harness.apply(1).await;
    let file = harness.folder().join("rev-1/03-service-web.yaml");
    let before = fs::read(&file).unwrap();
    fs::write(&file, "kind: Nothing\n").unwrap();
    assert_eq!(harness.apply(1).await, Verdict::Ready);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn history_is_cut_but_the_current_revision_stays() {
    let harness = Harness::new();
    let applier = harness.applier.clone().with_history_max(3);
    for revision in 1..=6 {
        applier.apply(&harness.request(revision)).await.unwrap();
    }
    assert_eq!(names(&harness.folder()), ["CURRENT", "rev-4", "rev-5", "rev-6"]);
    let applier = applier.with_history_max(1);
    applier.apply(&harness.request(6)).await.unwrap();
    assert_eq!(names(&harness.folder()), ["CURRENT", "rev-6"]);
}

#[tokio::test]
async fn an_uninstall_leaves_a_tombstone() {
    let harness = Harness::new();
    harness.apply(1).await;
    harness.apply(2).await;
    let mut request = UninstallRequest {
        target: harness.request(2).target,
        revision: RevisionNumber::new(3).unwrap(),
        job_fence: Fence::of(3, 1),
        keep_history: true,
        deadline: harness.clock.now().plus(Duration::from_secs(60)),
    };
    let outcome = harness.applier.uninstall(&request).await.unwrap();
    let kinds: Vec<&str> = outcome.changed.iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds, ["Service", "Deployment", "ConfigMap", "ServiceAccount"]);
    assert_eq!(names(&harness.folder()), ["removed-3", "rev-1"]);
    let record = fs::read_to_string(harness.folder().join("removed-3/release.json")).unwrap();
    assert!(record.contains("Uninstallation complete"));
    assert_eq!(harness.applier.apply(&harness.request(3)).await.unwrap_err().kind(), ErrorKind::Conflict);
    let outcome = harness.applier.apply(&harness.request(4)).await.unwrap();
    assert_eq!(outcome.helm_revision, 3);
    request.revision = RevisionNumber::new(4).unwrap();
    request.keep_history = false;
    harness.applier.uninstall(&request).await.unwrap();
    assert_eq!(names(&harness.folder()), ["removed-4"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_refused() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    for link in ["shop", "shop/web", "shop/web/rev-1.tmp", "shop/web/CURRENT", "shop/web/LOCK", "shop/web/rev-1"] {
        let harness = Harness::new();
        let path = harness.root.path().join(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(outside.path(), &path).unwrap();
        let error = harness.applier.apply(&harness.request(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{link}: {error:?}");
        assert!(names(outside.path()).is_empty(), "{link}");
    }
}

#[tokio::test]
async fn namespace_default_must_be_named() {
    let harness = Harness::new();
    let mut request = harness.request(1);
    request.target.namespace = Namespace::parse("default").unwrap();
    assert_eq!(harness.applier.apply(&request).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let applier = harness.applier.clone().with_namespace(request.target.namespace.clone());
    assert_eq!(applier.apply(&request).await.unwrap().verdict, Verdict::Ready);
}

#[tokio::test]
async fn what_the_guard_refuses_is_not_written() {
    let harness = Harness::new();
    harness.apply(1).await;
    let mut guard = GuardConfig::default();
    guard.max_manifest_bytes = 10;
    let applier = harness.applier.clone().with_guard(guard);
    let error = applier.apply(&harness.request(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Invalid, Retry::Never));
    assert_eq!(names(&harness.folder()), ["CURRENT", "rev-1"]);
}
