//! What every [`StatusReporter`] keeps, whatever it tells.
//!
//! An adapter implements [`ReporterHarness`] and stamps the cases with `status_reporter_suite!`. Each case gets a harness of
//! its own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{
    AppName, Cause, CommitSha, DeliveryId, DeploymentId, HttpsUrl, IntegrationId, OwnerName, Reason, RepoName, RepoRef,
    RepositoryId, RevisionId, RevisionNumber, RevisionReport, RevisionState, Timestamp,
};
use crate::ports::StatusReporter;

/// What a person sees at the forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It goes on.
    Pending,
    /// It serves.
    Success,
    /// It ended in any other way.
    Ended,
}

impl Shown {
    /// What a state has to look like: `Success` is for `succeeded` alone.
    #[must_use]
    pub const fn of(state: RevisionState) -> Self {
        match state {
            RevisionState::Queued | RevisionState::Building | RevisionState::Built | RevisionState::Deploying => {
                Self::Pending
            }
            RevisionState::Succeeded => Self::Success,
            RevisionState::Failed | RevisionState::Superseded | RevisionState::Cancelled | RevisionState::TimedOut => {
                Self::Ended
            }
        }
    }
}

/// A reporter and the forge it tells.
#[async_trait]
pub trait ReporterHarness: Send + Sync {
    /// The reporter under test; the same on every call.
    fn reporter(&self) -> Arc<dyn StatusReporter>;

    /// What the forge shows of a deployment at a commit now; `None` if it was never told.
    async fn shown(&self, deployment: DeploymentId, commit: &CommitSha) -> Option<Shown>;
}

fn known<T>(text: &str, parse: fn(&str) -> crate::Result<T>) -> T {
    parse(text).expect("the suite's own names are well formed")
}

/// The report of revision `n` of deployment `app` in `state`.
#[must_use]
pub fn report(app: u8, n: u8, state: RevisionState) -> RevisionReport {
    let at = Timestamp::from_secs(1_767_225_600);
    let ended = Shown::of(state) == Shown::Ended;
    RevisionReport {
        repo: RepoRef {
            integration: known("suite", IntegrationId::parse),
            owner: known("acme", OwnerName::parse),
            name: known("shop", RepoName::parse),
            id: RepositoryId::new(1_001).ok(),
        },
        commit: known(&format!("{:040x}", u32::from(n) + 1), CommitSha::parse),
        deployment: DeploymentId::new(at, [app; 10]),
        name: known(&format!("app-{app}"), AppName::parse),
        environment: "production".to_owned(),
        production: true,
        revision: RevisionId::new(at, [app, n, 0, 0, 0, 0, 0, 0, 0, 1]),
        number: RevisionNumber::new(u32::from(n) + 1).expect("revisions count from 1"),
        cause: Cause::Push { delivery: known("suite-delivery", DeliveryId::parse) },
        state,
        reason: ended.then(|| Reason::new("build_failed", "the build failed")),
        page_url: Some(known("https://deploy.test/revisions/1", HttpsUrl::parse)),
        environment_url: None,
        run_url: Some(known("https://builds.test/runs/1", HttpsUrl::parse)),
    }
}

async fn tell(harness: &impl ReporterHarness, report: &RevisionReport) {
    harness.reporter().report(report).await.expect("the forge takes the report");
}

async fn shown(harness: &impl ReporterHarness, report: &RevisionReport) -> Option<Shown> {
    harness.shown(report.deployment, &report.commit).await
}

/// Every state is told, and only `succeeded` as a success.
pub async fn only_succeeded_is_a_success(harness: &impl ReporterHarness) {
    for (n, state) in (0..).zip(RevisionState::ALL) {
        let report = report(1, n, state);
        assert_eq!(shown(harness, &report).await, None, "{state:?}");
        tell(harness, &report).await;
        assert_eq!(shown(harness, &report).await, Some(Shown::of(state)), "{state:?}");
    }
}

/// The last report is what is shown, through a whole life.
pub async fn the_last_report_is_shown(harness: &impl ReporterHarness) {
    let life = [
        RevisionState::Queued,
        RevisionState::Building,
        RevisionState::Built,
        RevisionState::Deploying,
        RevisionState::Succeeded,
    ];
    for state in life {
        let report = report(1, 1, state);
        tell(harness, &report).await;
        assert_eq!(shown(harness, &report).await, Some(Shown::of(state)), "{state:?}");
    }
}

/// Telling the same again changes nothing.
pub async fn reporting_is_idempotent(harness: &impl ReporterHarness) {
    for state in [RevisionState::Building, RevisionState::Failed] {
        let report = report(1, 1, state);
        for _ in 0..3 {
            tell(harness, &report).await;
            assert_eq!(shown(harness, &report).await, Some(Shown::of(state)));
        }
    }
}

/// Two deployments of one commit do not hide each other.
pub async fn deployments_are_told_apart(harness: &impl ReporterHarness) {
    let (one, two) = (report(1, 1, RevisionState::Succeeded), report(2, 1, RevisionState::Failed));
    tell(harness, &one).await;
    tell(harness, &two).await;
    assert_eq!(shown(harness, &one).await, Some(Shown::Success));
    assert_eq!(shown(harness, &two).await, Some(Shown::Ended));
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of a [`ReporterHarness`].
#[macro_export]
macro_rules! status_reporter_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            status_reporter,
            [only_succeeded_is_a_success, the_last_report_is_shown, reporting_is_idempotent, deployments_are_told_apart]
        );
    };
}
