//! A build callback comes in: verified, decided, its image resolved by us, and settled in one commit.

use crate::callback::{
    BuildReport, CallbackBody, CallbackRefusal, Decision, Verified, check_image, decide, kept_log_url, verify,
};
use crate::config::ImagePolicy;
use crate::domain::revision::RevisionEvent;
use crate::domain::{
    Applied, AttemptId, AttemptOp, AttemptPatch, BuildAttempt, DeployedImage, EventKind, ImageRef, JobPayload, NewEvent,
    Reason, RevisionChange, RevisionId, RevisionJob, RevisionOp, RevisionPatch, RevisionState, RevisionView, RunOutcome,
    Settled, WatchBuildJob, text,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::ResolveRequest;

use super::end::{moved, reached};
use super::{Completed, Pipeline};

/// How often a decision is taken anew when the rows changed meanwhile.
const ROUNDS: u32 = 4;
/// How soon after a callback the log is fetched.
const LOG_DELAY: std::time::Duration = std::time::Duration::from_secs(5);

/// By what an attempt is settled: the settler, the run's end, the digest of the callback's body.
pub(super) type SettledBy = (Settled, Option<RunOutcome>, Option<[u8; 32]>);

type Outcome<T> = std::result::Result<T, CallbackRefusal>;

impl Pipeline {
    /// Settles a build by its callback: `body` is the raw JSON, `revision` the id in the path.
    ///
    /// Nothing is written before the token verified. Repeating an accepted callback gives the same answer, `replayed`.
    ///
    /// # Errors
    /// The refusal, by the table of verdicts; a refusal after the signature verified is recorded on the timeline.
    pub async fn complete_build(&self, revision: RevisionId, body: &[u8]) -> Outcome<Completed> {
        let result = self.complete(revision, body).await;
        let outcome = match &result {
            Ok(done) if done.replayed => "replayed",
            Ok(_) => "accepted",
            Err(refusal) => refusal.as_str(),
        };
        metrics::counter!("zopnight_callbacks_total", "outcome" => outcome).increment(1);
        if let Err(refusal) = &result {
            tracing::info!(%revision, refusal = refusal.as_str(), "a build callback was refused");
        }
        result
    }

    async fn complete(&self, revision: RevisionId, body: &[u8]) -> Outcome<Completed> {
        let Ok(builds) = self.builds() else { return Err(CallbackRefusal::RevisionUnknown) };
        let body = CallbackBody::parse(body)?;
        let verified = verify(&builds.keys, body.jwt().expose(), revision, self.now().as_secs())?;
        metrics::counter!("zopnight_callback_key_used_total", "slot" => verified.slot.as_str()).increment(1);
        let mut resolved = None;
        for _ in 0..ROUNDS {
            let view = self.called_back(&verified).await?;
            let org = &verified.claims.org;
            let attempts = self.store().attempts(org, revision).await.map_err(|_| CallbackRefusal::Unavailable)?;
            let attempt = match decide(&view.revision, &attempts, &verified.claims, &body) {
                Decision::Proceed(attempt) => attempt.clone(),
                Decision::Replay => return Ok(completed(&view, true)),
                Decision::Refused(refusal) => {
                    let known = attempts.iter().find(|a| a.jti == verified.claims.attempt);
                    return Err(self.refused(&view, known, refusal, &body).await);
                }
            };
            let report = match body.report() {
                Ok(report) => report,
                Err(refusal) => return Err(self.refused(&view, Some(&attempt), refusal, &body).await),
            };
            if let (BuildReport::Succeeded { image }, None) = (&report, &resolved) {
                match self.resolve_reported(&verified, &attempt, image).await {
                    Ok(found) => resolved = Some(found),
                    Err(refusal) => return Err(self.refused(&view, Some(&attempt), refusal, &body).await),
                }
            }
            if self.settle_reported(&view, &attempt, &report, resolved.as_ref(), &body).await? {
                let now = self.called_back(&verified).await?;
                return Ok(completed(&now, false));
            }
        }
        Err(CallbackRefusal::Unavailable)
    }

    async fn called_back(&self, verified: &Verified) -> Outcome<RevisionView> {
        let claims = &verified.claims;
        match self.store().revision(&claims.org, claims.deployment, claims.revision).await {
            Ok(view) => Ok(view),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(CallbackRefusal::RevisionUnknown),
            Err(_) => Err(CallbackRefusal::Unavailable),
        }
    }

    async fn resolve_reported(
        &self,
        verified: &Verified,
        attempt: &BuildAttempt,
        image: &ImageRef,
    ) -> Outcome<DeployedImage> {
        let require_digest = self.config().image_policy == ImagePolicy::RequireDigest;
        check_image(image, &attempt.image_repository, require_digest)?;
        let Ok(builds) = self.builds() else { return Err(CallbackRefusal::Unavailable) };
        let allotted = attempt.image_repository.clone();
        let request = ResolveRequest { org: verified.claims.org.clone(), image: image.clone(), allotted: allotted.clone() };
        match builds.resolver.resolve(&request).await {
            Ok(digest) => Ok(DeployedImage { repository: allotted, digest }),
            Err(error) => Err(match (error.kind(), error.code()) {
                (ErrorKind::NotFound, _) => CallbackRefusal::ImageNotFound,
                (ErrorKind::Conflict, Some("image_digest_mismatch")) => CallbackRefusal::ImageDigestMismatch,
                (ErrorKind::Conflict, _) => CallbackRefusal::ImageNotAnImage,
                (ErrorKind::Forbidden, Some("image_repository")) => CallbackRefusal::ImageRepository,
                _ => {
                    tracing::warn!(%error, "the registry could not be asked");
                    CallbackRefusal::RegistryUnavailable
                }
            }),
        }
    }

    /// Writes what was reported. `false`: the rows changed meanwhile, decide again.
    async fn settle_reported(
        &self,
        view: &RevisionView,
        attempt: &BuildAttempt,
        report: &BuildReport,
        resolved: Option<&DeployedImage>,
        body: &CallbackBody,
    ) -> Outcome<bool> {
        let unavailable = |error: Error| {
            tracing::error!(%error, "a build callback could not be stored");
            CallbackRefusal::Unavailable
        };
        let mut base = RevisionChange::new(view.revision.org.clone(), view.revision.deployment);
        base = self.log_link(base, view, attempt, body);
        base = base.with_follow_up(self.log_job(view, attempt));
        let over = RevisionView { attempt: None, ..view.clone() };
        let change = match (report, resolved) {
            (BuildReport::Succeeded { image }, Some(resolved)) => {
                let from = if image.digest().is_some() { "digest" } else { "tag" };
                let settled = (Settled::Callback, Some(RunOutcome::Succeeded), Some(body.digest()));
                self.built(base, view, attempt.jti, resolved.clone(), from, settled).await.map_err(unavailable)?
            }
            (BuildReport::Succeeded { .. }, None) => return Err(CallbackRefusal::RegistryUnavailable),
            (BuildReport::Failed { error }, _) => {
                let code = error.as_ref().map_or("build_failed", |e| e.code());
                let message = error.as_ref().and_then(|e| e.message()).unwrap_or("the build failed");
                let base = base.with_attempt(close(attempt.jti, RunOutcome::Failed, body));
                self.ending(base, &over, RevisionEvent::BuildFailed, Some(Reason::new(code, message)))
            }
            (BuildReport::Cancelled { error }, _) => {
                let message = error.as_ref().and_then(|e| e.message()).unwrap_or("the run was cancelled at the builder");
                let base = base.with_attempt(close(attempt.jti, RunOutcome::Cancelled, body));
                self.ending(base, &over, RevisionEvent::BuildCancelled, Some(Reason::new("run_cancelled", message)))
            }
        };
        let Some(change) = change else { return Ok(false) };
        match self.commit(change).await.map_err(unavailable)? {
            Applied::Committed(_) => Ok(true),
            Applied::Deleting => Err(CallbackRefusal::RevisionTerminal),
            _ => Ok(false),
        }
    }

    /// Adds to `base` that the revision has its image: the attempt settled, the move with its lines, the deploy job, and the end
    /// of every older revision. `None` if the image means nothing in the revision's state.
    pub(super) async fn built(
        &self,
        base: RevisionChange,
        view: &RevisionView,
        jti: AttemptId,
        image: DeployedImage,
        from: &str,
        (settled, outcome, body_digest): SettledBy,
    ) -> Result<Option<RevisionChange>> {
        let revision = &view.revision;
        let patch = RevisionPatch { image: Some(image.clone()), ..RevisionPatch::default() };
        let Some(step) = moved(revision, RevisionEvent::ImageReady, patch) else { return Ok(None) };
        let mut change = base.with_attempt(AttemptOp::Close { jti, settled, outcome, body_digest });
        if revision.state == RevisionState::Queued {
            change = change.with_event(reached(revision, RevisionState::Building));
        }
        let resolved = NewEvent::new(EventKind::ImageResolved, "the image's digest was looked up")
            .of(revision.id)
            .with("from", from)
            .with("digest", image.digest.as_str());
        let line = reached(revision, step.to).with("imageRef", image.to_string());
        let job = self.job(&revision.org, revision.deployment, JobPayload::Deploy(RevisionJob { revision: revision.id }));
        let number = Some(revision.number.get());
        let older = self.older_unfinished(&revision.org, revision.deployment, number).await?;
        let change =
            change.with_revision(RevisionOp::Move(Box::new(step))).with_event(resolved).with_event(line).with_follow_up(job);
        let change = self.superseding(change, &older, revision.id, RevisionEvent::NewerBuilt);
        Ok(Some(self.reporting(change, revision.id)))
    }

    /// The job that keeps the log of a build that its callback has settled.
    fn log_job(&self, view: &RevisionView, attempt: &BuildAttempt) -> crate::domain::NewJob {
        let payload = WatchBuildJob {
            revision: view.revision.id,
            jti: attempt.jti,
            deadline: attempt.deadline,
            looks: 0,
            finished_at: None,
        };
        self.job(&view.revision.org, view.revision.deployment, JobPayload::WatchBuild(payload)).after(LOG_DELAY)
    }

    /// Keeps or drops the reported log link; it is never fetched.
    fn log_link(
        &self,
        change: RevisionChange,
        view: &RevisionView,
        attempt: &BuildAttempt,
        body: &CallbackBody,
    ) -> RevisionChange {
        let Some(reported) = body.log_tail_url() else { return change };
        if kept_log_url(reported, attempt.run.as_ref(), self.config().run_url_prefix.as_ref()).is_some() {
            return change;
        }
        let event = NewEvent::new(EventKind::CallbackLogUrlDropped, "the reported log link is not the run's page");
        change.with_event(event.of(view.revision.id).with("attempt", attempt.number))
    }

    /// Records a refusal on the timeline, as far as it is to be, and gives it back.
    async fn refused(
        &self,
        view: &RevisionView,
        attempt: Option<&BuildAttempt>,
        refusal: CallbackRefusal,
        body: &CallbackBody,
    ) -> CallbackRefusal {
        let Some(kind) = refusal.event() else { return refusal };
        let kept = self.config().limits.callback_refusals_kept;
        if attempt.is_some_and(|a| a.refusals >= kept) {
            return refusal;
        }
        let mut event = NewEvent::new(kind, format!("a build callback was refused: {refusal}"))
            .of(view.revision.id)
            .with("code", refusal.as_str());
        if let Some(image) = body.image_ref() {
            event = event.with("image", text::cut(&image.escape_debug().to_string(), 64));
        }
        let mut change = RevisionChange::new(view.revision.org.clone(), view.revision.deployment);
        if let Some(attempt) = attempt {
            event = event.with("attempt", attempt.number);
            let patch = AttemptPatch { refusal: Some(refusal.as_str()), ..AttemptPatch::default() };
            change = change.with_attempt(AttemptOp::Patch { jti: attempt.jti, patch });
        }
        match self.commit(change.with_event(event)).await {
            Ok(_) => refusal,
            // The refusal stands; the builder tries again where that helps.
            Err(error) => {
                tracing::warn!(%error, "a refused callback could not be recorded");
                refusal
            }
        }
    }
}

fn close(jti: AttemptId, outcome: RunOutcome, body: &CallbackBody) -> AttemptOp {
    AttemptOp::Close { jti, settled: Settled::Callback, outcome: Some(outcome), body_digest: Some(body.digest()) }
}

fn completed(view: &RevisionView, replayed: bool) -> Completed {
    Completed { revision: view.revision.id, state: view.revision.state, image: view.revision.image.clone(), replayed }
}
