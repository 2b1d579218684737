//! ZopNight inside another program: put a pipeline together, deploy, print what happened.
//!
//! The store is the real one, in memory; forge, builder, registry and cluster are the fakes of the `testing` feature, which a
//! host replaces one by one.

use std::sync::Arc;

use zopnight_core::callback::{CallbackKey, CallbackKeys};
use zopnight_core::clock::SystemClock;
use zopnight_core::domain::{AppName, EventQuery, HttpsUrl, IntegrationId, Namespace, OrgId, Secret, SpaceId};
use zopnight_core::pipeline::{DeploymentSpec, Pipeline, RequestContext, SourceSpec};
use zopnight_core::tenants::SpaceGrant;
use zopnight_core::testing::fakes::{FakeApplier, FakeDispatcher, FakeForge, FakeResolver};
use zopnight_core::worker::Worker;
use zopnight_core::{Result, StaticTenants};
use zopnight_store::StoreOptions;

#[tokio::main]
async fn main() -> Result<()> {
    let (org, integration, space) = (OrgId::parse("acme")?, IntegrationId::parse("gh")?, SpaceId::parse("prod")?);
    let (forge, builder, registry) = (FakeForge::new(), FakeDispatcher::new(Arc::new(SystemClock)), FakeResolver::new());
    let repo = forge.create_repo(&integration, "acme/shop");
    forge.commit(&repo, "main", &[("Dockerfile", "FROM scratch\nCOPY shop /\nEXPOSE 8080\n"), ("shop", "")]);

    let tenants = StaticTenants::new("registry.example.test/{org}/{name}")?;
    tenants.grant_integration(&org, integration.clone());
    tenants.grant_space(&org, space.clone(), SpaceGrant::namespace(Namespace::parse("shop")?));
    let key = CallbackKey::from_secret(Secret::new(b"an example: use 32 or more random bytes".to_vec()))?;
    let keys = CallbackKeys::builder(key).public_url(HttpsUrl::parse("https://deploy.example.test")?).build()?;
    let store = zopnight_store::connect("sqlite::memory:", StoreOptions::default()).await?;
    let pipeline = Pipeline::builder(Arc::clone(&store) as _, Arc::new(tenants), forge)
        .builds(keys, Arc::<FakeDispatcher>::clone(&builder), Arc::<FakeResolver>::clone(&registry))
        .cluster(FakeApplier::new(Arc::new(SystemClock)))
        .build()?;
    let worker = Worker::builder(store, pipeline.clone()).build()?;

    let (owner, name) = (repo.owner.clone(), repo.name.clone());
    let spec = DeploymentSpec::new(AppName::parse("shop")?, SourceSpec::new(integration, owner, name), space);
    let made = pipeline.create_deployment(&RequestContext::new(org.clone()), &spec).await?;
    worker.drain_once().await;

    // The builder's part: it pushes the image and calls back with the token it was given.
    if let Some(request) = builder.last_request() {
        registry.push_build(&request.image);
        let token = request.callback_token.expose();
        let body = format!(r#"{{"jwt":"{token}","status":"succeeded","imageRef":"{}"}}"#, request.image);
        if let Err(refusal) = pipeline.complete_build(request.revision, body.as_bytes()).await {
            println!("the callback was refused: {}", refusal.as_str());
        }
    }
    worker.drain_once().await;

    let timeline = EventQuery { newest_first: false, ..EventQuery::default() };
    for event in pipeline.events(&org, made.deployment.deployment.id, &timeline).await?.items {
        println!("{:>2}  {:<22} {}", event.seq, event.kind.as_str(), event.message);
    }
    Ok(())
}
