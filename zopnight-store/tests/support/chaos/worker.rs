//! The process that claims, beats, works and keeps house. It never abandons a lease: what it does under one that it has
//! lost must be refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use zopnight_core::domain::{Budget, ClaimRequest, Extended, Lane, Lease, LeaseRef, Want, WorkerId};
use zopnight_core::ports::Store;
use zopnight_core::{Error, ErrorKind};

use super::crash::Crash;
use super::database::{Scratch, open};
use super::handler;
use super::settings::{Orders, fatal};
use super::workload::Workload;
use crate::history::{History, Line, Op};

/// The least that a claim takes.
pub(super) const LEASE: Duration = Duration::from_secs(5);
const AT_ONCE: u32 = 30;
const LANES: [Lane; 3] = [Lane::Deploy, Lane::Build, Lane::Watch];

pub(super) struct Worker {
    pub(super) store: Arc<dyn Store>,
    pub(super) scratch: Scratch,
    pub(super) history: History,
    pub(super) workload: Workload,
    id: WorkerId,
    /// What the heartbeat prolongs.
    held: Mutex<BTreeMap<LeaseRef, uuid::Uuid>>,
}

pub(super) async fn run(orders: Orders) {
    let s = &orders.settings;
    let hook = || orders.crash.clone().map(|at| Arc::new(Crash::new(at)) as _);
    let store = again(async || open(&s.url, hook(), orders.full).await).await;
    let scratch = again(async || Scratch::open(&s.url).await.map_err(unavailable)).await;
    let worker = Arc::new(Worker {
        store,
        scratch,
        history: History::append(&s.history),
        workload: Workload { seed: s.seed, jobs: s.jobs },
        id: WorkerId::parse(&format!("w{}", orders.incarnation)).expect("a worker id"),
        held: Mutex::default(),
    });
    let (beating, keeping) = (Arc::clone(&worker), Arc::clone(&worker));
    tokio::join!(worker.claims(), beating.beats(), keeping.keeps_house());
}

impl Worker {
    async fn claims(self: Arc<Self>) {
        let slots = Arc::new(Semaphore::new(AT_ONCE as usize));
        loop {
            let free = u32::try_from(slots.available_permits()).unwrap_or(0).min(AT_ONCE) / 3;
            let leases = if free == 0 { Vec::new() } else { self.claim(free).await };
            if leases.is_empty() {
                self.store.wait(Duration::from_millis(100)).await;
            }
            for lease in leases {
                let slot = Arc::clone(&slots).acquire_owned().await.expect("the slots stay open");
                let worker = Arc::clone(&self);
                tokio::spawn(async move {
                    handler::run(&worker, lease).await;
                    drop(slot);
                });
            }
        }
    }

    async fn claim(&self, max: u32) -> Vec<Lease> {
        let want = LANES.map(|lane| Want { lane, max }).to_vec();
        let before = self.history.before(vec![Line::of(Op::Claim)]);
        let claimed = self.store.claim(&ClaimRequest { worker: self.id.clone(), want, lease: LEASE }).await;
        let leases = claimed.unwrap_or_else(|error| {
            told(&error);
            Vec::new()
        });
        let after = leases.iter().map(|lease| {
            let org = lease.scope.org().map_or("", |org| org.as_str());
            let serial = lease.serial.as_ref().map(|key| format!("{org}/{key}"));
            before[0].clone().job(lease.id.as_uuid()).fence(lease.job.fence.get()).key(serial).answered("leased")
        });
        self.history.after(&after.collect::<Vec<_>>());
        leases
    }

    /// Begins or stops to prolong a lease.
    pub(super) fn hold(&self, lease: &Lease, hold: bool) {
        let mut held = self.held.lock().expect("no panic while the lock is held");
        if hold {
            held.insert(lease.job, lease.id.as_uuid());
        } else {
            held.remove(&lease.job);
        }
    }

    async fn beats(self: Arc<Self>) {
        loop {
            sleep(LEASE / 4).await;
            let held = self.held.lock().expect("no panic while the lock is held").clone();
            if held.is_empty() {
                continue;
            }
            let leases: Vec<LeaseRef> = held.keys().copied().collect();
            let acts = held.iter().map(|(lease, job)| Line::of(Op::Extend).job(*job).fence(lease.fence.get()));
            let before = self.history.before(acts.collect());
            let answers = self.store.extend(&leases, LEASE).await;
            let after = before.iter().enumerate().map(|(n, line)| match answers.as_ref().map(|answers| answers[n]) {
                Ok(Extended::Until(_)) => line.answered("until"),
                Ok(Extended::CancelAsked(_)) => fatal("nobody asked to cancel"),
                Ok(Extended::Lost) => line.answered("lost"),
                Err(error) => line.answered(told(error)),
            });
            self.history.after(&after.collect::<Vec<_>>());
        }
    }

    async fn keeps_house(self: Arc<Self>) {
        let budget = Budget { time: Duration::from_secs(1), purge: true };
        loop {
            sleep(Duration::from_millis(400)).await;
            match self.store.maintain(&budget).await {
                Ok(did) if did.mended > 0 => {
                    let before = self.history.before(vec![Line::of(Op::Mend)]);
                    self.history.after(&[before[0].answered(did.mended.to_string())]);
                }
                Ok(_) => {}
                Err(error) => _ = told(&error),
            }
        }
    }
}

/// The answer of a call that failed. The faults of a run may make the store unavailable, never anything else.
pub(super) fn told(error: &Error) -> String {
    if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) {
        fatal(&format!("the store failed: {error:?}"));
    }
    format!("error: {}", error.context("code").unwrap_or_else(|| error.message()))
}

/// Calls until it succeeds.
pub(super) async fn again<T>(mut call: impl AsyncFnMut() -> zopnight_core::Result<T>) -> T {
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => {
                told(&error);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

pub(super) fn unavailable(cause: sqlx::Error) -> Error {
    Error::unavailable("chaos.scratch", "the scratch table cannot be reached").with_source(cause)
}
