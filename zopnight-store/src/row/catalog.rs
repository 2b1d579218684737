//! Rows of the catalog.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zopnight_core::domain::revision::{Cause, Reason, Revision, RevisionNumber, RevisionState};
use zopnight_core::domain::{
    Actor, ActorKind, AttemptId, BranchMark, BuildAttempt, BuildSpec, CommitInfo, Deployment, DeploymentId, DeploymentRef,
    DispatchState, Event, EventKind, HttpsUrl, IdempotencyRecord, IdempotencyRef, LogTail, OrgId, RepoRef, RepositoryId,
    RevisionId, RevisionView, RunOutcome, RunRef, RuntimeSpec, Settled, Source, Target, Timestamp, TrackedBranch,
};

use super::{Cells, Read};
use crate::database::AnyRow;

/// A deployment's row: the domain's view and what only the store counts by.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentRow {
    pub(crate) deployment: Deployment,
    pub(crate) next_seq: u64,
    pub(crate) deleted_at: Option<Timestamp>,
}

/// The configuration a revision was made with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) build: BuildSpec,
    pub(crate) runtime: RuntimeSpec,
    pub(crate) target: Target,
}

fn id_opt<T>(cells: &Cells<'_>, column: &'static str, of: fn(Uuid) -> T) -> Read<Option<T>> {
    Ok(cells.opt::<Uuid>(column)?.map(of))
}

fn repository(cells: &Cells<'_>) -> Read<RepositoryId> {
    cells.judged("repository_id", RepositoryId::new(cells.int("repository_id")?))
}

impl DeploymentRow {
    /// Reads a row.
    pub(crate) fn read(row: &dyn AnyRow) -> Result<Self, crate::error::StoreError> {
        let c = Cells::of(row, "deployments", "id");
        let source = Source {
            forge: c.parse("forge")?,
            integration: c.parse("integration_id")?,
            repository: repository(&c)?,
            owner: c.parse("owner")?,
            name: c.parse("repo")?,
            branch: c.parse("branch")?,
            root_path: c.parse("root_path")?,
            auto_deploy: c.flag("auto_deploy")?,
        };
        let target = Target {
            space: c.parse("space_id")?,
            namespace: c.parse("namespace")?,
            image_repository: c.parse("image_repository")?,
        };
        let deployment = Deployment {
            org: c.parse("org_id")?,
            id: DeploymentId::from_uuid(c.get("id")?),
            name: c.parse("name")?,
            source,
            build: c.json("build")?,
            runtime: c.json("runtime")?,
            target,
            config_version: c.int("config_version")?,
            version: c.int("version")?,
            current_revision: id_opt(&c, "current_revision_id", RevisionId::from_uuid)?,
            current_number: c.int("current_number")?,
            newest_revision: RevisionId::from_uuid(c.get("newest_revision_id")?),
            newest_number: c.int::<u32>("next_number")?.saturating_sub(1),
            source_head: c.parse_opt("source_head")?,
            skipped_head: c.parse_opt("skipped_head")?,
            branch_mark: c.name_opt("branch_mark", BranchMark::from_name)?,
            last_accepted_at: c.time_opt("last_accepted_at")?,
            deleting_at: c.time_opt("deleting_at")?,
            created_at: c.time("created_at")?,
            updated_at: c.time("updated_at")?,
        };
        Ok(Self { deployment, next_seq: c.int("next_seq")?, deleted_at: c.time_opt("deleted_at")? })
    }
}

/// The kind of actor of this name.
pub(crate) fn actor_kind(name: &str) -> Option<ActorKind> {
    let all = [ActorKind::User, ActorKind::Service, ActorKind::Webhook, ActorKind::System];
    all.into_iter().find(|k| k.as_str() == name)
}

fn actor(c: &Cells<'_>) -> Read<Actor> {
    c.judged("actor_id", Actor::new(c.name("actor_kind", actor_kind)?, c.get("actor_id")?))
}

fn cause(c: &Cells<'_>) -> Read<Cause> {
    let cause = match c.get::<&str>("cause")? {
        "create" => Cause::Create,
        "push" => Cause::Push { delivery: c.parse("delivery_id")? },
        "redeploy" => Cause::Redeploy,
        "config_change" => Cause::ConfigChange,
        "rollback" => Cause::Rollback {
            to: RevisionId::from_uuid(c.get("cause_to_id")?),
            to_number: c.judged("cause_to_number", RevisionNumber::new(c.int("cause_to_number")?))?,
        },
        _ => return Err(c.corrupt("cause")),
    };
    Ok(cause)
}

/// Reads a revision; its attempt is read apart.
pub(crate) fn revision_view(row: &dyn AnyRow) -> Read<RevisionView> {
    let c = Cells::of(row, "revisions", "id");
    let Snapshot { build, runtime, target } = c.json("snapshot")?;
    let message: Option<&str> = c.opt("reason_message")?;
    let reason = c.opt::<&str>("reason_code")?.map(|code| Reason::new(code, message.unwrap_or_default()));
    let revision = Revision {
        org: c.parse("org_id")?,
        deployment: DeploymentId::from_uuid(c.get("deployment_id")?),
        id: RevisionId::from_uuid(c.get("id")?),
        number: c.judged("number", RevisionNumber::new(c.int("number")?))?,
        state: c.name("state", RevisionState::from_name)?,
        version: c.int("version")?,
        cause: cause(&c)?,
        commit: CommitInfo { sha: c.parse("commit_sha")?, title: c.opt("commit_message")?, author: c.opt("author")? },
        branch: c.parse("branch")?,
        actor: actor(&c)?,
        build,
        runtime,
        target,
        plan: c.json_opt("plan")?,
        image: c.opt::<&str>("image_ref")?.map(|t| c.judged("image_ref", deployed(t))).transpose()?,
        reason,
        superseded_by: id_opt(&c, "superseded_by", RevisionId::from_uuid)?,
        rollout: c.json_opt("rollout")?.unwrap_or_default(),
        created_at: c.time("created_at")?,
        build_started_at: c.time_opt("build_started_at")?,
        built_at: c.time_opt("built_at")?,
        deploy_started_at: c.time_opt("deploy_started_at")?,
        finished_at: c.time_opt("finished_at")?,
        updated_at: c.time("updated_at")?,
    };
    Ok(RevisionView { revision, attempt: None, delivery_digest: c.hash_opt("delivery_digest")? })
}

fn deployed(text: &str) -> zopnight_core::Result<zopnight_core::domain::DeployedImage> {
    zopnight_core::domain::DeployedImage::parse(text)
}

/// Reads the configuration of the revision `id`.
pub(crate) fn snapshot(row: &dyn AnyRow, id: RevisionId) -> Read<Snapshot> {
    let mut c = Cells::of(row, "revisions", "id");
    c.key = id.to_string();
    c.json("snapshot")
}

/// Reads an attempt.
pub(crate) fn attempt(row: &dyn AnyRow) -> Read<BuildAttempt> {
    let c = Cells::of(row, "build_attempts", "jti");
    let run = match c.opt::<String>("run_id")? {
        Some(id) => Some(RunRef { id, url: c.judged("run_url", HttpsUrl::parse(c.get("run_url")?))? }),
        None => None,
    };
    Ok(BuildAttempt {
        jti: AttemptId::from_uuid(c.get("jti")?),
        revision: RevisionId::from_uuid(c.get("revision_id")?),
        number: c.int("number")?,
        image_repository: c.parse("image_repository")?,
        commit: c.parse("commit_sha")?,
        deadline: c.time("deadline")?,
        dispatch: c.name("dispatch", DispatchState::from_name)?,
        run,
        settled: c.name_opt("settled", Settled::from_name)?,
        outcome: c.name_opt("outcome", RunOutcome::from_name)?,
        body_digest: c.hash_opt("body_digest")?,
        refusals: c.int("refusals")?,
        last_refusal: c.opt("last_refusal")?,
        opened_at: c.time("opened_at")?,
        dispatched_at: c.time_opt("dispatched_at")?,
        closed_at: c.time_opt("closed_at")?,
    })
}

/// Reads an event.
pub(crate) fn event(row: &dyn AnyRow) -> Read<Event> {
    let c = Cells::of(row, "events", "seq");
    Ok(Event {
        seq: c.int("seq")?,
        at: c.time("at")?,
        kind: c.name("kind", EventKind::from_name)?,
        revision: id_opt(&c, "revision_id", RevisionId::from_uuid)?,
        actor: actor(&c)?,
        message: c.get("message")?,
        data: c.json("data")?,
    })
}

/// Reads a log tail.
pub(crate) fn log_tail(row: &dyn AnyRow) -> Read<LogTail> {
    let c = Cells::of(row, "build_logs", "revision_id");
    Ok(LogTail { lines: c.json("body")?, truncated: c.flag("truncated")?, complete: c.flag("complete")? })
}

/// Reads the record of `key`.
pub(crate) fn idempotency(row: &dyn AnyRow, key: IdempotencyRef) -> Read<IdempotencyRecord> {
    let c = Cells::of(row, "idempotency", "deployment_id");
    Ok(IdempotencyRecord {
        key,
        request_digest: c.hash("request_digest")?,
        status: c.int("status")?,
        deployment: DeploymentId::from_uuid(c.get("deployment_id")?),
        revision: id_opt(&c, "revision_id", RevisionId::from_uuid)?,
        created_at: c.time("created_at")?,
    })
}

fn of(c: &Cells<'_>, id: &'static str) -> Read<DeploymentRef> {
    Ok(DeploymentRef { org: c.parse::<OrgId>("org_id")?, id: DeploymentId::from_uuid(c.get(id)?) })
}

/// Reads which deployment a row is.
pub(crate) fn deployment_ref(row: &dyn AnyRow) -> Read<DeploymentRef> {
    of(&Cells::of(row, "deployments", "id"), "id")
}

/// Reads a tracked branch.
pub(crate) fn tracked(row: &dyn AnyRow) -> Read<TrackedBranch> {
    let c = Cells::of(row, "deployments", "id");
    Ok(TrackedBranch {
        deployment: of(&c, "id")?,
        repo: RepoRef {
            integration: c.parse("integration_id")?,
            owner: c.parse("owner")?,
            name: c.parse("repo")?,
            id: Some(repository(&c)?),
        },
        forge: c.parse("forge")?,
        branch: c.parse("branch")?,
        source_head: c.parse_opt("source_head")?,
        skipped_head: c.parse_opt("skipped_head")?,
        mark: c.name_opt("branch_mark", BranchMark::from_name)?,
        newest_number: c.int::<u32>("next_number")?.saturating_sub(1),
        last_accepted_at: c.time_opt("last_accepted_at")?,
    })
}

/// Reads a stalled revision.
pub(crate) fn stalled(row: &dyn AnyRow) -> Read<(DeploymentRef, RevisionId, RevisionState)> {
    let c = Cells::of(row, "revisions", "id");
    let state = c.name("state", RevisionState::from_name)?;
    Ok((of(&c, "deployment_id")?, RevisionId::from_uuid(c.get("id")?), state))
}
