//! The loop: claim, run, look again.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::config::WorkerConfig;
use super::running::Running;
use super::shared::{Drained, JobReport, Shared, WorkerHealth};
use super::slots::Slots;
use crate::domain::{ClaimRequest, Lane, Lease, LeaseRef, WorkerId, hex};
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::ports::JobQueue;

/// How long stopped handlers have before their leases are given back.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Pauses while the store fails.
const FAILING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Work beside the claims; it ends with whoever holds this.
struct Aside(JoinHandle<()>);

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Claims and runs jobs.
#[derive(Debug)]
pub struct Worker(Arc<Shared>);

/// Collects the parts of a [`Worker`].
#[derive(Debug)]
#[must_use]
pub struct WorkerBuilder {
    queue: Arc<dyn JobQueue>,
    pipeline: Pipeline,
    config: WorkerConfig,
}

impl WorkerBuilder {
    /// With these settings.
    pub fn config(mut self, config: WorkerConfig) -> Self {
        self.config = config;
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    /// `Invalid` with one detail for each setting out of bounds.
    pub fn build(self) -> Result<Worker> {
        self.config.check()?;
        let mut bytes = [0; 16];
        self.pipeline.random().fill(&mut bytes);
        let id = WorkerId::parse(&hex::encode(&bytes))?;
        Ok(Worker(Arc::new(Shared {
            queue: self.queue,
            pipeline: self.pipeline,
            config: self.config,
            id,
            running: Running::default(),
            freed: Notify::new(),
            stirred: Notify::new(),
            last_turn: Mutex::new(Instant::now()),
        })))
    }
}

impl Worker {
    /// Begins with the queue to claim from and the pipeline whose handlers run.
    pub fn builder(queue: Arc<dyn JobQueue>, pipeline: Pipeline) -> WorkerBuilder {
        WorkerBuilder { queue, pipeline, config: WorkerConfig::default() }
    }

    /// Whether it is alive.
    #[must_use]
    pub fn health(&self) -> WorkerHealth {
        let last = *self.0.last_turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        WorkerHealth { idle: last.elapsed(), running: self.0.running.count() }
    }

    /// Runs until `stop` resolves, then drains. Never ends because the store fails: it backs off (100 ms .. 5 s) and goes on.
    /// Dropped before its end, it stops at once; its leases run out.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Drained {
        let shared = self.0;
        let mut jobs: JoinSet<(LeaseRef, JobReport)> = JoinSet::new();
        let mut drained = Drained::default();
        let beats = shared.aside(|shared| async move { shared.keep_leases().await });
        let keeping = shared.aside(|shared| async move { shared.keep_house().await });
        let counting = shared.aside(|shared| async move { shared.keep_count().await });
        shared.claim_until(stop, &mut jobs, &mut drained).await;
        drop((keeping, counting));
        shared.drain(&mut jobs, &mut drained).await;
        drop(beats);
        drained
    }

    /// Runs one lease that was claimed elsewhere just now, with heartbeats, to its finish.
    pub async fn run(&self, lease: Lease) -> JobReport {
        let claimed = Instant::now();
        tokio::select! {
            report = self.0.supervise(&lease, claimed) => report,
            () = self.0.keep_leases() => JobReport::Lost,
        }
    }

    /// Claims and runs until nothing is ready. For tests and for hosts that run by a timer.
    pub async fn drain_once(&self) -> Drained {
        let mut drained = Drained::default();
        let work = async {
            loop {
                self.0.housekeep(false).await;
                let claimed = Instant::now();
                let leases = match self.0.claim().await {
                    Ok(leases) if !leases.is_empty() => leases,
                    Ok(_) => return,
                    Err(error) => {
                        tracing::warn!(%error, "jobs could not be claimed");
                        return;
                    }
                };
                let mut jobs = JoinSet::new();
                for lease in leases {
                    let shared = Arc::clone(&self.0);
                    jobs.spawn(async move { (lease.job, shared.supervise(&lease, claimed).await) });
                }
                while let Some(report) = jobs.join_next().await {
                    count(&mut drained, &report);
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = self.0.keep_leases() => {}
        }
        drained
    }
}

impl Shared {
    /// Claims for every free slot. Lanes that gave less than was asked are empty; what they leave is asked of the others.
    async fn claim(&self) -> Result<Vec<Lease>> {
        let slots = Slots { total: self.config.concurrency as usize, reserved: self.config.reserved_slots() as usize };
        let mut open = Lane::ALL.to_vec();
        let mut leases: Vec<Lease> = Vec::new();
        loop {
            let mut running = self.running.by_class();
            for lease in &leases {
                let count = running.entry(lease.kind.lane().class()).or_default();
                *count = count.saturating_add(1);
            }
            let want = slots.allot(&running, &open);
            if want.is_empty() {
                return Ok(leases);
            }
            let request = ClaimRequest { worker: self.id.clone(), want: want.clone(), lease: self.config.lease };
            let claimed = match self.queue.claim(&request).await {
                Ok(claimed) => claimed,
                Err(error) if leases.is_empty() => return Err(error),
                Err(_) => return Ok(leases),
            };
            let given = |lane: Lane| claimed.iter().filter(|l| l.kind.lane() == lane).count();
            open.retain(|lane| want.iter().find(|w| w.lane == *lane).is_none_or(|w| given(*lane) >= w.max as usize));
            leases.extend(claimed);
        }
    }

    /// Claims and starts jobs until `stop` resolves.
    async fn claim_until(
        self: &Arc<Self>,
        stop: impl Future<Output = ()> + Send,
        jobs: &mut JoinSet<(LeaseRef, JobReport)>,
        drained: &mut Drained,
    ) {
        let mut stop = pin!(stop);
        let (mut poll, mut failing) = (self.config.poll_min, FAILING.0);
        loop {
            self.turned();
            while let Some(ended) = jobs.try_join_next() {
                count(drained, &ended);
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = std::future::ready(()) => {}
            }
            let claimed = Instant::now();
            let mut claim = pin!(self.claim());
            let answer = tokio::select! {
                answer = &mut claim => answer,
                () = &mut stop => {
                    // What a claim under way hands out is ours, and is not to wait until its leases run out.
                    let late = timeout(STOP_GRACE, claim).await;
                    let late: Vec<LeaseRef> = late.into_iter().flatten().flatten().map(|lease| lease.job).collect();
                    drained.released = drained.released.saturating_add(self.release(&late).await);
                    return;
                }
            };
            match answer {
                Ok(leases) if leases.is_empty() => {
                    failing = FAILING.0;
                    tokio::select! {
                        () = self.queue.wait(poll) => {}
                        () = self.freed.notified() => {}
                        () = &mut stop => return,
                    }
                    // A wake-up before the pause was over means that there is something to find.
                    poll = if claimed.elapsed() < poll {
                        self.stirred.notify_one();
                        self.config.poll_min
                    } else {
                        poll.saturating_mul(2).min(self.config.poll_max)
                    };
                }
                Ok(leases) => {
                    (poll, failing) = (self.config.poll_min, FAILING.0);
                    self.stirred.notify_one();
                    for lease in leases {
                        let shared = Arc::clone(self);
                        jobs.spawn(async move { (lease.job, shared.supervise(&lease, claimed).await) });
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "jobs could not be claimed");
                    tokio::select! {
                        () = sleep(self.jittered(failing, 20)) => {}
                        () = &mut stop => return,
                    }
                    failing = failing.saturating_mul(2).min(FAILING.1);
                }
            }
        }
    }

    /// Runs something beside the claims, until it is dropped.
    fn aside<F, Fut>(self: &Arc<Self>, work: F) -> Aside
    where
        F: FnOnce(Arc<Self>) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Aside(tokio::spawn(work(Arc::clone(self))))
    }

    /// Waits for running jobs, then stops them and gives their leases back.
    async fn drain(&self, jobs: &mut JoinSet<(LeaseRef, JobReport)>, drained: &mut Drained) {
        let finishing = async {
            while let Some(ended) = jobs.join_next().await {
                count(drained, &ended);
            }
        };
        if timeout(self.config.drain, finishing).await.is_ok() {
            return;
        }
        let mut held: BTreeSet<LeaseRef> = self.running.leases().into_iter().collect();
        self.running.stop_all();
        let stopping = async {
            while let Some(ended) = jobs.join_next().await {
                if let Ok((lease, report)) = &ended
                    && *report != JobReport::Stopped
                {
                    held.remove(lease);
                }
                count(drained, &ended);
            }
        };
        if timeout(STOP_GRACE, stopping).await.is_err() {
            jobs.abort_all();
        }
        let held: Vec<LeaseRef> = held.into_iter().collect();
        drained.released = drained.released.saturating_add(self.release(&held).await);
    }
}

fn count(drained: &mut Drained, ended: &std::result::Result<(LeaseRef, JobReport), tokio::task::JoinError>) {
    if let Ok((_, report)) = ended
        && !matches!(report, JobReport::Lost | JobReport::Stopped)
    {
        drained.finished = drained.finished.saturating_add(1);
    }
}
