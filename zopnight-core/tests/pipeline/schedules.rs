//! Random schedules: two worker processes, outside events, faults and stalls, driven to rest and checked.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::{Delivery, DeploymentId, EnvName, FailureClass, JobState, RevisionNumber, RunOutcome};
use zopnight_core::pipeline::{ConfigChange, RedeployRequest, RollbackTo};
use zopnight_core::ports::Store;
use zopnight_core::testing::fakes::{Faults, Gate, Rolls, SeededRandom, When};
use zopnight_core::testing::sim::{Builder, check_at_rest};
use zopnight_core::{Error, ErrorKind};

use crate::stage::Stage;

const SEEDS: u64 = 300;

struct Schedule {
    stage: Stage,
    random: Arc<SeededRandom>,
    ids: Vec<DeploymentId>,
    gone: Option<DeploymentId>,
    late: Vec<Delivery>,
    gates: Vec<Gate>,
    processes: Vec<tokio::task::JoinHandle<()>>,
    told: Vec<String>,
}

impl Schedule {
    async fn new(seed: u64) -> Self {
        let stage = Stage::new();
        let mut ids = Vec::new();
        for name in ["one", "two", "three"] {
            ids.push(stage.world.create(&stage.pipeline, name).await.deployment.deployment.id);
        }
        stage.world.settle(&stage.pipeline).await;
        let random = SeededRandom::new(seed);
        let (late, gates, processes) = (Vec::new(), Vec::new(), Vec::new());
        Self { stage, random, ids, gone: None, late, gates, processes, told: Vec::new() }
    }

    fn below(&self, n: u64) -> u64 {
        self.random.next_u64() % n
    }

    fn any(&self) -> DeploymentId {
        self.ids[usize::try_from(self.below(3)).unwrap()]
    }

    fn faults(&self) -> [(&Faults, &'static str); 8] {
        let world = &self.stage.world;
        [
            (world.dispatcher.faults(), "dispatch"),
            (world.dispatcher.faults(), "find_run"),
            (world.dispatcher.faults(), "cancel"),
            (world.applier.faults(), "apply"),
            (world.applier.faults(), "uninstall"),
            (world.forge.faults(), "heads"),
            (world.resolver.faults(), "resolve"),
            (world.tenants.faults(), "target"),
        ]
    }

    /// A process works for a while, at the same time as whatever comes next.
    fn work(&mut self) {
        let queue: Arc<dyn Store> = Arc::clone(&self.stage.world.store);
        let pipeline = self.stage.world.pipeline();
        let worker = self.stage.world.worker(queue, &pipeline);
        self.processes.retain(|p| !p.is_finished());
        if self.processes.len() < 2 {
            self.processes.push(tokio::spawn(async move {
                worker.drain_once().await;
            }));
        }
    }

    fn disturb(&mut self) {
        let act = self.below(6);
        let (faults, operation) = self.faults()[usize::try_from(self.below(8)).unwrap()];
        let down = || Error::unavailable("fake", "scripted");
        let gate = match act {
            0 => return faults.fail(operation, When::Next(1), down),
            1 if operation != "dispatch" => return faults.fail_after(operation, When::Next(1), down),
            2 => faults.stall(operation, When::Next(1)),
            3 => faults.stall_after(operation, When::Next(1)),
            _ => return,
        };
        self.gates.push(gate);
    }

    async fn deliver(&self, delivery: &Delivery) {
        self.accept(self.stage.pipeline.push(delivery).await.map(|_| ()));
    }

    fn accept(&self, result: zopnight_core::Result<()>) {
        if let Err(error) = result {
            let fine = [ErrorKind::Conflict, ErrorKind::NotFound, ErrorKind::Unavailable];
            assert!(fine.contains(&error.kind()), "{error:?} after {:?}", self.told);
        }
    }

    async fn event(&mut self) {
        let (world, pipeline) = (&self.stage.world, self.stage.pipeline.clone());
        let (id, request, what) = (self.any(), self.stage.request(), self.below(14));
        self.told.push(format!("{what}"));
        match what {
            0..=2 => {
                let text = format!("{}", self.random.next_u64());
                let delivery = world.forge.push(&world.repo, "main", &[("t", &text)]);
                let times = self.below(4);
                if times == 3 {
                    self.late.push(delivery);
                } else {
                    for _ in 0..times {
                        self.deliver(&delivery).await;
                    }
                }
            }
            3 => {
                if let Some(delivery) = self.late.pop() {
                    self.deliver(&delivery).await;
                }
            }
            4 => drop(world.builder.play(&pipeline).await),
            5 | 6 => {
                // A build ends by itself: its callback comes twice, or not at all.
                let Some(run) = world.dispatcher.live().pop() else { return };
                let runs = world.dispatcher.runs();
                let run = runs.iter().find(|r| r.build.run == run).unwrap();
                let requests = world.dispatcher.requests();
                let sent = requests.iter().find(|r| r.revision == run.revision && r.attempt == run.attempt).unwrap();
                world.dispatcher.finish(&run.build.run, RunOutcome::Failed);
                for _ in 0..2 * self.below(2) {
                    drop(pipeline.complete_build(sent.revision, &Builder::body(sent, "failed", None)).await);
                }
            }
            7 | 8 => {
                if let Ok(view) = pipeline.deployment(&world.org, id).await {
                    self.accept(pipeline.cancel(&request, id, view.newest.id).await.map(|_| ()));
                }
            }
            9 => self.accept(pipeline.rollback(&request, id, RollbackTo::Previous).await.map(|_| ())),
            10 => {
                let what = RedeployRequest { reuse_image: self.below(2) == 0, ..Default::default() };
                self.accept(pipeline.redeploy(&request, id, &what).await.map(|_| ()));
            }
            11 => {
                let Ok(view) = pipeline.deployment(&world.org, id).await else { return };
                let mut runtime = view.deployment.runtime;
                runtime.env.insert(EnvName::parse("N").unwrap(), self.random.next_u64().to_string());
                let change = ConfigChange { runtime: Some(runtime), ..Default::default() };
                self.accept(pipeline.update_config(&request, id, &change).await.map(|_| ()));
            }
            12 if self.below(3) == 0 => {
                let id = *self.gone.get_or_insert(id);
                self.accept(pipeline.teardown(&request, id).await.map(|_| ()));
            }
            12 => {
                if let Ok(view) = pipeline.deployment(&world.org, id).await {
                    let next = RevisionNumber::new(view.deployment.newest_number + 1).unwrap();
                    world.applier.script(id, next, Rolls::Fails(FailureClass::CrashLoop));
                }
            }
            _ => world.clock.advance(Duration::from_secs(1 + self.below(200))),
        }
    }

    async fn run(&mut self) {
        for _ in 0..3 + self.below(18) {
            // API calls of the host meet no stall: what they wait for is only released below.
            self.release();
            self.event().await;
            if self.below(3) == 0 {
                self.disturb();
            }
            for _ in 0..self.below(3) {
                self.work();
            }
            for _ in 0..self.below(40) {
                tokio::task::yield_now().await;
            }
        }
        self.come_to_rest().await;
    }

    /// Opens some of the gates; those at calls that the next event may make too are opened all.
    fn release(&mut self) {
        for operation in ["heads", "resolve", "target"] {
            for (faults, name) in self.faults() {
                if name == operation {
                    faults.clear(name);
                }
            }
        }
        let keep = self.below(2) == 0;
        if !keep {
            self.gates.drain(..).for_each(|g| g.release());
        }
    }

    async fn come_to_rest(&mut self) {
        for (faults, name) in self.faults() {
            faults.clear(name);
        }
        self.gates.drain(..).for_each(|g| g.release());
        for process in self.processes.drain(..) {
            process.await.unwrap();
        }
        let world = &self.stage.world;
        world.settle(&self.stage.pipeline).await;
        world.clock.advance(Duration::from_secs(600));
        self.stage.pipeline.ensure_sweep().await.unwrap();
        world.settle(&self.stage.pipeline).await;
    }

    async fn check(&self) {
        let world = &self.stage.world;
        let head = world.forge.head_of(&world.repo, "main");
        for id in &self.ids {
            if self.gone == Some(*id) {
                assert_eq!(self.stage.pipeline.deployment(&world.org, *id).await.unwrap_err().kind(), ErrorKind::NotFound);
                continue;
            }
            let view = world.store.deployment(&world.org, *id).await.unwrap();
            assert_eq!(view.deployment.source_head, head, "the newest head was accepted");
            check_at_rest(world, *id).await;
        }
        let parked: Vec<_> = self.stage.store.jobs().into_iter().filter(|j| j.state == JobState::Parked).collect();
        assert!(parked.is_empty(), "{parked:?}");
    }
}

/// Names the seed of a schedule that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the schedule of seed {} fails", self.0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_schedule_comes_to_rest() {
    for seed in 0..SEEDS {
        let named = Named(seed);
        let mut schedule = Schedule::new(seed).await;
        schedule.run().await;
        schedule.check().await;
        drop(named);
    }
}
