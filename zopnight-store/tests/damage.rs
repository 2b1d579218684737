//! Rows that no port can bring about: of a later release, broken, or blocked for no reason.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::{Budget, ClaimRequest, JobState, Lane, Lease, Maintained, Want, WorkerId};
use zopnight_core::ports::JobQueue as _;
use zopnight_core::testing::fakes::ManualClock;
use zopnight_core::testing::suites::fixtures;
use zopnight_store::testing::{Damage, damage, peek, with_clock};
use zopnight_store::{SqliteStore, StoreOptions};

async fn store() -> (SqliteStore, Arc<ManualClock>) {
    let clock = ManualClock::new(fixtures::start());
    let store = SqliteStore::connect("sqlite::memory:", StoreOptions::default()).await.expect("a store");
    (with_clock(store, Arc::<ManualClock>::clone(&clock)), clock)
}

async fn claim(store: &SqliteStore, lane: Lane) -> Vec<Lease> {
    let worker = WorkerId::parse("w").expect("a worker id");
    let want = vec![Want { lane, max: 10 }];
    store.claim(&ClaimRequest { worker, want, lease: Duration::from_secs(60) }).await.expect("claimed")
}

async fn maintain(store: &SqliteStore) -> Maintained {
    store.maintain(&Budget { time: Duration::from_secs(60), purge: false }).await.expect("housekeeping")
}

#[tokio::test]
async fn claim_unknown_kind_is_delayed() {
    for how in [Damage::UnknownKind, Damage::NewerPayload] {
        let (store, clock) = store().await;
        let org = fixtures::org("acme");
        let jobs = [fixtures::plain_job(&org), fixtures::plain_job(&org)];
        store.enqueue(jobs.to_vec()).await.unwrap();
        damage(&store, jobs[0].id, how).await.unwrap();
        let leases = claim(&store, Lane::Build).await;
        assert_eq!(leases.iter().map(|l| l.id).collect::<Vec<_>>(), [jobs[1].id]);
        assert_eq!(maintain(&store).await.promoted, 0);
        clock.advance(Duration::from_secs(61));
        assert_eq!(maintain(&store).await.promoted, 1);
    }
}

#[tokio::test]
async fn claim_bad_row_is_parked() {
    let (store, _clock) = store().await;
    let org = fixtures::org("acme");
    let jobs = [fixtures::plain_job(&org), fixtures::plain_job(&org), fixtures::plain_job(&org)];
    store.enqueue(jobs.to_vec()).await.unwrap();
    damage(&store, jobs[1].id, Damage::BadSerialKey).await.unwrap();
    let leases = claim(&store, Lane::Build).await;
    assert_eq!(leases.iter().map(|l| l.id).collect::<Vec<_>>(), [jobs[0].id, jobs[2].id]);
    let parked = store.parked(&jobs[1].scope).await.unwrap();
    assert_eq!(parked.iter().map(|p| (p.id, p.error.code())).collect::<Vec<_>>(), [(jobs[1].id, "store_corrupt")]);
    assert!(parked[0].error.message().contains("serial_key"), "{:?}", parked[0].error);
    assert!(!parked[0].error.message().contains("not a key"), "the value is not told");
}

#[tokio::test]
async fn mend_finds_orphan() {
    let (store, _clock) = store().await;
    let org = fixtures::org("acme");
    let job = fixtures::teardown_job(&org, fixtures::deployment_id());
    store.enqueue(vec![job.clone()]).await.unwrap();
    damage(&store, job.id, Damage::Orphan).await.unwrap();
    assert!(claim(&store, Lane::Deploy).await.is_empty());
    assert_eq!(maintain(&store).await.mended, 1);
    assert_eq!(peek(&store).await.unwrap().job(job.id).unwrap().state, JobState::Ready);
    assert_eq!(maintain(&store).await.mended, 0);
}
