//! A deployment's configuration changes.

use crate::domain::{
    Cause, CommitInfo, ConfigPatch, DeploymentId, DeploymentOp, DeploymentView, EventKind, Expect, NewEvent, NewRevision,
    RevisionChange, RevisionId, RuntimeSpec,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::repo_source::head;

use super::access::ours_to_mend;
use super::create::{check_faults, warn_secrets};
use super::decide::{Written, check_not_deleting, until_settled};
use super::plan::keep_filled;
use super::redeploy::again;
use super::{Accepted, ConfigChange, Pipeline, RequestContext};

impl Pipeline {
    /// Changes a deployment's configuration; what has an effect on what runs makes a revision.
    ///
    /// A change of the runtime alone, while the newest revision is the one that serves, reuses its image. A new branch is built
    /// at its head, anything else at the newest revision's commit. A change without effect makes no revision.
    ///
    /// # Errors
    /// `Invalid` with a detail for each bad field; `Conflict` (`config_version_conflict`, `deployment_deleting`,
    /// `idempotency_key_reused`); `NotFound`; `Unavailable`.
    pub async fn update_config(
        &self,
        request: &RequestContext,
        id: DeploymentId,
        wanted: &ConfigChange,
    ) -> Result<Accepted> {
        check_faults("deployment.configure", wanted.build.as_ref(), wanted.runtime.as_ref())?;
        if let Some(answer) = self.replayed(request).await? {
            return Ok(answer);
        }
        let revision = self.new_revision_id();
        until_settled("deployment.configure", async || {
            let view = self.store().deployment(&request.org, id).await?;
            check_not_deleting("deployment.configure", &view.deployment)?;
            if wanted.config_version.is_some_and(|v| v != view.deployment.config_version) {
                let message = "the configuration was changed meanwhile";
                return Err(Error::conflict("deployment.configure", "config_version_conflict", message));
            }
            let (patch, fields) = effective(&view, wanted);
            if fields.is_empty() {
                return self.accepted(&request.org, id, None, false).await.map(Some);
            }
            let new = self.configured(request, &view, &patch, revision).await?;
            let made = new.as_ref().map(|n| n.id);
            let mut change = match new {
                Some(new) => self.replacing(&view.deployment, new, request).await?,
                None => RevisionChange::new(request.org.clone(), id).with_idempotency(request.idempotency.clone()),
            };
            change.expect = Expect { config_version: Some(view.deployment.config_version), ..change.expect };
            if let Some(runtime) = &patch.runtime {
                change = warn_secrets(change, runtime);
            }
            let event = NewEvent::new(EventKind::DeploymentConfigChanged, "the configuration changed")
                .by(&request.actor)
                .with("fields", fields.join(","));
            change = change.with_deployment(DeploymentOp::Configure(Box::new(patch))).with_event(event);
            match self.write("deployment.configure", change).await? {
                Written::Committed => self.accepted(&request.org, id, made, false).await.map(Some),
                Written::Replayed(revision, id) => self.accepted(&request.org, id, revision, true).await.map(Some),
                Written::Stale => Ok(None),
            }
        })
        .await
    }

    /// The revision that a change of configuration needs, if it needs one.
    async fn configured(
        &self,
        request: &RequestContext,
        view: &DeploymentView,
        patch: &ConfigPatch,
        id: RevisionId,
    ) -> Result<Option<NewRevision>> {
        let rebuilt = patch.build.is_some() || patch.branch.is_some() || patch.root_path.is_some();
        if !rebuilt && patch.runtime.is_none() {
            return Ok(None);
        }
        let mut deployment = view.deployment.clone();
        if let Some(build) = &patch.build {
            deployment.build = build.clone();
        }
        if let Some(runtime) = &patch.runtime {
            deployment.runtime = runtime.clone();
        }
        let commit: CommitInfo = match &patch.branch {
            Some(branch) => {
                deployment.source.branch = branch.clone();
                self.check_integration(&request.org, &deployment.source.integration).await?;
                head(self.source(), &deployment.source.repo(), branch).await.map_err(ours_to_mend)?
            }
            None => view.newest.commit.clone(),
        };
        self.check_grant(&deployment, &deployment.target).await.map_err(not_granted)?;
        let reusable = !rebuilt && !opens(&view.deployment.runtime, &deployment.runtime);
        let serving = view.current.as_ref().filter(|c| reusable && c.id == view.newest.id);
        let image = serving.and_then(|c| c.image.clone());
        let mut new = again(&deployment, request, id, Cause::ConfigChange, commit, image);
        if let Some(current) = serving {
            keep_filled(&mut new.runtime, &current.runtime);
        }
        new.at_head = patch.branch.is_some();
        Ok(Some(new))
    }
}

/// Whether a setting is left open that was not: then only an analysis of the commit can fill it in.
fn opens(old: &RuntimeSpec, new: &RuntimeSpec) -> bool {
    let opened = |was: bool, is: bool| was && !is;
    opened(old.port.is_some(), new.port.is_some())
        || opened(old.health_path.is_some(), new.health_path.is_some())
        || opened(old.liveness_path.is_some(), new.liveness_path.is_some())
        || (old.port_env != new.port_env && new.port_env == RuntimeSpec::default().port_env)
}

/// A grant that is gone is for the host to mend, not a refusal of the caller.
fn not_granted(error: Error) -> Error {
    if error.kind() != ErrorKind::Forbidden {
        return error;
    }
    Error::conflict("deployment.configure", "target_not_granted", error.message().to_owned())
}

/// What of the wanted change differs from what is, and the names of those fields.
fn effective(view: &DeploymentView, wanted: &ConfigChange) -> (ConfigPatch, Vec<&'static str>) {
    fn differs<T: PartialEq + Clone>(wanted: Option<&T>, present: &T) -> Option<T> {
        wanted.filter(|w| *w != present).cloned()
    }
    let d = &view.deployment;
    let patch = ConfigPatch {
        branch: differs(wanted.branch.as_ref(), &d.source.branch),
        root_path: differs(wanted.root_path.as_ref(), &d.source.root_path),
        auto_deploy: differs(wanted.auto_deploy.as_ref(), &d.source.auto_deploy),
        build: differs(wanted.build.as_ref(), &d.build),
        runtime: differs(wanted.runtime.as_ref(), &d.runtime),
    };
    let named = [
        (patch.branch.is_some(), "source.branch"),
        (patch.root_path.is_some(), "source.rootPath"),
        (patch.auto_deploy.is_some(), "source.autoDeploy"),
        (patch.build.is_some(), "build"),
        (patch.runtime.is_some(), "runtime"),
    ];
    let fields = named.into_iter().filter(|(changed, _)| *changed).map(|(_, name)| name).collect();
    (patch, fields)
}
