//! The build dispatcher of this machine: a build is a background task, which reports by the real callback.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::task::{AbortHandle, JoinSet};
use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{
    BuildRequest, BuildRun, CancelOutcome, CancelRequest, Digest, Dispatch, HttpsUrl, LogRequest, LogTail, Redactor,
    RevisionId, RunOutcome, RunQuery, RunRef, RunState, Secret, Timestamp,
};
use zopnight_core::ports::{BuildDispatcher, Clock as _};
use zopnight_core::{Error, Result};

use crate::client;
use crate::image_layout::ImageLayout;
use crate::report::Report;
use crate::source::LocalForge;
use crate::tool::{BuildFailure, Tool};
use crate::tree::GitTree;

const OPERATION: &str = "local_builder";
/// How often a callback is sent while the server cannot take it, and the pause between.
const CALLBACKS: u32 = 5;
const CALLBACK_PAUSE: Duration = Duration::from_secs(1);

/// Builds on this machine. Runs live as long as the process.
#[derive(Clone, Debug)]
pub(crate) struct LocalBuilder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    parts: Parts,
    runs: Mutex<BTreeMap<u64, Run>>,
    /// `None` once the builder has stopped.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// What a builder works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) tool: Tool,
    pub(crate) forge: LocalForge,
    pub(crate) layout: Arc<ImageLayout>,
    pub(crate) scratch: PathBuf,
    /// Where the routes are: the page of a run is its revision's log there.
    pub(crate) base: HttpsUrl,
    pub(crate) report: Report,
}

#[derive(Debug)]
struct Run {
    page: RunRef,
    revision: RevisionId,
    attempt: u32,
    state: RunState,
    created_at: Timestamp,
    updated_at: Timestamp,
    lines: Vec<String>,
    token: Secret<String>,
    task: Option<AbortHandle>,
}

/// A callback as it was sent, for showing that an altered one is refused.
#[derive(Clone, Debug)]
pub(crate) struct SentCallback {
    pub(crate) revision: RevisionId,
    pub(crate) token: Secret<String>,
}

impl LocalBuilder {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared { parts, runs: Mutex::default(), tasks: Mutex::new(Some(JoinSet::new())) }))
    }

    /// How many builds were handed to this builder.
    pub(crate) fn dispatched(&self) -> usize {
        self.0.runs().len()
    }

    /// The newest build's callback.
    pub(crate) fn last_callback(&self) -> Option<SentCallback> {
        self.0.runs().values().last().map(|r| SentCallback { revision: r.revision, token: r.token.clone() })
    }

    /// The end of the log of a revision's newest build, without waiting for it to be stored.
    pub(crate) fn last_lines(&self, revision: &str) -> Vec<String> {
        let runs = self.0.runs();
        let Some(run) = runs.values().rfind(|r| r.revision.to_string() == revision) else { return Vec::new() };
        let redactor = Redactor::new(vec![run.token.clone()]);
        let from = run.lines.len().saturating_sub(20);
        run.lines.iter().skip(from).map(|line| redactor.text(line)).collect()
    }

    /// Ends what is still being built, container programs included, and takes nothing more.
    pub(crate) async fn stop(&self) {
        let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }

    /// Notes a run for `request` without starting anything.
    fn begin(&self, request: &BuildRequest) -> Result<(u64, RunRef)> {
        let now = SystemClock.now();
        let mut runs = self.0.runs();
        let number = runs.last_key_value().map_or(0, |(n, _)| *n).saturating_add(1);
        let (deployment, revision) = (request.deployment.to_string(), request.revision.to_string());
        let url = self.0.parts.base.join(&["deployments", &deployment, "revisions", &revision, "logs"])?;
        let page = RunRef { id: number.to_string(), url };
        let run = Run {
            page: page.clone(),
            revision: request.revision,
            attempt: request.attempt,
            state: RunState::Running,
            created_at: now,
            updated_at: now,
            lines: Vec::new(),
            token: request.callback_token.clone(),
            task: None,
        };
        runs.insert(number, run);
        Ok((number, page))
    }
}

impl Shared {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<u64, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, number: u64, line: &str) {
        if let Some(run) = self.runs().get_mut(&number) {
            run.lines.push(line.to_owned());
        }
    }

    /// Ends a run, unless it has ended. Answers whether it had not.
    fn end(&self, number: u64, outcome: RunOutcome) -> bool {
        let mut runs = self.runs();
        let Some(run) = runs.get_mut(&number) else { return false };
        if matches!(run.state, RunState::Finished(_)) {
            return false;
        }
        (run.state, run.updated_at) = (RunState::Finished(outcome), SystemClock.now());
        if let Some(task) = run.task.take().filter(|_| outcome == RunOutcome::Cancelled) {
            task.abort();
        }
        true
    }

    async fn work(&self, number: u64, request: BuildRequest) {
        let scratch = self.parts.scratch.join(format!("{}-{}", request.revision, request.attempt));
        let built = tokio::time::timeout(request.timeout, self.build(number, &request, scratch.clone())).await;
        let (outcome, report) = match &built {
            Ok(Ok(digest)) => {
                let image = format!("{}@{digest}", request.image);
                (RunOutcome::Succeeded, json!({"status": "succeeded", "imageRef": image}))
            }
            Ok(Err(BuildFailure { code, message })) => {
                self.write(number, message);
                let message: String = message.chars().take(2_000).collect();
                (RunOutcome::Failed, json!({"status": "failed", "error": {"code": code, "message": message}}))
            }
            Err(_) => (RunOutcome::TimedOut, json!({"status": "failed", "error": {"code": "build_timed_out"}})),
        };
        // What is left in the scratch directory is worth nothing to anybody.
        let _ = std::fs::remove_dir_all(&scratch);
        self.call_back(&request, report).await;
        self.end(number, outcome);
    }

    async fn build(&self, number: u64, request: &BuildRequest, scratch: PathBuf) -> Result<Digest, BuildFailure> {
        let source = |e: Error| BuildFailure { code: "source", message: e.message().to_owned() };
        let log = |line: &str| self.write(number, line);
        log(&format!("building {} of {} as {}", request.commit, request.source, request.image));
        let repository = self.parts.forge.open(&request.source).map_err(source)?;
        let tree = GitTree::open(&repository, &request.commit).await.map_err(source)?;
        std::fs::create_dir_all(&scratch)
            .map_err(|e| BuildFailure { code: "work_dir", message: format!("the work directory cannot be written: {e}") })?;
        self.parts.tool.build(request, &tree, &scratch, &self.parts.layout, &log).await
    }

    async fn call_back(&self, request: &BuildRequest, report: serde_json::Value) {
        let mut body = report;
        if let Some(body) = body.as_object_mut() {
            body.insert("jwt".to_owned(), json!(request.callback_token.expose()));
        }
        let body = body.to_string();
        let headers = [("content-type", "application/json")];
        for round in 1..=CALLBACKS {
            let answer = client::send("POST", request.callback_url.as_str(), &headers, body.as_bytes()).await;
            let again = match &answer {
                Ok(answer) => matches!(answer.status, 408 | 425 | 429 | 500..),
                Err(_) => true,
            };
            if !again || round == CALLBACKS {
                match answer {
                    Ok(answer) if answer.status == 200 => {}
                    Ok(answer) => self.parts.report.timed(&format!("a build callback was refused: {}", answer.status)),
                    Err(broken) => self.parts.report.timed(&format!("a build callback was not delivered: {broken}")),
                }
                return;
            }
            tokio::time::sleep(CALLBACK_PAUSE).await;
        }
    }
}

impl Run {
    fn told(&self) -> BuildRun {
        let raw = match self.state {
            RunState::Finished(outcome) => outcome.as_str(),
            RunState::Queued | RunState::Running => "running",
        };
        BuildRun {
            run: self.page.clone(),
            state: self.state,
            raw: raw.to_owned(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// The end of the log within the bounds asked for.
    fn tail(&self, request: &LogRequest) -> LogTail {
        if !matches!(self.state, RunState::Finished(_)) {
            return LogTail::default();
        }
        let redactor = Redactor::new(vec![self.token.clone()]);
        let (mut kept, mut bytes) = (Vec::new(), 0_usize);
        for line in self.lines.iter().rev() {
            let line = redactor.text(line);
            bytes = bytes.saturating_add(line.len()).saturating_add(1);
            let full = kept.len() >= usize::try_from(request.max_lines).unwrap_or(usize::MAX);
            if full || bytes > usize::try_from(request.max_bytes).unwrap_or(usize::MAX) {
                break;
            }
            kept.push(line);
        }
        kept.reverse();
        let cut = kept.len() < self.lines.len();
        LogTail::bounded(kept, cut, true)
    }
}

fn run_not_found() -> Error {
    Error::not_found(OPERATION, "run_not_found", "this builder has no such run")
}

#[async_trait]
impl BuildDispatcher for LocalBuilder {
    async fn dispatch(&self, request: &BuildRequest) -> Result<Dispatch> {
        let (shared, request) = (Arc::clone(&self.0), request.clone());
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tasks) = tasks.as_mut() else {
            return Err(Error::unavailable(OPERATION, "this builder has stopped").with("code", "builder_stopped"));
        };
        // What has ended is of no further use.
        while tasks.try_join_next().is_some() {}
        let (number, page) = self.begin(&request)?;
        let task = tasks.spawn(async move { shared.work(number, request).await });
        if let Some(run) = self.0.runs().get_mut(&number) {
            run.task = Some(task);
        }
        Ok(Dispatch::Accepted { run: Some(page) })
    }

    async fn find_run(&self, query: &RunQuery) -> Result<Option<BuildRun>> {
        let runs = self.0.runs();
        let found = runs.values().rfind(|r| r.revision == query.revision && r.attempt == query.attempt);
        Ok(found.map(Run::told))
    }

    async fn run(&self, run: &RunRef) -> Result<BuildRun> {
        let runs = self.0.runs();
        runs.values().find(|r| r.page == *run).map(Run::told).ok_or_else(run_not_found)
    }

    async fn cancel(&self, request: &CancelRequest) -> Result<CancelOutcome> {
        let number = self.0.runs().iter().find(|(_, r)| r.page == request.run).map(|(n, _)| *n);
        let ended = number.is_some_and(|n| self.0.end(n, RunOutcome::Cancelled));
        Ok(if ended { CancelOutcome::Requested } else { CancelOutcome::AlreadyFinished })
    }

    async fn log_tail(&self, request: &LogRequest) -> Result<LogTail> {
        let runs = self.0.runs();
        runs.values().find(|r| r.page == request.run).map(|r| r.tail(request)).ok_or_else(run_not_found)
    }
}

/// What the tests need to play a builder whose runs do nothing on their own.
#[cfg(test)]
impl LocalBuilder {
    pub(crate) fn begin_only(&self, request: &BuildRequest) -> Result<RunRef> {
        self.begin(request).map(|(_, page)| page)
    }

    pub(crate) fn write_line(&self, run: &RunRef, line: &str) {
        self.0.write(run.id.parse().unwrap(), line);
    }

    pub(crate) fn finish(&self, run: &RunRef, outcome: RunOutcome) {
        self.0.end(run.id.parse().unwrap(), outcome);
    }
}
