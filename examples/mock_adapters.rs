//! Mocks of the ports (feature `mock`): for the one error that is hard to provoke otherwise.
//!
//! The fakes of the `testing` feature keep state and are the first choice; a mock says what one call answers. Here a tenant
//! has two connections to a forge, and the credential of one was revoked.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{ForgeId, IntegrationId, OrgId, OwnerName, RepoInfo, RepoName, RepositoryId};
use zopnight_core::pipeline::{Pipeline, RepositoriesAnswer, RepositoriesQuery};
use zopnight_core::ports::RepositoryPage;
use zopnight_core::ports::mock::MockRepoSource;
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::{Error, ErrorKind, Result, StaticTenants};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let answer = repositories(&["gh-live", "gh-revoked"]).await?;
    for listed in &answer.repositories {
        println!("{}: {}/{}", listed.integration, listed.repository.owner, listed.repository.name);
    }
    for (integration, code) in &answer.failures {
        println!("{integration}: {code}");
    }
    match repositories(&["gh-revoked"]).await {
        Ok(_) => println!("nothing failed"),
        Err(error) => println!("with no other connection: {} ({})", error.kind().as_str(), error.code_or_kind()),
    }
    Ok(())
}

/// What a tenant with these integrations is answered.
async fn repositories(integrations: &[&str]) -> Result<RepositoriesAnswer> {
    let org = OrgId::parse("acme")?;
    let tenants = StaticTenants::new("registry.example.test/{org}/{name}")?;
    for name in integrations {
        tenants.grant_integration(&org, IntegrationId::parse(name)?);
    }
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let pipeline = Pipeline::builder(store, Arc::new(tenants), Arc::new(half_revoked(shop()?))).build()?;
    let within = Duration::from_secs(5);
    pipeline
        .repositories(&org, &RepositoriesQuery { integration: None, contains: None, limit: 100, cursor: None, within })
        .await
}

/// A forge that lists `shop` for every integration but the revoked one, once each.
fn half_revoked(shop: RepoInfo) -> MockRepoSource {
    let mut source = MockRepoSource::new();
    source.expect_repositories().withf(|r| r.integration.as_str() == "gh-revoked").times(..=1).returning(|_| {
        Err(Error::new(ErrorKind::Unauthenticated, "forge.repositories", "bad credentials")
            .with("code", "integration_unauthorized"))
    });
    source
        .expect_repositories()
        .times(..=1)
        .returning(move |_| Ok(RepositoryPage { repositories: vec![shop.clone()], skipped: 0, next: None }));
    source
}

fn shop() -> Result<RepoInfo> {
    Ok(RepoInfo {
        forge: ForgeId::parse("github.com")?,
        id: RepositoryId::new(1)?,
        owner: OwnerName::parse("acme")?,
        name: RepoName::parse("shop")?,
        default_branch: None,
        private: true,
        archived: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_revoked_connection_does_not_hide_the_other() {
        let answer = repositories(&["gh-live", "gh-revoked"]).await.unwrap();
        assert_eq!(answer.repositories.len(), 1);
        let failed: Vec<_> = answer.failures.iter().map(|(i, code)| (i.as_str(), code.as_str())).collect();
        assert_eq!(failed, [("gh-revoked", "integration_unauthorized")]);
    }

    #[tokio::test]
    async fn our_credentials_are_never_the_caller_s_fault() {
        let error = repositories(&["gh-revoked"]).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, Some("integration_unauthorized")));
    }
}
