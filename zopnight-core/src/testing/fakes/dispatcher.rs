//! A builder that does as it is told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::faults::{Faults, lock};
use crate::domain::{
    BuildRequest, BuildRun, CancelOutcome, CancelRequest, Dispatch, HttpsUrl, LogRequest, LogTail, Redactor, RevisionId,
    RunOutcome, RunQuery, RunRef, RunState,
};
use crate::error::{Error, Result};
use crate::ports::{BuildDispatcher, Clock};

/// What becomes of a dispatch.
#[derive(Clone)]
pub enum DispatchScript {
    /// Accepted, naming the run.
    Run,
    /// Accepted without naming the run, which can be found.
    NoRun,
    /// Accepted without naming the run, which is found only after [`FakeDispatcher::reveal`].
    HiddenRun,
    /// The answer is lost; the run exists.
    UnknownRun,
    /// The request is lost; there is no run.
    UnknownLost,
    /// Definitely refused.
    Refused(Arc<dyn Fn() -> Error + Send + Sync>),
}

impl DispatchScript {
    /// Definitely refused with this error.
    #[must_use]
    pub fn refused(error: impl Fn() -> Error + Send + Sync + 'static) -> Self {
        Self::Refused(Arc::new(error))
    }
}

impl fmt::Debug for DispatchScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "Run",
            Self::NoRun => "NoRun",
            Self::HiddenRun => "HiddenRun",
            Self::UnknownRun => "UnknownRun",
            Self::UnknownLost => "UnknownLost",
            Self::Refused(_) => "Refused",
        })
    }
}

/// A run at the fake builder.
#[derive(Clone, Debug)]
pub struct FakeRun {
    /// What the port tells of it.
    pub build: BuildRun,
    /// The revision it builds.
    pub revision: RevisionId,
    /// The attempt it belongs to.
    pub attempt: u32,
    /// Whether `find_run` sees it.
    pub visible: bool,
    /// How often it was asked to end.
    pub cancels: u32,
    /// Whether one of these requests was forced.
    pub forced: bool,
    log: Vec<String>,
}

#[derive(Debug, Default)]
struct State {
    plan: VecDeque<DispatchScript>,
    requests: Vec<BuildRequest>,
    refused: u32,
    runs: Vec<FakeRun>,
    ignore_cancels: bool,
}

/// A [`BuildDispatcher`] that keeps every request and its runs, and plays a script.
///
/// Faults are named `dispatch`, `find_run`, `run`, `cancel`, `log_tail`.
#[derive(Debug)]
pub struct FakeDispatcher {
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

impl FakeDispatcher {
    /// A builder that accepts every dispatch and names its run.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_faults(clock, Faults::new())
    }

    /// The same with this script of faults.
    #[must_use]
    pub fn with_faults(clock: Arc<dyn Clock>, faults: Faults) -> Arc<Self> {
        Arc::new(Self { clock, faults, state: Mutex::default() })
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What becomes of the next dispatch that is not planned yet; beyond the plan it is [`DispatchScript::Run`].
    pub fn plan(&self, script: DispatchScript) {
        lock(&self.state).plan.push_back(script);
    }

    /// Every request that reached the builder and was not definitely refused, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<BuildRequest> {
        lock(&self.state).requests.clone()
    }

    /// The last of [`FakeDispatcher::requests`].
    #[must_use]
    pub fn last_request(&self) -> Option<BuildRequest> {
        lock(&self.state).requests.last().cloned()
    }

    /// How many requests of this attempt reached the builder and were not definitely refused. More than one is a defect.
    #[must_use]
    pub fn dispatches(&self, revision: RevisionId, attempt: u32) -> usize {
        lock(&self.state).requests.iter().filter(|r| r.revision == revision && r.attempt == attempt).count()
    }

    /// How many dispatches were definitely refused.
    #[must_use]
    pub fn refused(&self) -> u32 {
        lock(&self.state).refused
    }

    /// All runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<FakeRun> {
        lock(&self.state).runs.clone()
    }

    /// The newest run of an attempt, whether it can be found or not.
    #[must_use]
    pub fn run_of(&self, revision: RevisionId, attempt: u32) -> Option<RunRef> {
        let state = lock(&self.state);
        state.runs.iter().rev().find(|r| r.revision == revision && r.attempt == attempt).map(|r| r.build.run.clone())
    }

    /// Runs that are not over.
    #[must_use]
    pub fn live(&self) -> Vec<RunRef> {
        let state = lock(&self.state);
        state.runs.iter().filter(|r| !is_over(r.build.state)).map(|r| r.build.run.clone()).collect()
    }

    /// Starts a run by hand: one that shows up late, or a second one of the same attempt.
    pub fn start_run(&self, revision: RevisionId, attempt: u32) -> RunRef {
        self.open(&mut lock(&self.state), revision, attempt, true)
    }

    /// Lets `find_run` see the hidden runs of an attempt.
    pub fn reveal(&self, revision: RevisionId, attempt: u32) {
        for run in lock(&self.state).runs.iter_mut().filter(|r| r.revision == revision && r.attempt == attempt) {
            run.visible = true;
        }
    }

    /// The run begins to work.
    pub fn begin(&self, run: &RunRef) {
        self.move_to(run, RunState::Running, "in_progress");
    }

    /// The run ends. No callback is made: that is the test's part.
    pub fn finish(&self, run: &RunRef, outcome: RunOutcome) {
        self.move_to(run, RunState::Finished(outcome), outcome.as_str());
    }

    /// The builder forgets a run.
    pub fn forget(&self, run: &RunRef) {
        lock(&self.state).runs.retain(|r| r.build.run != *run);
    }

    /// Adds lines to a run's log.
    pub fn write_log(&self, run: &RunRef, lines: &[&str]) {
        if let Some(found) = find(&mut lock(&self.state), run) {
            found.log.extend(lines.iter().map(|l| (*l).to_owned()));
        }
    }

    /// Whether runs go on after a `cancel` without `force`.
    pub fn ignore_cancels(&self, ignore: bool) {
        lock(&self.state).ignore_cancels = ignore;
    }

    fn open(&self, state: &mut State, revision: RevisionId, attempt: u32, visible: bool) -> RunRef {
        let now = self.clock.now();
        let id = (state.runs.len() + 1_001).to_string();
        let url = HttpsUrl::parse(&format!("https://builds.test/runs/{id}")).expect("the address is valid");
        let run = RunRef { id, url };
        let build = BuildRun {
            run: run.clone(),
            state: RunState::Queued,
            raw: "queued".to_owned(),
            created_at: now,
            updated_at: now,
        };
        state.runs.push(FakeRun { build, revision, attempt, visible, cancels: 0, forced: false, log: Vec::new() });
        run
    }

    fn move_to(&self, run: &RunRef, to: RunState, raw: &str) {
        let now = self.clock.now();
        if let Some(found) = find(&mut lock(&self.state), run) {
            found.build.state = to;
            found.build.raw = raw.to_owned();
            found.build.updated_at = now;
        }
    }

    fn accept(&self, request: &BuildRequest) -> Result<Dispatch> {
        let mut state = lock(&self.state);
        let script = state.plan.pop_front().unwrap_or(DispatchScript::Run);
        if let DispatchScript::Refused(error) = script {
            state.refused += 1;
            return Err(error());
        }
        state.requests.push(request.clone());
        if matches!(script, DispatchScript::UnknownLost) {
            return Ok(Dispatch::Unknown { cause: "connection reset before the answer".to_owned() });
        }
        let visible = !matches!(script, DispatchScript::HiddenRun);
        let run = self.open(&mut state, request.revision, request.attempt, visible);
        Ok(match script {
            DispatchScript::Run => Dispatch::Accepted { run: Some(run) },
            DispatchScript::UnknownRun => Dispatch::Unknown { cause: "status 502".to_owned() },
            _ => Dispatch::Accepted { run: None },
        })
    }
}

fn find<'s>(state: &'s mut State, run: &RunRef) -> Option<&'s mut FakeRun> {
    state.runs.iter_mut().find(|r| r.build.run.id == run.id)
}

const fn is_over(state: RunState) -> bool {
    matches!(state, RunState::Finished(_))
}

fn no_run(operation: &'static str) -> Error {
    Error::not_found(operation, "run_not_found", "the builder has no such run")
}

#[async_trait]
impl BuildDispatcher for FakeDispatcher {
    async fn dispatch(&self, request: &BuildRequest) -> Result<Dispatch> {
        let after = self.faults.enter("dispatch").await?;
        let answer = self.accept(request)?;
        after.with(answer).await
    }

    async fn find_run(&self, query: &RunQuery) -> Result<Option<BuildRun>> {
        let after = self.faults.enter("find_run").await?;
        let since = query.not_before.minus(Duration::from_secs(3_600));
        let wanted = |r: &&FakeRun| {
            r.visible && r.revision == query.revision && r.attempt == query.attempt && r.build.created_at >= since
        };
        // One that is not over before one that is, then the newest.
        let found = {
            let state = lock(&self.state);
            let runs = state.runs.iter().enumerate().filter(|(_, r)| wanted(r));
            runs.max_by_key(|(n, r)| (!is_over(r.build.state), *n)).map(|(_, r)| r.build.clone())
        };
        after.with(found).await
    }

    async fn run(&self, run: &RunRef) -> Result<BuildRun> {
        let after = self.faults.enter("run").await?;
        let found = find(&mut lock(&self.state), run).map(|r| r.build.clone());
        after.with(found.ok_or_else(|| no_run("dispatcher.run"))?).await
    }

    async fn cancel(&self, request: &CancelRequest) -> Result<CancelOutcome> {
        let after = self.faults.enter("cancel").await?;
        let outcome = {
            let now = self.clock.now();
            let mut state = lock(&self.state);
            let obeys = request.force || !state.ignore_cancels;
            match find(&mut state, &request.run) {
                Some(run) if !is_over(run.build.state) => {
                    run.cancels += 1;
                    run.forced |= request.force;
                    if obeys {
                        run.build.state = RunState::Finished(RunOutcome::Cancelled);
                        run.build.raw = "cancelled".to_owned();
                        run.build.updated_at = now;
                    }
                    CancelOutcome::Requested
                }
                _ => CancelOutcome::AlreadyFinished,
            }
        };
        after.with(outcome).await
    }

    async fn log_tail(&self, request: &LogRequest) -> Result<LogTail> {
        let after = self.faults.enter("log_tail").await?;
        let tail = {
            let mut state = lock(&self.state);
            let run = find(&mut state, &request.run).ok_or_else(|| no_run("dispatcher.log_tail"))?;
            if is_over(run.build.state) { tail(&run.log, request) } else { LogTail::default() }
        };
        after.with(tail).await
    }
}

fn tail(log: &[String], request: &LogRequest) -> LogTail {
    let (max_lines, max_bytes) = (request.max_lines as usize, request.max_bytes as usize);
    let text = Redactor::default().text(&log.join("\n"));
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut kept: Vec<String> = Vec::new();
    let mut bytes = 0_usize;
    for line in lines.iter().rev().take(max_lines) {
        bytes += line.len() + 1;
        if bytes > max_bytes {
            break;
        }
        kept.push(line.clone());
    }
    kept.reverse();
    let truncated = kept.len() < lines.len();
    LogTail::bounded(kept, truncated, true)
}
