//! What there is to do, all of it drawn from the seed, so that a producer may begin again.

use std::time::Duration;

use zopnight_core::domain::{
    AttemptId, DeploymentId, JobId, JobPayload, NewJob, OrgId, RevisionChange, RevisionId, RevisionJob, Scope, WatchBuildJob,
};
use zopnight_core::testing::suites::fixtures;

use crate::random::Random;

const ORGS: u32 = 5;
/// Deployments in the catalog.
const APPS: u32 = 50;
/// Serial keys of jobs without a deployment in the catalog.
const KEYS: u32 = 1_000;
const LINKS: u32 = 10;
const LOOKS: u32 = 5;
const BATCH: u32 = 20;

/// One call of the producer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Creates a deployment.
    Create(u32),
    /// Revision `n` of a deployment.
    Push(u32, u32),
    /// A chain of jobs, each of which stores the next in the commit that ends it.
    Chain(u32),
    /// A job that snoozes some times.
    Look(u32),
    /// Jobs with serial keys.
    Batch { from: u32, to: u32 },
}

/// How the handler treats a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Works,
    /// Fails until it has failed so often.
    Fails(u32),
    /// Panics until it has panicked so often.
    Panics(u32),
    /// Takes longer than its lease; with or without heartbeats.
    Lasts {
        silent: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    pub(super) seed: u64,
    pub(super) jobs: u32,
}

/// A deployment in the catalog.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) org: OrgId,
    pub(super) id: DeploymentId,
    name: String,
}

impl Workload {
    fn random(self, purpose: &str, n: u32) -> Random {
        Random::new(self.seed, format!("{purpose} {n}"))
    }

    fn revision_id(self, purpose: &str, n: u32) -> RevisionId {
        RevisionId::new(fixtures::start(), self.random(purpose, n).bytes())
    }

    fn job_id(self, purpose: &str, n: u32) -> JobId {
        JobId::new(fixtures::start(), self.random(&format!("job of {purpose}"), n).bytes())
    }

    /// All calls of the producer in their order.
    pub(super) fn steps(self) -> Vec<Step> {
        let pushes = (self.jobs / 1_000).max(1);
        let (chains, looks) = (self.jobs / 200, self.jobs / 100);
        let rest = self.jobs.saturating_sub(2 * APPS * pushes + LINKS * chains + looks);
        let mut later: Vec<Step> = (1..pushes).flat_map(|n| (0..APPS).map(move |app| Step::Push(app, n))).collect();
        later.extend((0..chains).map(Step::Chain).chain((0..looks).map(Step::Look)));
        later.extend((0..rest).step_by(BATCH as usize).map(|from| Step::Batch { from, to: rest.min(from + BATCH) }));
        let mut random = Random::new(self.seed, "steps");
        let mut keyed: Vec<(u64, Step)> = later.into_iter().map(|step| (random.next(), step)).collect();
        keyed.sort_by_key(|(at, _)| *at);
        (0..APPS).map(Step::Create).chain(keyed.into_iter().map(|(_, step)| step)).collect()
    }

    pub(super) fn app(self, n: u32) -> App {
        let id = DeploymentId::new(fixtures::start(), self.random("app", n).bytes());
        App { org: org(n), id, name: format!("app-{n}") }
    }

    /// The deployment of this id, if it is one of the catalog.
    pub(super) fn app_of(self, id: DeploymentId) -> Option<App> {
        (0..APPS).map(|n| self.app(n)).find(|app| app.id == id)
    }

    /// The change that makes revision `n` of a deployment, with its build job; `n` 0 also makes the deployment.
    pub(super) fn push(self, app: u32, n: u32) -> RevisionChange {
        let App { org, id, name } = self.app(app);
        let revision = self.revision_id("push", app * 10_000 + n);
        let mut change = if n == 0 { fixtures::create(&org, id, &name) } else { RevisionChange::new(org, id) };
        if n == 0 {
            change.revisions.clear();
            change.jobs.clear();
            change.events.truncate(1);
        }
        let mut change = fixtures::with_revision(change, revision, n + 1);
        for job in &mut change.jobs {
            job.id = self.job_id("push", app * 10_000 + n);
        }
        change
    }

    /// The first job of a chain.
    pub(super) fn chain(self, n: u32) -> NewJob {
        let app = self.app(n % APPS);
        self.look(self.job_id("chain", n), app.org, Some(app.id), self.revision_id("chain", n), LINKS - 1)
    }

    /// The job that follows `job` in a chain.
    pub(super) fn link(self, job: JobId, app: &App, of: &WatchBuildJob) -> NewJob {
        let id = JobId::new(fixtures::start(), Random::new(self.seed, job.as_uuid().as_bytes()).bytes());
        self.look(id, app.org.clone(), Some(app.id), of.revision, of.looks - 1)
    }

    /// A job that snoozes.
    pub(super) fn snoozer(self, n: u32) -> NewJob {
        self.look(self.job_id("look", n), org(n), None, self.revision_id("look", n), LOOKS)
    }

    fn look(self, id: JobId, org: OrgId, deployment: Option<DeploymentId>, revision: RevisionId, looks: u32) -> NewJob {
        let jti = AttemptId::from_uuid(revision.as_uuid());
        let payload = WatchBuildJob { revision, jti, deadline: fixtures::start(), looks, finished_at: None };
        NewJob::new(id, Scope::Org(org), deployment, JobPayload::WatchBuild(payload))
    }

    /// A job with a serial key. Some have the dedupe key of the one before, some a delay.
    pub(super) fn plain(self, n: u32) -> NewJob {
        let mut random = self.random("plain", n);
        if n > 0 && random.chance(5) {
            return NewJob { id: self.job_id("plain", n), ..self.plain(n - 1) };
        }
        let key = random.below(KEYS).min(random.below(KEYS));
        let deployment = DeploymentId::new(fixtures::start(), self.random("key", key).bytes());
        let payload = JobPayload::Deploy(RevisionJob { revision: self.revision_id("plain", n) });
        let job = NewJob::new(self.job_id("plain", n), Scope::Org(org(key)), Some(deployment), payload);
        if random.chance(10) { job.after(Duration::from_millis(u64::from(random.below(1_500)))) } else { job }
    }

    /// One in ten fails, one in twenty panics, one in twenty takes longer than its lease. Some jobs that are no part of
    /// something larger never do better.
    pub(super) fn behaviour(self, job: JobId, plain: bool) -> Behaviour {
        let mut random = Random::new(self.seed ^ 1, job.as_uuid().as_bytes());
        let hopeless = plain && random.chance(20);
        match random.below(100) {
            0..10 => Behaviour::Fails(if hopeless { u32::MAX } else { 1 + random.below(2) }),
            10..15 => Behaviour::Panics(if hopeless { u32::MAX } else { 1 }),
            15..20 => Behaviour::Lasts { silent: random.chance(50) },
            _ => Behaviour::Works,
        }
    }
}

fn org(n: u32) -> OrgId {
    fixtures::org(&format!("org-{}", n % ORGS))
}
