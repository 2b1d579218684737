//! Concurrent build callbacks through the pipeline, on SQLite.

use std::sync::Arc;

use zopnight_core::domain::{EventKind, Timestamp};
use zopnight_core::ports::{Clock, Store};
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::sim::{Builder, World};
use zopnight_store::testing::with_clock;
use zopnight_store::{SqliteStore, StoreOptions};

#[tokio::test]
async fn a_hundred_identical_callbacks_make_one_transition_and_one_deploy() {
    let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
    let store = SqliteStore::connect("sqlite::memory:", StoreOptions::default()).await.expect("a store in memory");
    let driven: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let store: Arc<dyn Store> = Arc::new(with_clock(store, driven));
    let world = World::new(Arc::clone(&store), clock);
    let pipeline = world.pipeline();
    let id = world.create(&pipeline, "checkout").await.deployment.deployment.id;
    world.worker(store, &pipeline).drain_once().await;
    let request = world.dispatcher.last_request().expect("the build was dispatched");
    world.resolver.push_build(&request.image);
    let body = Builder::body(&request, "succeeded", Some(request.image.as_str()));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (pipeline, body) = (pipeline.clone(), body.clone());
            tokio::spawn(async move { pipeline.complete_build(request.revision, &body).await })
        })
        .collect();
    let mut replayed = 0;
    for call in calls {
        let done = call.await.expect("no panic").expect("every call is answered well");
        replayed += usize::from(done.replayed);
    }
    assert_eq!(replayed, 99);
    world.settle(&pipeline).await;
    let told = |kind| {
        let world = &world;
        async move { world.timeline(id).await.into_iter().filter(|e| e.kind == kind).count() }
    };
    assert_eq!(told(EventKind::RevisionBuilt).await, 1);
    assert_eq!(told(EventKind::RevisionDeploying).await, 1);
    assert_eq!(told(EventKind::DeployApplied).await, 1, "one deploy job ran");
}
