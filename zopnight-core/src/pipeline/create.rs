//! A deployment is created.

use crate::domain::{
    BranchName, BuildSpec, Cause, CommitInfo, DeploymentOp, EventKind, JobPayload, NewDeployment, NewEvent, NewRevision,
    RevisionChange, RevisionJob, RevisionOp, RevisionState, RuntimeSpec, Source, TargetRequest,
};
use crate::error::{Error, Result};
use crate::ports::{At, SnapshotRequest};

use super::access::ours_to_mend;
use super::decide::{Written, until_settled};
use super::{Accepted, DeploymentSpec, Pipeline, RequestContext};

impl Pipeline {
    /// Creates a deployment and its first revision, at the head of the branch.
    ///
    /// # Errors
    /// `Invalid` with a detail for each bad field; `NotFound` (`integration_not_found`, `repository_not_found`,
    /// `branch_not_found`, `space_not_found`); `Conflict` (`name_taken`, `quota`, `empty_repository`,
    /// `integration_unauthorized`, `idempotency_key_reused`); `Unsupported` (`builds_disabled`, `cluster_disabled`);
    /// `Unavailable`. Then nothing is stored.
    pub async fn create_deployment(&self, request: &RequestContext, spec: &DeploymentSpec) -> Result<Accepted> {
        self.builds()?;
        self.cluster()?;
        check_faults("deployment.create", Some(&spec.build), Some(&spec.runtime))?;
        if let Some(answer) = self.replayed(request).await? {
            return Ok(answer);
        }
        self.check_integration(&request.org, &spec.source.integration).await?;
        let deployment = self.new_deployment_id();
        let target = self
            .tenants()
            .target(&TargetRequest {
                org: request.org.clone(),
                deployment,
                name: spec.name.clone(),
                space: spec.space.clone(),
                namespace: spec.namespace.clone(),
            })
            .await?;
        let (source, commit) = self.resolve_source(spec).await?;
        let revision = self.new_revision_id();
        let new = NewDeployment {
            name: spec.name.clone(),
            source: source.clone(),
            build: spec.build.clone(),
            runtime: spec.runtime.clone(),
            target: target.clone(),
        };
        let first = NewRevision {
            id: revision,
            state: RevisionState::Queued,
            cause: Cause::Create,
            delivery_digest: None,
            commit,
            branch: source.branch.clone(),
            actor: request.actor.clone(),
            build: spec.build.clone(),
            runtime: spec.runtime.clone(),
            target,
            image: None,
            at_head: true,
        };
        until_settled("deployment.create", async || {
            let job = self.job(&request.org, deployment, JobPayload::Build(RevisionJob { revision }));
            let mut change = RevisionChange::new(request.org.clone(), deployment)
                .with_idempotency(request.idempotency.clone())
                .with_deployment(DeploymentOp::Create(Box::new(new.clone())))
                .with_revision(RevisionOp::Create(Box::new(first.clone())))
                .with_event(
                    NewEvent::new(EventKind::DeploymentCreated, format!("{} was created", spec.name)).by(&request.actor),
                )
                .with_event(accepted_event(&first))
                .with_follow_up(job);
            change = warn_secrets(change, &spec.runtime);
            change = self.reporting(change, revision);
            match self.write("deployment.create", change).await? {
                Written::Committed => self.accepted(&request.org, deployment, Some(revision), false).await.map(Some),
                Written::Replayed(revision, deployment) => {
                    self.accepted(&request.org, deployment, revision, true).await.map(Some)
                }
                Written::Stale => Ok(None),
            }
        })
        .await
    }

    async fn resolve_source(&self, spec: &DeploymentSpec) -> Result<(Source, CommitInfo)> {
        let at = spec.source.branch.clone().map_or(At::DefaultBranch, At::Branch);
        let repo = spec.source.repo_ref();
        let request = SnapshotRequest { repo, at, root: spec.source.root_path.clone(), want: Vec::new() };
        let snapshot = self.source().snapshot(&request).await.map_err(ours_to_mend)?;
        let branch: BranchName = match (&spec.source.branch, snapshot.repository.default_branch) {
            (Some(branch), _) => branch.clone(),
            (None, Some(branch)) => branch,
            (None, None) => {
                return Err(Error::conflict(
                    "deployment.create",
                    "empty_repository",
                    "the repository has no default branch",
                ));
            }
        };
        let source = Source {
            forge: snapshot.repository.forge,
            integration: spec.source.integration.clone(),
            repository: snapshot.repository.id,
            owner: snapshot.repository.owner,
            name: snapshot.repository.name,
            branch,
            root_path: spec.source.root_path.clone(),
            auto_deploy: spec.source.auto_deploy,
        };
        Ok((source, snapshot.commit))
    }
}

/// Refuses specifications that break a bound, naming every bad field.
pub(super) fn check_faults(operation: &'static str, build: Option<&BuildSpec>, runtime: Option<&RuntimeSpec>) -> Result<()> {
    let build = build.map(BuildSpec::faults).unwrap_or_default().into_iter().map(|(f, r)| (format!("build.{f}"), r));
    let runtime = runtime.map(RuntimeSpec::faults).unwrap_or_default().into_iter().map(|(f, r)| (format!("runtime.{f}"), r));
    let error = build.chain(runtime).fold(None, |error: Option<Error>, (field, rule)| {
        let error = error.unwrap_or_else(|| Error::invalid(operation, "some fields are out of bounds"));
        Some(error.with_detail(field, rule))
    });
    error.map_or(Ok(()), Err)
}

/// The line that tells of a new revision.
pub(super) fn accepted_event(revision: &NewRevision) -> NewEvent {
    let (kind, word) = match revision.state {
        RevisionState::Built => (EventKind::RevisionBuilt, "accepted with an existing image"),
        _ => (EventKind::RevisionQueued, "accepted"),
    };
    let message = format!("a revision at {} was {word}", revision.commit.sha.short());
    let event = NewEvent::new(kind, message)
        .of(revision.id)
        .by(&revision.actor)
        .with("cause", revision.cause.as_str())
        .with("commit", revision.commit.sha.as_str());
    match &revision.image {
        Some(image) => event.with("imageRef", image.to_string()),
        None => event,
    }
}

/// Adds a warning for plain variables that are named like secrets.
pub(super) fn warn_secrets(change: RevisionChange, runtime: &RuntimeSpec) -> RevisionChange {
    let names: Vec<&str> = runtime.env.keys().filter(|n| n.looks_secret()).map(|n| n.as_str()).take(16).collect();
    if names.is_empty() {
        return change;
    }
    let message = "plain environment variables are named like secrets; use secretRefs";
    change.with_event(NewEvent::new(EventKind::ConfigEnvLooksSecret, message).with("names", names.join(",")))
}
