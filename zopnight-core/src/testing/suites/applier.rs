//! What every [`ClusterApplier`] keeps, whatever it writes to.
//!
//! An adapter implements [`ApplierHarness`] and writes one line in its tests:
//!
//! ```text
//! zopnight_core::cluster_applier_suite!(directory, Harness::start);
//! ```
//!
//! Each case gets a harness of its own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::domain::{
    ChangeKind, CommitSha, DeployedImage, DeploymentId, Digest, Fence, ImageRepository, Namespace, OrgId, Port, ReleaseName,
    ReleaseOutcome, ReleaseRef, ReleaseStatus, RevisionNumber, RuntimeSpec, SpaceId, Timestamp, UninstallOutcome,
    UninstallRequest, Verdict,
};
use crate::error::{ErrorKind, Retry};
use crate::ports::{ClusterApplier, ReleaseRequest};

/// An applier over an empty place of its own.
pub trait ApplierHarness: Send + Sync {
    /// The applier under test; the same on every call.
    fn applier(&self) -> Arc<dyn ClusterApplier>;

    /// Now, by the clock that the applier was given: deadlines are counted from it.
    fn now(&self) -> Timestamp;

    /// A space and a namespace in it that the suite may fill.
    fn place(&self) -> (SpaceId, Namespace);

    /// An image that comes up when it is deployed; another one for each `n`. Override it where images are really pulled.
    fn image(&self, n: u8) -> DeployedImage {
        DeployedImage { repository: name("registry.test/suite/app", ImageRepository::parse), digest: Digest::of(&[n]) }
    }
}

fn name<T>(text: &str, parse: fn(&str) -> crate::Result<T>) -> T {
    parse(text).expect("the suite's own names are well formed")
}

/// Requests of one release.
struct Release<'h, H: ?Sized> {
    harness: &'h H,
    applier: Arc<dyn ClusterApplier>,
    target: ReleaseRef,
}

fn number(n: u32) -> RevisionNumber {
    RevisionNumber::new(n).expect("revisions count from 1")
}

impl<'h, H: ApplierHarness + ?Sized> Release<'h, H> {
    fn of(harness: &'h H, release: &str) -> Self {
        let (space, namespace) = harness.place();
        let id = release.bytes().fold([0_u8; 10], |mut id, b| {
            id.rotate_left(1);
            if let Some(first) = id.first_mut() {
                *first ^= b;
            }
            id
        });
        let target = ReleaseRef {
            org: name("suite", OrgId::parse),
            deployment: DeploymentId::new(Timestamp::from_secs(1_767_225_600), id),
            space,
            namespace,
            release: name(release, ReleaseName::parse),
        };
        Self { harness, applier: harness.applier(), target }
    }

    fn request(&self, revision: u32, image: u8) -> ReleaseRequest {
        let runtime = RuntimeSpec { port: Port::new(8_000).ok(), ..RuntimeSpec::default() };
        ReleaseRequest::new(
            self.target.clone(),
            number(revision),
            Fence::of(i64::from(revision), 1),
            name(&format!("{revision:040x}"), CommitSha::parse),
            self.harness.image(image),
            runtime,
            self.harness.now().plus(Duration::from_secs(120)),
        )
    }

    async fn apply(&self, revision: u32, image: u8) -> ReleaseOutcome {
        self.applier.apply(&self.request(revision, image)).await.expect("the release is applied")
    }

    async fn ready(&self, revision: u32, image: u8) -> ReleaseOutcome {
        let outcome = self.apply(revision, image).await;
        assert_eq!(outcome.verdict, Verdict::Ready, "revision {revision}");
        outcome
    }

    async fn status(&self) -> ReleaseStatus {
        self.applier.status(&self.target).await.expect("a status is answered")
    }

    async fn runs(&self, revision: u32, image: u8) {
        let status = self.status().await;
        assert_eq!(status.revision, Some(number(revision)));
        let digest = status.image.as_ref().and_then(|i| i.digest());
        assert_eq!(digest, Some(&self.harness.image(image).digest));
        assert!(!status.foreign && !status.locked, "{status:?}");
    }

    fn uninstall_request(&self, revision: u32, keep_history: bool) -> UninstallRequest {
        UninstallRequest {
            target: self.target.clone(),
            revision: number(revision),
            job_fence: Fence::of(1_000, 1),
            keep_history,
            deadline: self.harness.now().plus(Duration::from_secs(120)),
        }
    }

    async fn uninstall(&self, revision: u32) -> UninstallOutcome {
        self.applier.uninstall(&self.uninstall_request(revision, false)).await.expect("the release is removed")
    }

    async fn absent(&self) {
        let status = self.status().await;
        assert_eq!((status.revision, status.image, status.locked), (None, None, false));
    }
}

/// A first apply is ready, had nothing before it, creates objects, and shows in the status.
pub async fn a_first_apply_is_ready(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    let outcome = web.ready(1, 1).await;
    assert_eq!(outcome.previous, None);
    assert!(!outcome.resumed);
    assert!(!outcome.changed.is_empty() && outcome.changed.iter().all(|c| c.change == ChangeKind::Created));
    web.runs(1, 1).await;
}

/// Applying a revision twice is ready twice and changes nothing the second time.
pub async fn apply_is_idempotent(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    let first = web.ready(1, 1).await;
    let again = web.ready(1, 1).await;
    assert_eq!(again.helm_revision, first.helm_revision);
    assert!(again.changed.iter().all(|c| c.change == ChangeKind::Unchanged), "{:?}", again.changed);
    web.runs(1, 1).await;
}

/// A newer revision replaces the older one and tells which it was.
pub async fn a_newer_revision_replaces_the_older(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    let first = web.ready(1, 1).await;
    let second = web.ready(4, 2).await;
    assert_eq!(second.previous, Some(number(1)));
    assert!(second.helm_revision > first.helm_revision);
    assert!(second.changed.iter().any(|c| c.change == ChangeKind::Updated), "{:?}", second.changed);
    web.runs(4, 2).await;
}

/// The fence: an older revision is superseded, names the newer one, and writes nothing.
pub async fn an_older_revision_is_superseded(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(3, 3).await;
    let before = web.status().await;
    for stale in [2, 1] {
        let outcome = web.apply(stale, 1).await;
        assert_eq!(outcome.verdict, Verdict::Superseded { by: number(3) });
        assert!(outcome.changed.iter().all(|c| c.change == ChangeKind::Unchanged), "{:?}", outcome.changed);
        assert_eq!(web.status().await, before);
    }
}

/// A rollback is a revision with a higher number and an older image.
pub async fn a_rollback_has_a_higher_number(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(1, 1).await;
    web.ready(2, 2).await;
    let rollback = web.ready(3, 1).await;
    assert_eq!(rollback.previous, Some(number(2)));
    web.runs(3, 1).await;
}

/// A release without a port is a worker; it is as ready as any other.
pub async fn a_worker_without_a_port_is_ready(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    let mut request = web.request(1, 1);
    request.runtime.port = None;
    let outcome = web.applier.apply(&request).await.expect("the release is applied");
    assert_eq!(outcome.verdict, Verdict::Ready);
    web.runs(1, 1).await;
}

/// Two releases of one namespace do not touch each other, each has its own fence.
pub async fn releases_do_not_touch_each_other(harness: &impl ApplierHarness) {
    let (web, api) = (Release::of(harness, "web"), Release::of(harness, "api"));
    web.ready(5, 1).await;
    api.ready(1, 2).await;
    web.runs(5, 1).await;
    api.ready(2, 3).await;
    assert!(!web.uninstall(5).await.nothing_to_do);
    web.absent().await;
    api.runs(2, 3).await;
}

/// Uninstalling removes, and uninstalling again has nothing to do.
pub async fn uninstall_is_idempotent(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(1, 1).await;
    let first = web.uninstall(1).await;
    assert!(!first.nothing_to_do);
    assert!(first.changed.iter().any(|c| c.change == ChangeKind::Deleted), "{:?}", first.changed);
    web.absent().await;
    let second = web.uninstall(1).await;
    assert!(second.nothing_to_do && second.changed.is_empty(), "{second:?}");
}

/// Nothing to uninstall is no error.
pub async fn uninstalling_an_absent_release_has_nothing_to_do(harness: &impl ApplierHarness) {
    let outcome = Release::of(harness, "web").uninstall(1).await;
    assert_eq!(outcome, UninstallOutcome { nothing_to_do: true, changed: Vec::new() });
}

/// Keeping the history removes the objects all the same.
pub async fn uninstalling_with_history_removes_the_objects(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(1, 1).await;
    let outcome = web.applier.uninstall(&web.uninstall_request(1, true)).await.expect("the release is removed");
    assert!(!outcome.nothing_to_do);
    web.absent().await;
}

/// A stale deploy does not bring a removed release back; a newer revision does.
pub async fn a_removed_release_stays_removed(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(2, 1).await;
    web.uninstall(2).await;
    for stale in [1, 2] {
        let error = web.applier.apply(&web.request(stale, 1)).await.expect_err("a stale deploy is refused");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::Never), "{error:?}");
        web.absent().await;
    }
    web.ready(3, 2).await;
    web.runs(3, 2).await;
}

/// An uninstall that does not know of the running revision is refused.
pub async fn a_stale_uninstall_is_refused(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(2, 1).await;
    let error = web.applier.uninstall(&web.uninstall_request(1, false)).await.expect_err("a stale uninstall is refused");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::Never), "{error:?}");
    web.runs(2, 1).await;
}

/// Nothing is known of a release that was never applied.
pub async fn an_absent_release_has_an_empty_status(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    assert_eq!(web.status().await, ReleaseStatus::default());
    let balancer = web.applier.load_balancer(&web.target).await.expect("addresses are answered");
    assert!(balancer.addresses.is_empty() && balancer.urls.is_empty(), "{balancer:?}");
}

/// Reading changes nothing.
pub async fn reading_changes_nothing(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(1, 1).await;
    let before = web.status().await;
    web.applier.load_balancer(&web.target).await.expect("addresses are answered");
    assert_eq!(web.status().await, before);
    let again = web.ready(1, 1).await;
    assert!(again.changed.iter().all(|c| c.change == ChangeKind::Unchanged), "{:?}", again.changed);
}

/// Two revisions at once: the newer one runs in the end, whoever was first.
pub async fn of_two_at_once_the_newer_one_stays(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    let (older, newer) = (web.request(1, 1), web.request(2, 2));
    let (first, second) = tokio::join!(web.applier.apply(&older), web.applier.apply(&newer));
    for answer in [first, second] {
        match answer {
            Ok(outcome) => assert!(matches!(outcome.verdict, Verdict::Ready | Verdict::Superseded { .. }), "{outcome:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                assert_ne!(error.retry(), Retry::Never, "{error:?}");
            }
        }
    }
    web.ready(2, 2).await;
    assert_eq!(web.apply(1, 1).await.verdict, Verdict::Superseded { by: number(2) });
    web.runs(2, 2).await;
}

/// A dropped apply leaves what the next hand-out of the same job can finish.
pub async fn a_dropped_apply_is_resumed(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    web.ready(1, 1).await;
    let mut request = web.request(2, 2);
    {
        let mut dropped = pin!(web.applier.apply(&request));
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            let over = dropped.as_mut().poll(context).is_ready() || polls == 3;
            context.waker().wake_by_ref();
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    request.job_fence = Fence::of(2, 2);
    let outcome = web.applier.apply(&request).await.expect("the release is applied");
    assert_eq!(outcome.verdict, Verdict::Ready);
    web.runs(2, 2).await;
}

/// A deadline that has passed gives no verdict.
pub async fn a_passed_deadline_is_a_timeout(harness: &impl ApplierHarness) {
    let web = Release::of(harness, "web");
    let mut request = web.request(1, 1);
    request.deadline = harness.now().minus(Duration::from_secs(1));
    let error = web.applier.apply(&request).await.expect_err("no time is left");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    web.absent().await;
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of an [`ApplierHarness`].
#[macro_export]
macro_rules! cluster_applier_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            applier,
            [
                a_first_apply_is_ready,
                apply_is_idempotent,
                a_newer_revision_replaces_the_older,
                an_older_revision_is_superseded,
                a_rollback_has_a_higher_number,
                a_worker_without_a_port_is_ready,
                releases_do_not_touch_each_other,
                uninstall_is_idempotent,
                uninstalling_an_absent_release_has_nothing_to_do,
                uninstalling_with_history_removes_the_objects,
                a_removed_release_stays_removed,
                a_stale_uninstall_is_refused,
                an_absent_release_has_an_empty_status,
                reading_changes_nothing,
                of_two_at_once_the_newer_one_stays,
                a_dropped_apply_is_resumed,
                a_passed_deadline_is_a_timeout,
            ]
        );
    };
}
