//! A tenant directory of plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;

use crate::domain::{
    ImageRepository, IntegrationId, Namespace, OrgId, SpaceId, Target, TargetRequest, check_image_template, fill_template,
};
use crate::error::{Error, Result};
use crate::ports::TenantDirectory;

/// Most integrations of one tenant that are answered.
const MAX_INTEGRATIONS: usize = 100;

/// Which namespaces of a space a tenant may use. Other namespaces of it, and `kube-*` always, stay closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceGrant {
    default: DefaultNamespace,
    others: BTreeSet<Namespace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DefaultNamespace {
    Named(Namespace),
    Template(Box<str>),
}

impl SpaceGrant {
    /// This namespace, which is also the default.
    #[must_use]
    pub const fn namespace(default: Namespace) -> Self {
        Self { default: DefaultNamespace::Named(default), others: BTreeSet::new() }
    }

    /// One namespace for each tenant, made from a template such as `zn-{org}`, where `{org}` becomes
    /// [`OrgId::label`]. It is the only placeholder, so that two tenants never get one namespace.
    ///
    /// # Errors
    /// `Invalid` if `{org}` does not occur exactly once, there is another placeholder, or the filled-in text could be no
    /// namespace of at most 63 characters for every tenant.
    pub fn template(template: &str) -> Result<Self> {
        let literal = template.replacen("{org}", "", 1);
        let longest = template.replacen("{org}", &"o".repeat(40), 1);
        if literal == template || literal.contains(['{', '}']) || Namespace::parse(&longest).is_err() {
            let rule = "must hold {org} once, no other placeholder, and room for 40 characters in its place";
            return Err(Error::invalid("tenants.template", format!("namespace template: {rule}")).with("field", "namespace"));
        }
        Ok(Self { default: DefaultNamespace::Template(template.into()), others: BTreeSet::new() })
    }

    /// And this one, when it is asked for by name.
    #[must_use]
    pub fn and_namespace(mut self, namespace: Namespace) -> Self {
        self.others.insert(namespace);
        self
    }

    fn default_for(&self, org: &OrgId) -> Result<Namespace> {
        match &self.default {
            DefaultNamespace::Named(namespace) => Ok(namespace.clone()),
            DefaultNamespace::Template(template) => Namespace::parse(&template.replacen("{org}", &org.label(), 1)),
        }
    }
}

#[derive(Debug, Default)]
struct Grants {
    integrations: BTreeSet<IntegrationId>,
    spaces: BTreeMap<SpaceId, SpaceGrant>,
}

/// A [`TenantDirectory`] of plain data in memory. Grants may be given and withdrawn while it is in use; the pipeline asks
/// again before each dispatch and each deploy, so that a withdrawal counts at once.
///
/// ```
/// use zopnight_core::StaticTenants;
/// use zopnight_core::domain::{IntegrationId, Namespace, OrgId, SpaceId};
/// use zopnight_core::tenants::SpaceGrant;
///
/// # fn main() -> zopnight_core::Result<()> {
/// let tenants = StaticTenants::new("registry.example.test/{org}/{name}")?;
/// let acme = OrgId::parse("acme")?;
/// tenants.grant_integration(&acme, IntegrationId::parse("gh-acme")?);
/// tenants.grant_space(&acme, SpaceId::parse("prod")?, SpaceGrant::template("zn-{org}")?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StaticTenants {
    images: Box<str>,
    orgs: RwLock<BTreeMap<OrgId, Grants>>,
}

impl StaticTenants {
    /// A directory without tenants. `images` is the template of image repositories, such as
    /// `registry.example.test/{org}/{name}`: a registry, `{org}`, and `{name}` or `{deployment}`, each a whole path
    /// component.
    ///
    /// # Errors
    /// `Invalid` for another template.
    pub fn new(images: &str) -> Result<Self> {
        check_image_template(images)?;
        Ok(Self { images: images.into(), orgs: RwLock::default() })
    }

    /// The tenant connected this integration. Only the first 100 by id are answered.
    pub fn grant_integration(&self, org: &OrgId, integration: IntegrationId) {
        self.write().entry(org.clone()).or_default().integrations.insert(integration);
    }

    /// The tenant no longer has this integration.
    pub fn withdraw_integration(&self, org: &OrgId, integration: &IntegrationId) {
        if let Some(grants) = self.write().get_mut(org) {
            grants.integrations.remove(integration);
        }
    }

    /// The tenant may use this space as granted; replaces an earlier grant of it.
    pub fn grant_space(&self, org: &OrgId, space: SpaceId, grant: SpaceGrant) {
        self.write().entry(org.clone()).or_default().spaces.insert(space, grant);
    }

    /// The tenant may no longer use this space.
    pub fn withdraw_space(&self, org: &OrgId, space: &SpaceId) {
        if let Some(grants) = self.write().get_mut(org) {
            grants.spaces.remove(space);
        }
    }

    /// The tenant loses everything.
    pub fn withdraw_org(&self, org: &OrgId) {
        self.write().remove(org);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<OrgId, Grants>> {
        self.orgs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<OrgId, Grants>> {
        self.orgs.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn namespace(&self, request: &TargetRequest) -> Result<Namespace> {
        // One text for unknown, foreign and not granted, so that nobody learns what others have.
        let unknown = || {
            let message = "the space does not exist or the namespace is not open in it";
            Error::not_found("tenants.target", "space_not_found", message).with("field", "space")
        };
        let orgs = self.read();
        let grant = orgs.get(&request.org).and_then(|g| g.spaces.get(&request.space)).ok_or_else(unknown)?;
        let default = grant.default_for(&request.org)?;
        match &request.namespace {
            None => Ok(default),
            Some(asked) if *asked == default || grant.others.contains(asked) => Ok(asked.clone()),
            Some(_) => Err(unknown()),
        }
    }
}

#[async_trait]
impl TenantDirectory for StaticTenants {
    async fn integrations(&self, org: &OrgId) -> Result<Vec<IntegrationId>> {
        let orgs = self.read();
        Ok(orgs.get(org).map_or_else(Vec::new, |g| g.integrations.iter().take(MAX_INTEGRATIONS).cloned().collect()))
    }

    async fn target(&self, request: &TargetRequest) -> Result<Target> {
        let namespace = self.namespace(request)?;
        let repository = fill_template(&self.images, &request.org, &request.name, request.deployment);
        Ok(Target { space: request.space.clone(), namespace, image_repository: ImageRepository::parse(&repository)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AppName, DeploymentId, Timestamp};
    use crate::error::ErrorKind;

    fn org(id: &str) -> OrgId {
        OrgId::parse(id).unwrap()
    }

    fn request(id: &str, space: &str, namespace: Option<&str>) -> TargetRequest {
        TargetRequest {
            org: org(id),
            deployment: DeploymentId::new(Timestamp::from_secs(1), [1; 10]),
            name: AppName::parse("shop").unwrap(),
            space: SpaceId::parse(space).unwrap(),
            namespace: namespace.map(|n| Namespace::parse(n).unwrap()),
        }
    }

    fn tenants() -> StaticTenants {
        let tenants = StaticTenants::new("registry.test/apps/{org}/{name}").unwrap();
        let grant = SpaceGrant::template("zn-{org}").unwrap().and_namespace(Namespace::parse("extra").unwrap());
        tenants.grant_space(&org("acme"), SpaceId::parse("prod").unwrap(), grant);
        let named = SpaceGrant::namespace(Namespace::parse("bolt-apps").unwrap());
        tenants.grant_space(&org("bolt"), SpaceId::parse("edge").unwrap(), named);
        tenants
    }

    #[tokio::test]
    async fn grants_what_was_granted_and_allots_the_repository() {
        let tenants = tenants();
        let target = tenants.target(&request("acme", "prod", None)).await.unwrap();
        assert_eq!(target.namespace.as_str(), "zn-acme");
        assert_eq!(target.image_repository.as_str(), "registry.test/apps/acme/shop");
        for named in ["zn-acme", "extra"] {
            let target = tenants.target(&request("acme", "prod", Some(named))).await.unwrap();
            assert_eq!(target.namespace.as_str(), named);
        }
        let target = tenants.target(&request("bolt", "edge", None)).await.unwrap();
        assert_eq!(target.namespace.as_str(), "bolt-apps");
    }

    #[tokio::test]
    async fn unknown_and_foreign_and_closed_look_alike() {
        let tenants = tenants();
        let mut seen = BTreeSet::new();
        for (id, space, namespace) in [
            ("acme", "edge", None),            // bolt's
            ("acme", "nowhere", None),         // nobody's
            ("ghost", "prod", None),           // no such tenant
            ("acme", "prod", Some("default")), // not granted
        ] {
            let error = tenants.target(&request(id, space, namespace)).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("space_not_found")));
            seen.insert(error.to_string());
        }
        assert_eq!(seen.len(), 1);
    }

    #[tokio::test]
    async fn a_withdrawal_counts_at_once() {
        let tenants = tenants();
        let (acme, integration) = (org("acme"), IntegrationId::parse("gh").unwrap());
        tenants.grant_integration(&acme, integration.clone());
        tenants.grant_integration(&acme, IntegrationId::parse("a").unwrap());
        let ids: Vec<_> = tenants.integrations(&acme).await.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["a", "gh"]);
        tenants.withdraw_integration(&acme, &integration);
        assert_eq!(tenants.integrations(&acme).await.unwrap().len(), 1);
        assert!(tenants.integrations(&org("bolt")).await.unwrap().is_empty());
        tenants.withdraw_space(&acme, &SpaceId::parse("prod").unwrap());
        assert!(tenants.target(&request("acme", "prod", None)).await.is_err());
    }

    #[tokio::test]
    async fn two_tenants_never_share_a_text() {
        let tenants = StaticTenants::new("registry.test/{org}/{name}").unwrap();
        let mut seen = BTreeSet::new();
        let ids = ["acme", "ACME", "acme.x", "acme-x", "acme--x", "x-acme", "a:b", "a_b", "a.b", "x-1"];
        for id in ids {
            let space = SpaceId::parse("s").unwrap();
            tenants.grant_space(&org(id), space, SpaceGrant::template("zn-{org}").unwrap());
            let target = tenants.target(&request(id, "s", None)).await.unwrap();
            seen.insert(target.namespace.to_string());
            seen.insert(target.image_repository.to_string());
        }
        assert_eq!(seen.len(), ids.len() * 2);
    }

    #[test]
    fn templates_are_checked_when_made() {
        for bad in ["zn", "zn-{org}-{name}", "{org}{org}", "kube-{org}", "Zn-{org}", "a-name-that-leaves-no-room-{org}"] {
            assert!(SpaceGrant::template(bad).is_err(), "{bad}");
        }
        for bad in ["registry.test/{name}", "registry.test/{org}", "registry.test/a{org}/{name}", "{org}/{name}", ""] {
            assert!(StaticTenants::new(bad).is_err(), "{bad}");
        }
    }
}
