//! Plays the runner: runs what was dispatched, pushes the image, calls back until it is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::callback::CallbackRefusal;
use crate::domain::{BuildRequest, RevisionId, RunOutcome, RunRef, RunState};
use crate::error::ErrorKind;
use crate::pipeline::Pipeline;
use crate::testing::fakes::{FakeDispatcher, FakeResolver};

/// What a callback was answered: the state word, or the refusal's code.
pub type CallbackAnswer = Result<&'static str, &'static str>;

/// The runner of a [`super::World`]: every build succeeds, its image is pushed, and its callback is repeated until it is answered
/// with anything but 503.
#[derive(Debug)]
pub struct Builder {
    dispatcher: Arc<FakeDispatcher>,
    resolver: Arc<FakeResolver>,
    answers: Mutex<BTreeMap<(RevisionId, u32), Vec<CallbackAnswer>>>,
}

impl Builder {
    pub(super) fn new(dispatcher: Arc<FakeDispatcher>, resolver: Arc<FakeResolver>) -> Self {
        Self { dispatcher, resolver, answers: Mutex::default() }
    }

    /// Runs every live run to its end and calls back. Answers how many callbacks were answered.
    pub async fn play(&self, pipeline: &Pipeline) -> usize {
        let mut answered = 0;
        for request in self.dispatcher.requests() {
            let Some(run) = self.dispatcher.run_of(request.revision, request.attempt) else { continue };
            if self.is_cancelled(&run) || self.answer(&request).is_some() {
                continue;
            }
            self.resolver.push_build(&request.image);
            self.dispatcher.write_log(&run, &["building", "pushed"]);
            self.dispatcher.finish(&run, RunOutcome::Succeeded);
            let body = Self::body(&request, "succeeded", Some(request.image.as_str()));
            let answer = match pipeline.complete_build(request.revision, &body).await {
                Ok(done) => Ok(done.state.as_str()),
                Err(refusal) if is_temporary(refusal) => continue,
                Err(refusal) => Err(refusal.as_str()),
            };
            answered += 1;
            self.lock().entry((request.revision, request.attempt)).or_default().push(answer);
        }
        answered
    }

    /// The answers that the callbacks of an attempt got.
    #[must_use]
    pub fn answers(&self, revision: RevisionId, attempt: u32) -> Vec<CallbackAnswer> {
        self.lock().get(&(revision, attempt)).cloned().unwrap_or_default()
    }

    /// The body of a callback, with the attempt's own token.
    ///
    /// # Panics
    /// Never: text and null always serialise.
    #[must_use]
    pub fn body(request: &BuildRequest, status: &str, image: Option<&str>) -> Vec<u8> {
        let mut body = serde_json::json!({ "jwt": request.callback_token.expose(), "status": status });
        if let Some(image) = image {
            body["imageRef"] = image.into();
        }
        serde_json::to_vec(&body).expect("plain JSON")
    }

    fn answer(&self, request: &BuildRequest) -> Option<CallbackAnswer> {
        self.answers(request.revision, request.attempt).pop()
    }

    fn is_cancelled(&self, run: &RunRef) -> bool {
        self.dispatcher
            .runs()
            .iter()
            .any(|r| r.build.run == *run && r.build.state == RunState::Finished(RunOutcome::Cancelled))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RevisionId, u32), Vec<CallbackAnswer>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_temporary(refusal: CallbackRefusal) -> bool {
    refusal.kind() == ErrorKind::Unavailable
}
