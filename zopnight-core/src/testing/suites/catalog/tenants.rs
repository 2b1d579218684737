//! One tenant never reads or moves another's things.

use std::fmt::Debug;
use std::sync::Arc;

use crate::domain::{
    Applied, AttemptOp, AttemptPatch, CancelJobs, EventQuery, JobStep, Lane, LogSource, LogTail, NewEvent, OrgId, Outcome,
    RevisionChange, RevisionLog, RevisionMove, RevisionOp, RevisionPatch, RevisionQuery, RevisionState, Settled, Stale,
};
use crate::error::Error;
use crate::ports::{Random as _, Store};
use crate::testing::fakes::SeededRandom;
use crate::testing::peek::Peek;
use crate::testing::suites::fixtures::{
    attempt_id, build_job, deployment_id, open, org, plain_job, revision_id, told, with_revision,
};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::Stepper;
use crate::testing::suites::store::{App, Kit, scope};

fn same(foreign: Result<impl Debug, Error>, unknown: Result<impl Debug, Error>) {
    let shown = |e: &Error| (e.kind(), e.to_string(), e.code().map(str::to_owned), e.retry());
    let (foreign, unknown) = (foreign.expect_err("it is another org's"), unknown.expect_err("it is nowhere"));
    assert_eq!(shown(&foreign), shown(&unknown));
    assert_eq!(foreign.kind(), crate::ErrorKind::NotFound);
}

/// Every read answers a foreign id as it answers an unknown one.
pub async fn two_org_reads(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (mine, theirs) = (kit.app(&org("a"), "mine").await, kit.app(&org("b"), "theirs").await);
    let jti = attempt_id();
    kit.commit(theirs.change().with_attempt(open(jti, theirs.first, 1))).await;
    let log = RevisionLog { revision: theirs.first, source: LogSource::Build, tail: LogTail::default() };
    kit.commit(theirs.change().with_log(log)).await;
    let (s, a) = (&kit.store, &mine.org);
    let (none, no_revision) = (deployment_id(), revision_id());
    same(s.deployment(a, theirs.id).await, s.deployment(a, none).await);
    same(s.revision(a, theirs.id, theirs.first).await, s.revision(a, none, no_revision).await);
    same(s.revision(a, mine.id, theirs.first).await, s.revision(a, mine.id, no_revision).await);
    let query = RevisionQuery::default();
    same(s.revisions(a, theirs.id, &query).await, s.revisions(a, none, &query).await);
    same(s.unfinished(a, theirs.id).await, s.unfinished(a, none).await);
    let query = EventQuery::default();
    same(s.events(a, theirs.id, &query).await, s.events(a, none, &query).await);
    same(s.apply(RevisionChange::new(a.clone(), theirs.id)).await, s.apply(RevisionChange::new(a.clone(), none)).await);
    assert!(s.attempts(a, theirs.first).await.expect("they are listed").is_empty());
    assert_eq!(s.attempts(&theirs.org, theirs.first).await.expect("they are listed").len(), 1);
    assert_eq!(s.log(a, theirs.first, LogSource::Build).await.expect("the log is read"), None);
    assert_eq!(s.log(&theirs.org, theirs.first, LogSource::Build).await.expect("the log is read"), Some(LogTail::default()));
    same(s.revive(&scope(a), build_job(a, none, no_revision).id).await, s.revive(&scope(a), plain_job(a).id).await);
}

fn of(peek: Peek, org: &OrgId) -> Peek {
    let mut peek = peek;
    peek.jobs.retain(|job| job.scope.org() == Some(org));
    peek.deployments.retain(|d| d.org == *org);
    peek.revisions.retain(|r| r.org == *org);
    peek.attempts.retain(|a| a.org == *org);
    peek.events.retain(|e| e.org == *org);
    peek.idempotency = 0;
    peek
}

/// The change of one org that names a thing of another in one of many places.
fn attack(mine: &App, theirs: &App, jti: crate::domain::AttemptId, how: u8) -> RevisionChange {
    let step = |to, patch| {
        let step = RevisionMove { id: theirs.first, version: 1, from: RevisionState::Queued, to, patch };
        RevisionOp::Move(Box::new(step))
    };
    let note = NewEvent::new(crate::domain::EventKind::ImageResolved, "x");
    match how {
        0 => RevisionChange::new(mine.org.clone(), theirs.id).with_event(note),
        1 => with_revision(RevisionChange::new(mine.org.clone(), theirs.id), revision_id(), 2),
        2 => mine.change().with_revision(step(RevisionState::Failed, RevisionPatch::default())),
        3 => mine.change().with_attempt(open(attempt_id(), theirs.first, 2)),
        4 => mine
            .change()
            .with_attempt(AttemptOp::Patch { jti, patch: AttemptPatch { refusal: Some("x"), ..AttemptPatch::default() } }),
        5 => mine.change().with_attempt(AttemptOp::Close { jti, settled: Settled::Watch, outcome: None, body_digest: None }),
        6 => mine.change().with_cancel(CancelJobs::OfRevision(theirs.first)),
        7 => {
            let key = build_job(&theirs.org, theirs.id, theirs.first).dedupe.expect("builds have a key").key;
            mine.change().with_cancel(CancelJobs::Key(key))
        }
        8 => mine.change().with_event(told(mine.first, RevisionState::Queued)),
        _ => mine.change().with_follow_up(build_job(&mine.org, theirs.id, theirs.first)),
    }
}

/// How many transactions and statements a call takes.
async fn cost<T, F>(h: &dyn StoreHarness, call: impl FnOnce(Arc<dyn Store>) -> F) -> (usize, usize)
where
    F: Future<Output = crate::Result<T>>,
{
    let stepper = Stepper::watching();
    call(h.hooked(Arc::<Stepper>::clone(&stepper))).await.map(drop).expect_err("it is not there");
    (stepper.count("begin"), stepper.count("statement"))
}

/// A foreign thing costs as many statements as an unknown one: time tells nothing, either.
async fn foreign_costs_as_unknown(h: &dyn StoreHarness, mine: &App, theirs: &App) {
    let mut costs = Vec::new();
    for (deployment, revision) in [(theirs.id, theirs.first), (deployment_id(), revision_id())] {
        let of = || RevisionChange::new(mine.org.clone(), deployment);
        let (org, query) = (mine.org.clone(), (RevisionQuery::default(), EventQuery::default()));
        costs.push([
            cost(h, async |s| s.deployment(&org, deployment).await).await,
            cost(h, async |s| s.revision(&org, deployment, revision).await).await,
            cost(h, async |s| s.revision(&org, mine.id, revision).await).await,
            cost(h, async |s| s.revisions(&org, deployment, &query.0).await).await,
            cost(h, async |s| s.unfinished(&org, deployment).await).await,
            cost(h, async |s| s.events(&org, deployment, &query.1).await).await,
            cost(h, async |s| s.apply(of()).await).await,
            cost(h, async |s| s.apply(with_revision(of(), revision_id(), 2)).await).await,
        ]);
    }
    assert_eq!(costs[0], costs[1], "transactions and statements of a foreign thing, and of an unknown one");
}

/// 200 sequences of random changes of one org that name the other's things: not one row of the other changes, and what is
/// foreign is answered as what is unknown, after as many statements.
pub async fn two_org_fuzz(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (mine, theirs) = (kit.app(&org("a"), "mine").await, kit.app(&org("b"), "theirs").await);
    let jti = attempt_id();
    kit.commit(theirs.change().with_attempt(open(jti, theirs.first, 1))).await;
    let before = of(h.peek().await, &theirs.org);
    let view = kit.view(&theirs, theirs.first).await;
    let random = SeededRandom::new(11);
    foreign_costs_as_unknown(h, &mine, &theirs).await;
    for sequence in 0..200 {
        let mut roll = [0_u8; 4];
        random.fill(&mut roll);
        for how in roll.map(|roll| roll % 10) {
            match kit.store.apply(attack(&mine, &theirs, jti, how)).await {
                Ok(Applied::Committed(_)) => assert!(how >= 6, "{how}"),
                Ok(Applied::Stale(Stale::Revision(id))) => assert!((2..=3).contains(&how) && id == theirs.first, "{how}"),
                Ok(Applied::Stale(Stale::Attempt(id))) => assert!((4..=5).contains(&how) && id == jti, "{how}"),
                Err(error) => assert!(how <= 1 && error.kind() == crate::ErrorKind::NotFound, "{how}: {error:?}"),
                Ok(other) => panic!("{how}: {other:?}"),
            }
        }
        assert_eq!(of(h.peek().await, &theirs.org), before, "sequence {sequence}");
    }
    assert_eq!(kit.view(&theirs, theirs.first).await, view);
}

/// A worker cannot end another org's job with a change of its own.
pub async fn foreign_lease_is_lost(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let theirs = kit.app(&org("b"), "theirs").await;
    let lease = kit.claim_one(Lane::Build).await;
    let mine = kit.app(&org("a"), "mine").await;
    let before = h.peek().await;
    for job in [JobStep::Finish(lease.job, Outcome::Done), JobStep::Hold(lease.job)] {
        let applied = kit.apply(mine.change().with_job(job)).await;
        assert!(matches!(applied, Applied::LeaseLost), "{applied:?}");
    }
    assert_eq!(h.peek().await, before);
    kit.commit(theirs.change().with_job(JobStep::Finish(lease.job, Outcome::Done))).await;
}
