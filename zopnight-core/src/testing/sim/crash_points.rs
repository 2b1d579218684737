//! Every store call of a path, with every fault: the end is always the same.

use std::sync::Arc;

use async_trait::async_trait;

use super::crash::{CrashStore, Fault};
use super::invariants::check_at_rest;
use super::world::World;
use crate::domain::{Delivery, DeploymentId, RevisionQuery, RevisionSort, RevisionState};
use crate::error::Retry;
use crate::pipeline::Pipeline;
use crate::ports::{JobQueue, Store};
use crate::testing::fakes::ManualClock;

/// Makes an empty store and the clock that drives it.
#[async_trait]
pub trait FreshStore: Send + Sync {
    /// A new one, sharing nothing with those before.
    async fn fresh(&self) -> (Arc<dyn Store>, Arc<ManualClock>);
}

/// Runs the path from a push to its serving revision once without a fault, then once for each store call with `fault` at it; where the
/// process is killed, another one goes on. Each run must end as the first one did. Answers how many runs that were.
///
/// # Panics
/// If one of them ends otherwise.
pub async fn push_to_live(stores: &dyn FreshStore, fault: Fault) -> u64 {
    let clean = run(stores, None).await;
    assert_eq!(clean.states, [RevisionState::Succeeded; 2], "without a fault the push is live");
    let mut runs = 0;
    for at in 0..clean.calls {
        let ended = run(stores, Some((at, fault))).await;
        assert_eq!(ended.states, clean.states, "{fault:?} at call {at} of {} ends otherwise", clean.calls);
        runs += 1;
    }
    runs
}

struct Ended {
    states: Vec<RevisionState>,
    calls: u64,
}

async fn run(stores: &dyn FreshStore, fault: Option<(u64, Fault)>) -> Ended {
    let (store, clock) = stores.fresh().await;
    let world = World::new(store, clock);
    let before = world.pipeline();
    let id = world.create(&before, "checkout").await.deployment.deployment.id;
    world.settle(&before).await;
    let delivery = world.forge.push(&world.repo, "main", &[("Dockerfile", "FROM scratch\n"), ("text", "two")]);
    let handle = match fault {
        None => CrashStore::counting(Arc::clone(&world.store)),
        Some((at, fault)) => CrashStore::at(Arc::clone(&world.store), at, fault),
    };
    let survived = {
        let first: Arc<dyn Store> = Arc::<CrashStore>::clone(&handle);
        let pipeline = world.pipeline_on(Arc::clone(&first));
        let process = live(&world, first, &pipeline, &delivery);
        tokio::select! {
            () = process => true,
            () = handle.died() => false,
        }
    };
    if let Some((at, fault)) = fault {
        assert!(handle.has_struck(), "there was no call {at}");
        assert_eq!(survived, matches!(fault, Fault::Error | Fault::Lost), "{fault:?} at call {at}");
    }
    if !survived {
        // A restart, and the forge's redelivery of what was never answered.
        let second: Arc<dyn Store> = Arc::clone(&world.store);
        live(&world, second, &world.pipeline(), &delivery).await;
    }
    check_at_rest(&world, id).await;
    Ended { states: states(&world, id).await, calls: handle.calls() }
}

/// One process: takes the webhook in, then works until nothing is left.
async fn live(world: &World, queue: Arc<dyn JobQueue>, pipeline: &Pipeline, delivery: &Delivery) {
    loop {
        match pipeline.push(delivery).await {
            Ok(_) => break,
            Err(error) => assert_ne!(error.retry(), Retry::Never, "{error:?}"),
        }
    }
    world.settle_on(queue, pipeline).await;
}

async fn states(world: &World, id: DeploymentId) -> Vec<RevisionState> {
    let query = RevisionQuery { sort: RevisionSort::NumberAscending, ..RevisionQuery::default() };
    let page = world.store.revisions(&world.org, id, &query).await.expect("the store answers");
    page.items.into_iter().map(|r| r.revision.state).collect()
}
