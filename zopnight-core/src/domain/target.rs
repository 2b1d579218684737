//! Where a deployment goes: space (cluster), namespace, release and image repository.

use serde::{Deserialize, Serialize};

use super::grammar::{bytes_of, rule, text_type};
use super::id::DeploymentId;
use super::image::ImageRepository;
use super::org::OrgId;
use crate::error::Result;

fn lower(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

text_type! {
    /// A cluster, named by the host: `[A-Za-z0-9_-]{1,64}`.
    SpaceId, "space id", |t| rule(
        bytes_of(t, 64, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
        "must be 1 to 64 of A-Z a-z 0-9 _ -",
    )
}
text_type! {
    /// A deployment's name: `[a-z](?:[a-z0-9-]{0,44}[a-z0-9])?`. Pod names get 17 more characters and stay within 63.
    AppName, "name", |t| rule(
        bytes_of(t, 46, lower) && t.starts_with(|c: char| c.is_ascii_lowercase()) && !t.ends_with('-'),
        "must be 1 to 46 of a-z 0-9 -, begin with a letter and not end with -",
    )
}
text_type! {
    /// A Kubernetes namespace: a DNS-1123 label of at most 63 characters, not `kube-*`.
    Namespace, "namespace", |t| {
        rule(bytes_of(t, 63, lower) && !t.starts_with('-') && !t.ends_with('-'), "must be a DNS label of at most 63 characters")?;
        rule(!t.starts_with("kube-"), "must not begin with kube-")
    }
}
text_type! {
    /// A Helm release's name, at most 53 characters (Helm's limit): `[a-z]([-a-z0-9]*[a-z0-9])?`.
    ReleaseName, "release name", |t| rule(
        bytes_of(t, 53, lower) && t.starts_with(|c: char| c.is_ascii_lowercase()) && !t.ends_with('-'),
        "must be 1 to 53 of a-z 0-9 -, begin with a letter and not end with -",
    )
}

impl ReleaseName {
    /// The name's first 40 characters without trailing `-`, `-`, and the last ten hex digits of the deployment's id.
    #[must_use]
    pub fn derive(name: &AppName, deployment: DeploymentId) -> Self {
        let head = name.as_str().get(..40).unwrap_or(name.as_str()).trim_end_matches('-');
        let id = deployment.as_uuid().simple().to_string();
        Self([head, "-", id.get(22..).unwrap_or_default()].concat().into())
    }
}

/// What the tenant directory granted one deployment. The image repository belongs to it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The cluster.
    pub space: SpaceId,
    /// The namespace in it.
    pub namespace: Namespace,
    /// Where its images, and no others, lie.
    pub image_repository: ImageRepository,
}

/// What the tenant directory is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRequest {
    /// Who asks.
    pub org: OrgId,
    /// For which deployment.
    pub deployment: DeploymentId,
    /// Its name.
    pub name: AppName,
    /// The cluster it names.
    pub space: SpaceId,
    /// The namespace it names; `None` = the grant's default.
    pub namespace: Option<Namespace>,
}

/// A release in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReleaseRef {
    /// The tenant.
    pub org: OrgId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The cluster.
    pub space: SpaceId,
    /// The namespace.
    pub namespace: Namespace,
    /// The release's name.
    pub release: ReleaseName,
}

impl ReleaseRef {
    /// The release of a deployment.
    #[must_use]
    pub fn of(org: &OrgId, deployment: DeploymentId, name: &AppName, target: &Target) -> Self {
        Self {
            org: org.clone(),
            deployment,
            space: target.space.clone(),
            namespace: target.namespace.clone(),
            release: ReleaseName::derive(name, deployment),
        }
    }
}

/// A template such as `registry.test/{org}/{name}` or `zn-{org}` with its placeholders filled in.
///
/// `{org}` becomes [`OrgId::label`], `{name}` the deployment's name, `{deployment}` its id.
#[must_use]
pub fn fill_template(template: &str, org: &OrgId, name: &AppName, deployment: DeploymentId) -> String {
    template.replace("{org}", &org.label()).replace("{name}", name.as_str()).replace("{deployment}", &deployment.to_string())
}

/// Checks an image template: a registry, `{org}` and one of `{name}` or `{deployment}`, each a whole path component.
///
/// # Errors
/// `Invalid`, naming the rule that was broken.
pub fn check_image_template(template: &str) -> Result<()> {
    let mut parts = template.split('/');
    let registry = parts.next().unwrap_or_default();
    let parts: Vec<&str> = parts.collect();
    let whole = |p: &str| parts.contains(&p);
    let stray = parts.iter().any(|p| p.contains(['{', '}']) && !["{org}", "{name}", "{deployment}"].contains(p));
    let ok = !registry.contains('{') && !stray && whole("{org}") && (whole("{name}") || whole("{deployment}"));
    let org = OrgId::parse("o")?;
    let filled = fill_template(template, &org, &AppName::parse("n")?, DeploymentId::from_uuid(uuid::Uuid::nil()));
    if ok && ImageRepository::parse(&filled).is_ok() {
        return Ok(());
    }
    Err(super::grammar::refuse(
        "image template",
        "must be registry/path with {org} and {name} or {deployment}, each a whole path component",
        template,
    ))
}
