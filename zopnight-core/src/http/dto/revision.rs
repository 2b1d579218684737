//! Revisions.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    BuildAttempt, Cause, HttpsUrl, Reason, Revision, RevisionId, RevisionState, RevisionView, Rollout, RolloutStatus,
    Timestamp,
};
use crate::http::openapi::words;

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Revision)]
pub(in crate::http) struct RevisionDto {
    id: String,
    #[serde(rename = "deploymentID")]
    deployment_id: String,
    number: u32,
    #[schema(schema_with = words::revision_state)]
    state: &'static str,
    reason: Option<ReasonDto>,
    cause: CauseDto,
    commit: CommitDto,
    build: RevisionBuildDto,
    rollout: RolloutDto,
    #[serde(rename = "supersededByRevisionID")]
    superseded_by_revision_id: Option<String>,
    is_current: bool,
    #[schema(schema_with = words::time)]
    created_at: Timestamp,
    #[schema(schema_with = words::time)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
struct ReasonDto {
    code: String,
    message: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cause)]
struct CauseDto {
    #[schema(schema_with = words::cause)]
    kind: &'static str,
    #[serde(rename = "deliveryID")]
    delivery_id: Option<String>,
    #[serde(rename = "toRevisionID")]
    to_revision_id: Option<String>,
    to_number: Option<u32>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Commit)]
struct CommitDto {
    sha: String,
    branch: String,
    message: Option<String>,
    author: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RevisionBuild)]
struct RevisionBuildDto {
    #[schema(schema_with = words::build_status)]
    status: &'static str,
    attempt: Option<u32>,
    image_ref: Option<String>,
    error: Option<ReasonDto>,
    #[schema(value_type = Option<String>)]
    log_tail_url: Option<HttpsUrl>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    duration_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Rollout)]
struct RolloutDto {
    #[schema(schema_with = words::rollout_status)]
    status: RolloutStatus,
    reason: Option<String>,
    message: Option<String>,
    ready: u32,
    desired: u32,
}

impl RevisionDto {
    /// The revision of a deployment in which `current` serves.
    pub(in crate::http) fn of(view: &RevisionView, current: Option<RevisionId>) -> Self {
        let r = &view.revision;
        Self {
            id: r.id.to_string(),
            deployment_id: r.deployment.to_string(),
            number: r.number.get(),
            state: r.state.as_str(),
            reason: r.reason.as_ref().map(ReasonDto::from),
            cause: CauseDto::from(&r.cause),
            commit: CommitDto {
                sha: r.commit.sha.to_string(),
                branch: r.branch.to_string(),
                message: r.commit.title.clone(),
                author: r.commit.author.clone(),
            },
            build: RevisionBuildDto::of(r, view.attempt.as_ref()),
            rollout: RolloutDto::from(&r.rollout),
            superseded_by_revision_id: r.superseded_by.map(|id| id.to_string()),
            is_current: current == Some(r.id),
            created_at: r.created_at,
            updated_at: r.updated_at,
            finished_at: r.finished_at,
        }
    }
}

impl From<&Reason> for ReasonDto {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code().to_owned(), message: reason.message().to_owned() }
    }
}

impl From<&Cause> for CauseDto {
    fn from(cause: &Cause) -> Self {
        let (delivery_id, to) = match cause {
            Cause::Push { delivery } => (Some(delivery.to_string()), None),
            Cause::Rollback { to, to_number } => (None, Some((to.to_string(), to_number.get()))),
            Cause::Create | Cause::Redeploy | Cause::ConfigChange => (None, None),
        };
        let (to_revision_id, to_number) = to.unzip();
        Self { kind: cause.as_str(), delivery_id, to_revision_id, to_number }
    }
}

impl From<&Rollout> for RolloutDto {
    fn from(r: &Rollout) -> Self {
        Self { status: r.status, reason: r.reason.clone(), message: r.message.clone(), ready: r.ready, desired: r.desired }
    }
}

impl RevisionBuildDto {
    fn of(r: &Revision, attempt: Option<&BuildAttempt>) -> Self {
        let status = build_status(r);
        let failed = matches!(status, "failed" | "timed_out");
        let started = r.build_started_at;
        let ended = r.built_at.or(r.finished_at).filter(|_| started.is_some() || r.plan.is_some());
        let took = started.zip(ended).map(|(from, to)| to.since(from).as_millis());
        Self {
            status,
            attempt: attempt.map(|a| a.number),
            image_ref: r.image.as_ref().map(ToString::to_string),
            error: r.reason.as_ref().filter(|_| failed).map(ReasonDto::from),
            log_tail_url: attempt.and_then(|a| a.run.as_ref()).map(|run| run.url.clone()),
            started_at: started,
            finished_at: ended,
            duration_ms: took.and_then(|ms| u64::try_from(ms).ok()),
        }
    }
}

/// How the build stands, read from where the revision stands.
fn build_status(r: &Revision) -> &'static str {
    if r.reuses_image() {
        return "skipped";
    }
    match r.state {
        RevisionState::Queued => "queued",
        RevisionState::Building => "building",
        _ if r.image.is_some() => "succeeded",
        RevisionState::Failed => "failed",
        RevisionState::TimedOut => "timed_out",
        _ => "cancelled",
    }
}
