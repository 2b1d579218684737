//! A builder beside the processes: its runs are files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zopnight_core::domain::{
    BuildRequest, BuildRun, CancelOutcome, CancelRequest, Dispatch, HttpsUrl, ImageRef, LogRequest, LogTail, RevisionId,
    RunQuery, RunRef, RunState, Timestamp,
};
use zopnight_core::ports::BuildDispatcher;
use zopnight_core::{ErrorKind, Result};

use crate::site::Site;

/// A run as its file holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    revision: RevisionId,
    image: String,
    token: String,
}

/// A builder whose runs outlive the process that asked for them.
#[derive(Clone, Debug)]
pub(crate) struct FileBuilder(PathBuf);

impl FileBuilder {
    pub(crate) fn new(directory: &Path) -> Self {
        let runs = directory.join("runs");
        fs::create_dir_all(&runs).unwrap();
        Self(runs)
    }

    /// The ids of all runs.
    pub(crate) fn runs(&self) -> BTreeSet<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
    }

    fn known(id: &str) -> BuildRun {
        let url = HttpsUrl::parse("https://builder.example.test/run").unwrap();
        let at = Timestamp::from_secs(0);
        let run = RunRef { id: id.to_owned(), url };
        BuildRun { run, state: RunState::Running, raw: "running".to_owned(), created_at: at, updated_at: at }
    }

    /// Lets every run go on for `takes` and then calls back until it is answered.
    pub(crate) async fn play(&self, site: &Site, takes: Duration) {
        let mut answered = BTreeSet::new();
        loop {
            tokio::time::sleep(takes).await;
            for id in self.runs().difference(&answered.clone()) {
                let run: Run = serde_json::from_slice(&fs::read(self.0.join(format!("{id}.json"))).unwrap()).unwrap();
                site.resolver.push_build(&ImageRef::parse(&run.image).unwrap());
                let body = serde_json::json!({ "jwt": run.token, "status": "succeeded", "imageRef": run.image });
                let body = serde_json::to_vec(&body).unwrap();
                match site.pipeline.complete_build(run.revision, &body).await {
                    Err(refusal) if refusal.kind() == ErrorKind::Unavailable => {}
                    _ => drop(answered.insert(id.clone())),
                }
            }
        }
    }
}

#[async_trait]
impl BuildDispatcher for FileBuilder {
    async fn dispatch(&self, request: &BuildRequest) -> Result<Dispatch> {
        let id = format!("{}.{}", request.revision, request.attempt);
        let token = request.callback_token.expose().clone();
        let run = Run { revision: request.revision, image: request.image.to_string(), token };
        let (written, named) = (self.0.join(format!("{id}.tmp")), self.0.join(format!("{id}.json")));
        assert!(!named.exists(), "{id} was dispatched twice");
        fs::write(&written, serde_json::to_vec(&run).unwrap()).unwrap();
        fs::rename(written, named).unwrap();
        Ok(Dispatch::Accepted { run: Some(Self::known(&id).run) })
    }

    async fn find_run(&self, query: &RunQuery) -> Result<Option<BuildRun>> {
        let id = format!("{}.{}", query.revision, query.attempt);
        Ok(self.runs().contains(&id).then(|| Self::known(&id)))
    }

    async fn run(&self, run: &RunRef) -> Result<BuildRun> {
        Ok(Self::known(&run.id))
    }

    async fn cancel(&self, _: &CancelRequest) -> Result<CancelOutcome> {
        Ok(CancelOutcome::AlreadyFinished)
    }

    async fn log_tail(&self, _: &LogRequest) -> Result<LogTail> {
        Ok(LogTail { lines: vec!["built".to_owned()], truncated: false, complete: true })
    }
}
