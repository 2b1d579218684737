//! What every [`BuildDispatcher`] keeps, whatever runner it hands builds to.
//!
//! An adapter implements [`DispatcherHarness`] and stamps the cases with `build_dispatcher_suite!`. Each case gets a harness
//! of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    BuildMode, BuildPlan, BuildRequest, BuildRun, CancelOutcome, CancelRequest, CommitSha, DeploymentId, Dispatch, HttpsUrl,
    ImageRef, IntegrationId, LogRequest, LogTail, OrgId, OwnerName, RepoName, RepoPath, RepoRef, RepositoryId, RevisionId,
    RunOutcome, RunQuery, RunRef, RunState, Secret, Timestamp,
};
use crate::error::{ErrorKind, Result};
use crate::ports::BuildDispatcher;

/// A dispatcher over a builder whose runs the suite can end.
#[async_trait]
pub trait DispatcherHarness: Send + Sync {
    /// The dispatcher under test; the same on every call.
    fn dispatcher(&self) -> Arc<dyn BuildDispatcher>;

    /// Now, by the builder's clock.
    fn now(&self) -> Timestamp;

    /// Adds lines to a run's log. Runs do nothing on their own.
    async fn write_log(&self, run: &RunRef, lines: &[&str]);

    /// Ends a run.
    async fn finish(&self, run: &RunRef, outcome: RunOutcome);
}

fn known<T>(text: &str, parse: fn(&str) -> Result<T>) -> T {
    parse(text).expect("the suite's own names are well formed")
}

fn revision(n: u8) -> RevisionId {
    RevisionId::new(Timestamp::from_secs(1_767_225_600), [n; 10])
}

/// A build request as the pipeline makes it; another revision for each `n`.
#[must_use]
pub fn request(n: u8, attempt: u32) -> BuildRequest {
    let revision = revision(n);
    BuildRequest {
        org: known("suite", OrgId::parse),
        revision,
        attempt,
        deployment: DeploymentId::new(Timestamp::from_secs(1_767_225_600), [n; 10]),
        source: RepoRef {
            integration: known("suite", IntegrationId::parse),
            owner: known("acme", OwnerName::parse),
            name: known("shop", RepoName::parse),
            id: RepositoryId::new(1_001).ok(),
        },
        commit: known(&format!("{:040x}", u32::from(n) + 1), CommitSha::parse),
        root: RepoPath::root(),
        plan: BuildPlan {
            mode: BuildMode::Dockerfile,
            dockerfile: Some(known("Dockerfile", RepoPath::parse)),
            context: RepoPath::root(),
            target: None,
            args: BTreeMap::new(),
        },
        image: known("registry.test/suite/shop:one", ImageRef::parse),
        timeout: Duration::from_secs(1_800),
        callback_url: known(&format!("https://deploy.test/build-callbacks/{revision}"), HttpsUrl::parse),
        callback_token: Secret::new("suite-callback-token".to_owned()),
    }
}

async fn find(harness: &impl DispatcherHarness, n: u8, attempt: u32) -> Option<BuildRun> {
    let query = RunQuery { revision: revision(n), attempt, not_before: harness.now().minus(Duration::from_secs(60)) };
    harness.dispatcher().find_run(&query).await.expect("runs can be looked for")
}

async fn dispatch(harness: &impl DispatcherHarness, n: u8, attempt: u32) -> RunRef {
    let answer = harness.dispatcher().dispatch(&request(n, attempt)).await.expect("the build is taken");
    let Dispatch::Accepted { run } = answer else { panic!("an undisturbed dispatch is accepted, not {answer:?}") };
    let found = find(harness, n, attempt).await.expect("an accepted build has a run").run;
    assert!(run.is_none_or(|run| run == found), "the run that was named is the one that is found");
    found
}

async fn run(harness: &impl DispatcherHarness, run: &RunRef) -> BuildRun {
    harness.dispatcher().run(run).await.expect("the run is there")
}

async fn cancel(harness: &impl DispatcherHarness, run: &RunRef, force: bool) -> CancelOutcome {
    let request = CancelRequest { run: run.clone(), force };
    harness.dispatcher().cancel(&request).await.expect("a cancel is answered")
}

async fn log(harness: &impl DispatcherHarness, run: &RunRef, max_lines: u32, max_bytes: u32) -> LogTail {
    let request = LogRequest { run: run.clone(), max_lines, max_bytes };
    harness.dispatcher().log_tail(&request).await.expect("a log is answered")
}

/// An accepted build has a run that is not over.
pub async fn a_dispatch_starts_a_run(harness: &impl DispatcherHarness) {
    let started = dispatch(harness, 1, 1).await;
    assert!((1..=128).contains(&started.id.len()));
    let seen = run(harness, &started).await;
    assert_eq!(seen.run, started);
    assert!(matches!(seen.state, RunState::Queued | RunState::Running), "{seen:?}");
    assert!(seen.updated_at >= seen.created_at);
}

/// Before a dispatch nothing is found.
pub async fn without_a_dispatch_there_is_no_run(harness: &impl DispatcherHarness) {
    assert_eq!(find(harness, 1, 1).await, None);
    dispatch(harness, 2, 1).await;
    assert_eq!(find(harness, 1, 1).await, None);
}

/// Attempts of one revision and revisions have runs of their own.
pub async fn attempts_are_told_apart(harness: &impl DispatcherHarness) {
    let first = dispatch(harness, 1, 1).await;
    assert_eq!(find(harness, 1, 2).await, None);
    harness.finish(&first, RunOutcome::Failed).await;
    let second = dispatch(harness, 1, 2).await;
    let other = dispatch(harness, 2, 1).await;
    assert!(first != second && second != other && first != other);
    assert_eq!(find(harness, 1, 1).await.map(|r| r.run), Some(first));
    assert_eq!(find(harness, 1, 2).await.map(|r| r.run), Some(second));
}

/// Looking changes nothing and starts nothing.
pub async fn looking_starts_nothing(harness: &impl DispatcherHarness) {
    let started = dispatch(harness, 1, 1).await;
    let before = run(harness, &started).await;
    for _ in 0..3 {
        assert_eq!(find(harness, 1, 1).await, Some(before.clone()));
        assert_eq!(run(harness, &started).await, before);
    }
}

/// Each outcome comes back, by run and by attempt.
pub async fn each_outcome_comes_back(harness: &impl DispatcherHarness) {
    let outcomes = [RunOutcome::Succeeded, RunOutcome::Failed, RunOutcome::Cancelled, RunOutcome::TimedOut];
    for (n, outcome) in (1..).zip(outcomes) {
        let started = dispatch(harness, n, 1).await;
        harness.finish(&started, outcome).await;
        let seen = run(harness, &started).await;
        assert_eq!(seen.state, RunState::Finished(outcome), "{seen:?}");
        assert!(!seen.raw.is_empty());
        assert_eq!(find(harness, n, 1).await.map(|r| r.state), Some(seen.state));
    }
}

/// A run that the builder does not have is not found; cancelling it has nothing to do.
pub async fn an_unknown_run_is_not_found(harness: &impl DispatcherHarness) {
    let unknown = RunRef { id: "999999999".to_owned(), ..dispatch(harness, 1, 1).await };
    let error = harness.dispatcher().run(&unknown).await.expect_err("there is no such run");
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("run_not_found")), "{error:?}");
    assert_eq!(cancel(harness, &unknown, false).await, CancelOutcome::AlreadyFinished);
}

/// A cancelled run ends as cancelled, and a second cancel is no error.
pub async fn a_cancel_ends_the_run(harness: &impl DispatcherHarness) {
    for (n, force) in [(1, false), (2, true)] {
        let started = dispatch(harness, n, 1).await;
        assert_eq!(cancel(harness, &started, force).await, CancelOutcome::Requested);
        assert_eq!(run(harness, &started).await.state, RunState::Finished(RunOutcome::Cancelled));
        assert_eq!(cancel(harness, &started, force).await, CancelOutcome::AlreadyFinished);
    }
}

/// A cancel does not change how a finished run ended.
pub async fn a_late_cancel_changes_nothing(harness: &impl DispatcherHarness) {
    let started = dispatch(harness, 1, 1).await;
    harness.finish(&started, RunOutcome::Succeeded).await;
    for force in [false, true] {
        assert_eq!(cancel(harness, &started, force).await, CancelOutcome::AlreadyFinished);
    }
    assert_eq!(run(harness, &started).await.state, RunState::Finished(RunOutcome::Succeeded));
}

/// A log is empty and not complete while the run goes on, whole once it is over.
pub async fn a_log_is_told_once_the_run_is_over(harness: &impl DispatcherHarness) {
    let started = dispatch(harness, 1, 1).await;
    harness.write_log(&started, &["step one", "step two"]).await;
    assert_eq!(log(harness, &started, 100, 10_000).await, LogTail::default());
    harness.finish(&started, RunOutcome::Failed).await;
    let tail = log(harness, &started, 100, 10_000).await;
    assert_eq!(tail.lines, ["step one", "step two"]);
    assert!(tail.complete && !tail.truncated, "{tail:?}");
}

/// A log keeps its end within the bounds asked for, and says that something is missing.
pub async fn a_log_keeps_its_end(harness: &impl DispatcherHarness) {
    let started = dispatch(harness, 1, 1).await;
    let lines: Vec<String> = (0..500).map(|n| format!("line {n:04}")).collect();
    let refs: Vec<&str> = lines.iter().map(String::as_str).collect();
    harness.write_log(&started, &refs).await;
    harness.finish(&started, RunOutcome::Failed).await;
    let few = log(harness, &started, 10, 100_000).await;
    assert_eq!(few.lines, lines[490..]);
    assert!(few.truncated && few.is_bounded());
    let short = log(harness, &started, 1_000, 105).await;
    assert!(short.truncated && short.lines.iter().map(|l| l.len() + 1).sum::<usize>() <= 105, "{short:?}");
    assert!(!short.lines.is_empty() && lines.ends_with(&short.lines), "{short:?}");
}

/// What looks like a credential does not come out of a log.
pub async fn a_log_is_redacted(harness: &impl DispatcherHarness) {
    let started = dispatch(harness, 1, 1).await;
    let secret = ["ghs_", &"a1B2".repeat(9)].concat();
    harness.write_log(&started, &["before", &format!("token={secret} used"), "after"]).await;
    harness.finish(&started, RunOutcome::Failed).await;
    let tail = log(harness, &started, 100, 10_000).await;
    assert_eq!(tail.lines.len(), 3, "{tail:?}");
    assert!(!tail.lines.concat().contains(&secret), "{tail:?}");
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of a [`DispatcherHarness`].
#[macro_export]
macro_rules! build_dispatcher_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            build_dispatcher,
            [
                a_dispatch_starts_a_run,
                without_a_dispatch_there_is_no_run,
                attempts_are_told_apart,
                looking_starts_nothing,
                each_outcome_comes_back,
                an_unknown_run_is_not_found,
                a_cancel_ends_the_run,
                a_late_cancel_changes_nothing,
                a_log_is_told_once_the_run_is_over,
                a_log_keeps_its_end,
                a_log_is_redacted,
            ]
        );
    };
}
