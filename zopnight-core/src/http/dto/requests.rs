//! What bodies ask for, read with every fault noted.

use serde_json::Value;

use crate::domain::{
    AppName, BranchName, BuildMode, BuildSpec, CommitSha, Deployment, EnvName, HealthPath, IntegrationId, Namespace,
    OwnerName, Port, Quantity, Replicas, RepoName, RepoPath, RepoRef, Resources, RevisionId, RevisionNumber, RuntimeSpec,
    SecretKey, SecretName, SecretRef, SpaceId,
};
use crate::error::Result;
use crate::http::fields::{Faults, Fields, Given, Rule};
use crate::http::parse::{boolean, narrow, one_of, text, variables};
use crate::pipeline::{AnalyzeQuery, ConfigChange, DeploymentSpec, RedeployRequest, RollbackTo, SourceSpec};

/// The body of `POST /deployments`.
///
/// # Errors
/// `Invalid` with a detail for each bad field.
pub(in crate::http) fn create(body: Value) -> Result<DeploymentSpec> {
    let mut faults = Faults::default();
    let mut fields = Fields::body(body, &mut faults);
    let name = fields.required("name", &mut faults, text(AppName::parse));
    let source = source(fields.object("source", &mut faults), &mut faults);
    let build = build(fields.object("build", &mut faults), BuildSpec::default(), &mut faults);
    let runtime = runtime(fields.object("runtime", &mut faults), RuntimeSpec::default(), &mut faults);
    let mut target = fields.object("target", &mut faults);
    let space = target.required("spaceID", &mut faults, text(SpaceId::parse));
    let namespace = target.optional("namespace", &mut faults, text(Namespace::parse));
    target.finish(&mut faults);
    fields.finish(&mut faults);
    let spec = name.zip(source).zip(space);
    faults.unless(spec.map(|((name, source), space)| DeploymentSpec { name, source, build, runtime, space, namespace }))
}

fn source(mut fields: Fields, faults: &mut Faults) -> Option<SourceSpec> {
    let repo = repo(&mut fields, faults);
    let branch = fields.optional("branch", faults, text(BranchName::parse));
    let root_path = fields.optional("rootPath", faults, text(RepoPath::parse)).unwrap_or_else(RepoPath::root);
    let auto_deploy = fields.optional("autoDeploy", faults, boolean).unwrap_or(true);
    fields.finish(faults);
    let RepoRef { integration, owner, name, .. } = repo?;
    Some(SourceSpec { integration, owner, repo: name, branch, root_path, auto_deploy })
}

/// `integrationID`, `owner` and `repo`, of a body or a query.
pub(in crate::http) fn repo(fields: &mut Fields, faults: &mut Faults) -> Option<RepoRef> {
    let integration = fields.required("integrationID", faults, text(IntegrationId::parse));
    let owner = fields.required("owner", faults, text(OwnerName::parse));
    let name = fields.required("repo", faults, text(RepoName::parse));
    let ((integration, owner), name) = integration.zip(owner).zip(name)?;
    Some(RepoRef { integration, owner, name, id: None })
}

/// The body of `POST /analyze`.
///
/// # Errors
/// `Invalid` with a detail for each bad field.
pub(in crate::http) fn analyze(body: Value) -> Result<AnalyzeQuery> {
    let mut faults = Faults::default();
    let mut fields = Fields::body(body, &mut faults);
    let repo = repo(&mut fields, &mut faults);
    let branch = fields.optional("branch", &mut faults, text(BranchName::parse));
    let root_path = fields.optional("rootPath", &mut faults, text(RepoPath::parse)).unwrap_or_else(RepoPath::root);
    fields.finish(&mut faults);
    faults.unless(repo.map(|repo| AnalyzeQuery { repo, branch, root_path }))
}

/// The body of `POST /deployments/{id}/analyze`: branch and root path, where they are not the deployment's own.
///
/// # Errors
/// `Invalid` with a detail for each bad field.
pub(in crate::http) fn analyze_deployment(body: Value) -> Result<(Option<BranchName>, Option<RepoPath>)> {
    let mut faults = Faults::default();
    let mut fields = Fields::body(body, &mut faults);
    let branch = fields.optional("branch", &mut faults, text(BranchName::parse));
    let root_path = fields.optional("rootPath", &mut faults, text(RepoPath::parse));
    fields.finish(&mut faults);
    faults.unless(Some((branch, root_path)))
}

/// A change of configuration as a body asks for it.
#[derive(Debug)]
pub(in crate::http) struct Wanted {
    pub(in crate::http) change: ConfigChange,
    /// The body named the version it is based on.
    pub(in crate::http) versioned: bool,
    /// `source.branch` is to be the repository's default branch.
    pub(in crate::http) default_branch: bool,
}

/// The body of `PATCH /deployments/{id}/configs`, applied to what is configured now.
///
/// # Errors
/// `Invalid` with a detail for each bad field.
pub(in crate::http) fn change(body: Value, now: &Deployment) -> Result<Wanted> {
    let mut faults = Faults::default();
    let mut fields = Fields::body(body, &mut faults);
    let version = fields.optional("configVersion", &mut faults, narrow::<u32>(0..=u64::from(u32::MAX)));
    let build_given = fields.object_if_given("build", &mut faults);
    let build = build_given.map(|given| build(given, now.build.clone(), &mut faults));
    let runtime_given = fields.object_if_given("runtime", &mut faults);
    let runtime = runtime_given.map(|given| runtime(given, now.runtime.clone(), &mut faults));
    let mut source = fields.object("source", &mut faults);
    let (mut branch, mut default_branch) = (None, false);
    match source.given("branch") {
        Given::Absent => {}
        Given::Null => default_branch = true,
        Given::Value(value) => branch = faults.note("source.branch", text(BranchName::parse)(value)),
    }
    let mut root_path = now.source.root_path.clone();
    source.setting("rootPath", &mut faults, &mut root_path, RepoPath::root(), text(RepoPath::parse));
    let mut auto_deploy = now.source.auto_deploy;
    source.setting("autoDeploy", &mut faults, &mut auto_deploy, true, boolean);
    source.finish(&mut faults);
    fields.finish(&mut faults);
    let change = ConfigChange {
        config_version: Some(version.unwrap_or(now.config_version)),
        branch,
        root_path: Some(root_path),
        auto_deploy: Some(auto_deploy),
        build,
        runtime,
    };
    faults.unless(Some(Wanted { change, versioned: version.is_some(), default_branch }))
}

/// `base` with what `fields` say.
fn build(mut fields: Fields, base: BuildSpec, faults: &mut Faults) -> BuildSpec {
    let (mut build, default) = (base, BuildSpec::default());
    let modes = [("auto", BuildMode::Auto), ("dockerfile", BuildMode::Dockerfile), ("railpack", BuildMode::Railpack)];
    fields.setting("mode", faults, &mut build.mode, default.mode, one_of(&modes));
    fields.setting("dockerfile", faults, &mut build.dockerfile, None, some(text(RepoPath::parse)));
    fields.setting("args", faults, &mut build.args, default.args, variables);
    fields.setting("timeoutSeconds", faults, &mut build.timeout_seconds, default.timeout_seconds, narrow(60..=14_400));
    for (field, rule) in build.faults() {
        faults.add(fields.name(field), rule);
    }
    fields.finish(faults);
    build
}

/// `base` with what `fields` say.
fn runtime(mut fields: Fields, base: RuntimeSpec, faults: &mut Faults) -> RuntimeSpec {
    let (mut runtime, default) = (base, RuntimeSpec::default());
    fields.setting("port", faults, &mut runtime.port, None, some(port));
    fields.setting("portEnv", faults, &mut runtime.port_env, default.port_env, text(EnvName::parse));
    fields.setting("healthPath", faults, &mut runtime.health_path, None, some(text(HealthPath::parse)));
    fields.setting("livenessPath", faults, &mut runtime.liveness_path, None, some(text(HealthPath::parse)));
    fields.setting("env", faults, &mut runtime.env, default.env, variables);
    secret_refs(&mut fields, &mut runtime, faults);
    replicas(&mut fields, &mut runtime, faults);
    resources(&mut fields, &mut runtime, faults);
    for (field, rule) in runtime.faults() {
        faults.add(fields.name(field), rule);
    }
    fields.finish(faults);
    runtime
}

fn some<T>(parse: impl FnOnce(Value) -> Rule<T>) -> impl FnOnce(Value) -> Rule<Option<T>> {
    move |value| parse(value).map(Some)
}

fn port(value: Value) -> Rule<Port> {
    Port::new(narrow::<u16>(1..=65_535)(value)?).map_err(|error| error.message().to_owned())
}

fn secret_refs(fields: &mut Fields, runtime: &mut RuntimeSpec, faults: &mut Faults) {
    let path = fields.name("secretRefs");
    let items = match fields.given("secretRefs") {
        Given::Absent => return,
        Given::Null => Vec::new(),
        Given::Value(Value::Array(items)) => items,
        Given::Value(_) => return faults.add(path, "must be an array"),
    };
    let mut refs = Vec::with_capacity(items.len().min(64));
    for (at, item) in items.into_iter().enumerate() {
        let mut item = Fields::element(format!("{path}[{at}]"), item, faults);
        let name = item.required("name", faults, text(EnvName::parse));
        let secret = item.required("secretName", faults, text(SecretName::parse));
        let key = item.required("key", faults, text(SecretKey::parse));
        item.finish(faults);
        refs.extend(name.zip(secret).zip(key).map(|((name, secret), key)| SecretRef { name, secret, key }));
    }
    runtime.secret_refs = refs;
}

fn replicas(fields: &mut Fields, runtime: &mut RuntimeSpec, faults: &mut Faults) {
    let default = Replicas::default();
    let Some(mut given) = nested(fields, "replicas", faults, &mut runtime.replicas, default) else { return };
    given.setting("min", faults, &mut runtime.replicas.min, default.min, narrow(0..=100));
    given.setting("max", faults, &mut runtime.replicas.max, default.max, narrow(0..=100));
    given.finish(faults);
}

fn resources(fields: &mut Fields, runtime: &mut RuntimeSpec, faults: &mut Faults) {
    let default = Resources::default();
    let Some(mut given) = nested(fields, "resources", faults, &mut runtime.resources, default) else { return };
    let r = &mut runtime.resources;
    let members = [
        ("cpuRequest", &mut r.cpu_request),
        ("cpuLimit", &mut r.cpu_limit),
        ("memoryRequest", &mut r.memory_request),
        ("memoryLimit", &mut r.memory_limit),
    ];
    for (name, setting) in members {
        given.setting(name, faults, setting, None, some(text(Quantity::parse)));
    }
    given.finish(faults);
}

/// The members of an object inside a setting; `null` makes it the default.
fn nested<T>(fields: &mut Fields, key: &str, faults: &mut Faults, setting: &mut T, default: T) -> Option<Fields> {
    let path = fields.name(key);
    match fields.given(key) {
        Given::Absent => None,
        Given::Null => {
            *setting = default;
            None
        }
        Given::Value(value) => Some(Fields::element(path, value, faults)),
    }
}

/// The body of `POST /deployments/{id}/revisions`.
///
/// # Errors
/// `Invalid` with a detail for each bad field.
pub(in crate::http) fn redeploy(body: Value) -> Result<RedeployRequest> {
    let mut faults = Faults::default();
    let mut fields = Fields::body(body, &mut faults);
    let commit = fields.optional("commitSHA", &mut faults, text(CommitSha::parse));
    let reuse_image = fields.optional("reuseImage", &mut faults, boolean).unwrap_or(false);
    if commit.is_some() && reuse_image {
        faults.add("reuseImage", "cannot be true together with commitSHA");
    }
    fields.finish(&mut faults);
    faults.unless(Some(RedeployRequest { commit, reuse_image }))
}

/// The body of `POST /deployments/{id}/rollback`.
///
/// # Errors
/// `Invalid` with a detail for each bad field.
pub(in crate::http) fn rollback(body: Value) -> Result<RollbackTo> {
    let mut faults = Faults::default();
    let mut fields = Fields::body(body, &mut faults);
    let revision = fields.optional("revisionID", &mut faults, text(RevisionId::parse));
    let number = fields.optional("number", &mut faults, |value| {
        RevisionNumber::new(narrow(1..=0x7FFF_FFFF)(value)?).map_err(|error| error.message().to_owned())
    });
    if revision.is_some() && number.is_some() {
        faults.add("number", "cannot be given together with revisionID");
    }
    fields.finish(&mut faults);
    let by_number = number.map_or(RollbackTo::Previous, RollbackTo::Number);
    faults.unless(Some(revision.map_or(by_number, RollbackTo::Revision)))
}

/// The body of a route that takes none: `{}` at most.
///
/// # Errors
/// `Invalid` with a detail for each field.
pub(in crate::http) fn nothing(body: Value) -> Result<()> {
    let mut faults = Faults::default();
    Fields::body(body, &mut faults).finish(&mut faults);
    faults.unless(Some(()))
}
