//! Small schemas: text, numbers, and the words of each enumeration.

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

use crate::domain::{ActorKind, BuildMode, DeploymentStatus, LogSource, RevisionState, RolloutStatus};
use crate::pipeline::WebhookOutcome;

pub(super) fn text() -> Object {
    Object::with_type(Type::String)
}

/// Text of at most so many characters, at least one.
pub(super) fn short(max: usize) -> Object {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(max)).build()
}

pub(super) fn uuid() -> Object {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned()))).build()
}

/// A whole number within bounds.
pub(super) fn number(min: u32, max: Option<u32>) -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(max).build()
}

pub(super) fn one_of(words: &[&str]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.to_vec())).build()
}

pub(in crate::http) fn deployment_status() -> Object {
    use DeploymentStatus::{Deleting, Failed, Failing, Live, Pending, Updating};
    one_of(&[Pending, Live, Updating, Failing, Failed, Deleting].map(DeploymentStatus::as_str))
}

pub(in crate::http) fn build_mode() -> Object {
    one_of(&[BuildMode::Auto, BuildMode::Dockerfile, BuildMode::Railpack].map(BuildMode::as_str))
}

pub(in crate::http) fn revision_state() -> Object {
    one_of(&RevisionState::ALL.map(RevisionState::as_str))
}

pub(in crate::http) fn build_status() -> Object {
    one_of(&["queued", "building", "succeeded", "failed", "cancelled", "timed_out", "skipped"])
}

pub(in crate::http) fn rollout_status() -> Object {
    use RolloutStatus::{Failed, None, Progressing, Ready, RolledBack};
    let words =
        [None, Progressing, Ready, Failed, RolledBack].map(|status| serde_json::to_value(status).unwrap_or_default());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

pub(in crate::http) fn cause() -> Object {
    one_of(&["create", "push", "redeploy", "config_change", "rollback"])
}

pub(in crate::http) fn actor() -> Object {
    use ActorKind::{Service, System, User, Webhook};
    one_of(&[User, Service, Webhook, System].map(ActorKind::as_str))
}

pub(in crate::http) fn log_source() -> Object {
    one_of(&[LogSource::Build, LogSource::Rollout].map(LogSource::as_str))
}

pub(in crate::http) fn exposed() -> Object {
    one_of(&["ingress", "service", "none"])
}

pub(in crate::http) fn outcome() -> Object {
    use WebhookOutcome::{Accepted, Duplicate, Ignored, Pong};
    one_of(&[Pong, Accepted, Duplicate, Ignored].map(WebhookOutcome::as_str))
}

/// A time.
pub(in crate::http) fn time() -> Object {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build()
}

pub(super) fn report() -> Object {
    one_of(&["succeeded", "failed", "cancelled"])
}

pub(super) fn port_kind() -> Object {
    one_of(&["http", "grpc", "metrics", "admin", "debug", "tcp"])
}

pub(super) fn confidence() -> Object {
    one_of(&["none", "low", "medium", "high"])
}

pub(super) fn severity() -> Object {
    one_of(&["error", "warning", "info"])
}

pub(super) fn evidence() -> Object {
    one_of(&[
        "language",
        "framework",
        "port",
        "healthPath",
        "dockerfile",
        "buildContext",
        "startCommand",
        "needsPort",
        "livenessPath",
    ])
}
