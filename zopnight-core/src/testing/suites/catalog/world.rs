//! Something for every writing operation to do, in an org of its own.

use std::time::Duration;

use crate::domain::{
    Budget, CancelJobs, ClaimRequest, Finish, JobId, JobStep, Lane, Lease, NewJob, OrgId, Outcome, RevisionChange,
    RevisionPatch, RevisionState, Want, WorkerId,
};
use crate::error::Result;
use crate::ports::Store;
use crate::testing::peek::Peek;
use crate::testing::suites::fixtures::{
    attempt_id, cancel_job, create, deploy_job, deployment_id, open, org, plain_job, revision_id, status_job, step,
    teardown_job, told, watch_job, with_revision,
};
use crate::testing::suites::store::{App, Kit, park, retry, scope};

/// An operation that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Enqueue,
    Claim,
    Extend,
    FinishDone,
    FinishRetry,
    Create,
    Push,
    Open,
    Maintain,
    Revive,
}

impl Operation {
    pub(super) const ALL: [Self; 10] = [
        Self::Enqueue,
        Self::Claim,
        Self::Extend,
        Self::FinishDone,
        Self::FinishRetry,
        Self::Create,
        Self::Push,
        Self::Open,
        Self::Maintain,
        Self::Revive,
    ];

    /// Whether it is one transaction: housekeeping is several.
    pub(super) fn is_one(self) -> bool {
        self != Self::Maintain
    }
}

/// An org with work for each operation, and the ids that a repeated call names again.
pub(super) struct World {
    pub(super) org: OrgId,
    build: Lease,
    deploy: Lease,
    parked: JobId,
    create: RevisionChange,
    push: RevisionChange,
    open: RevisionChange,
    jobs: Vec<NewJob>,
}

fn want(lanes: &[Lane]) -> ClaimRequest {
    let worker = WorkerId::parse("suite").expect("a worker id");
    let want = lanes.iter().map(|lane| Want { lane: *lane, max: 100 }).collect();
    ClaimRequest { worker, want, lease: Duration::from_secs(3_600) }
}

impl World {
    /// The `n`th world of a case. What others left in the lines is handed out first.
    pub(super) async fn new(kit: &Kit<'_>, n: usize) -> Self {
        kit.store.claim(&want(&Lane::ALL)).await.expect("a claim is answered");
        let org = org(&format!("world-{n}"));
        let app = kit.app(&org, "shop").await;
        let (id, first) = (app.id, app.first);
        let cancel = cancel_job(&org, id, first, attempt_id());
        let parked = cancel.id;
        let due = status_job(&org, id, first).after(Duration::from_secs(1));
        let watch = watch_job(&org, id, first, attempt_id());
        kit.enqueue_all(vec![deploy_job(&org, id, first), teardown_job(&org, id), cancel, due, watch]).await;
        let lanes = want(&[Lane::Build, Lane::Deploy, Lane::Control]);
        let leases = kit.store.claim(&lanes).await.expect("a claim is answered");
        let of = |lane| leases.iter().find(|lease| lease.kind.lane() == lane).cloned().expect("a job of the lane");
        let (build, deploy) = (of(Lane::Build), of(Lane::Deploy));
        kit.finish(of(Lane::Control).job, park()).await;
        kit.h.advance(Duration::from_secs(2));
        let view = kit.view(&app, first).await;
        let push = with_revision(app.change(), revision_id(), 2)
            .with_revision(step(&view, RevisionState::Superseded, RevisionPatch::default()))
            .with_event(told(first, RevisionState::Superseded))
            .with_cancel(CancelJobs::OfRevision(first));
        let open = app.change().with_job(JobStep::Hold(build.job)).with_attempt(open(attempt_id(), first, 1));
        let jobs = vec![plain_job(&org), deploy_job(&org, id, revision_id())];
        let create = create(&org, deployment_id(), "other");
        Self { org, build, deploy, parked, create, push, open, jobs }
    }

    pub(super) async fn run(&self, store: &dyn Store, operation: Operation) -> Result<String> {
        let finish = |lease: &Lease, outcome| vec![Finish { lease: lease.job, outcome }];
        Ok(match operation {
            Operation::Enqueue => format!("{:?}", store.enqueue(self.jobs.clone()).await?),
            Operation::Claim => format!("{:?}", store.claim(&want(&[Lane::Watch])).await?),
            Operation::Extend => format!("{:?}", store.extend(&[self.build.job], Duration::from_secs(99)).await?),
            Operation::FinishDone => format!("{:?}", store.finish(finish(&self.deploy, Outcome::Done)).await?),
            Operation::FinishRetry => {
                let outcome = retry(Duration::from_secs(3_600), false);
                format!("{:?}", store.finish(finish(&self.build, outcome)).await?)
            }
            Operation::Create => format!("{:?}", store.apply(self.create.clone()).await?),
            Operation::Push => format!("{:?}", store.apply(self.push.clone()).await?),
            Operation::Open => format!("{:?}", store.apply(self.open.clone()).await?),
            Operation::Maintain => {
                let budget = Budget { time: Duration::from_secs(60), purge: true };
                format!("{:?}", store.maintain(&budget).await?)
            }
            Operation::Revive => format!("{:?}", store.revive(&scope(&self.org), self.parked).await?),
        })
    }

    pub(super) fn app(&self) -> App {
        let first = self.build.revision.expect("a build job is of a revision");
        App { org: self.org.clone(), id: self.push.deployment, first }
    }

    /// The rows of this world.
    pub(super) fn of(&self, mut peek: Peek) -> Peek {
        peek.jobs.retain(|job| job.scope.org() == Some(&self.org));
        peek.deployments.retain(|d| d.org == self.org);
        peek.revisions.retain(|r| r.org == self.org);
        peek.attempts.retain(|a| a.org == self.org);
        peek.events.retain(|e| e.org == self.org);
        peek
    }

    /// The rows of this world without ids and times: equal in two worlds in which the same happened.
    pub(super) fn shape(&self, peek: Peek) -> Vec<String> {
        let peek = self.of(peek);
        let jobs = peek.jobs.iter().map(|j| format!("{:?}", (j.kind, j.state, j.counters, j.cancel_asked, j.blocked_on)));
        let deployments = peek.deployments.iter().map(|d| format!("{:?}", (d.version, d.current_number, d.newest_number)));
        let revisions = peek.revisions.iter().map(|r| format!("{:?}", (r.number, r.state, r.version, r.finished)));
        let attempts = peek.attempts.iter().map(|a| format!("{:?}", (a.number, a.open)));
        let events = peek.events.iter().map(|e| format!("{:?}", (e.seq, e.kind)));
        let mut rows: Vec<String> = jobs.chain(deployments).chain(revisions).chain(attempts).chain(events).collect();
        rows.sort_unstable();
        rows
    }
}
