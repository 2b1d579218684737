//! What happens at the same time as something else.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::{
    BranchName, CommitSha, EnvName, FailureClass, JobKind, JobState, Reason, RevisionNumber, RevisionState, RunOutcome,
};
use zopnight_core::pipeline::{ConfigChange, RedeployRequest};
use zopnight_core::ports::{Clock, Store};
use zopnight_core::testing::fakes::{Rolls, When};
use zopnight_core::testing::sim::{Builder, check_at_rest};
use zopnight_core::{Error, ErrorKind};

use crate::stage::Stage;

fn number(n: u32) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

impl Stage {
    fn in_background(&self) -> tokio::task::JoinHandle<()> {
        let queue: Arc<dyn Store> = Arc::clone(&self.world.store);
        let worker = self.world.worker(queue, &self.pipeline);
        tokio::spawn(async move {
            worker.drain_once().await;
        })
    }

    fn jobs_of(&self, kind: JobKind, state: JobState) -> usize {
        self.store.jobs().into_iter().filter(|j| j.kind == kind && j.state == state).count()
    }

    fn request_of(&self, commit: &CommitSha) -> zopnight_core::domain::BuildRequest {
        self.world.dispatcher.requests().into_iter().find(|r| r.commit == *commit).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_had_never_fails_a_built_revision() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.applier.stall(id, number(2));
    stage.push("b").await;
    stage.drain().await;
    stage
        .world
        .dispatcher
        .faults()
        .fail("log_tail", When::Every, || Error::new(ErrorKind::Forbidden, "fake.log_tail", "the app may not read logs"));
    stage.world.builder.play(&stage.pipeline).await;
    let rolling = stage.in_background();
    gate.reached().await;
    stage.world.clock.advance(Duration::from_secs(6));
    stage.drain().await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Deploying);
    gate.release();
    rolling.await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_long_build_is_kept_too() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    stage.drain().await;
    for _ in 0..40 {
        stage.world.clock.advance(Duration::from_secs(30));
        stage.drain().await;
    }
    stage.world.settle(&stage.pipeline).await;
    let newest = stage.newest(id).await;
    assert_eq!(newest.state, RevisionState::Succeeded);
    let log = stage.world.store.log(&stage.world.org, newest.id, zopnight_core::domain::LogSource::Build).await.unwrap();
    assert_eq!(log.unwrap().lines, ["building", "pushed"]);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_a_push_overtook_makes_no_older_revision() {
    for one in [false, true] {
        let (stage, id) = Stage::live().await;
        stage.world.clock.advance(Duration::from_secs(600));
        let forge = &stage.world.forge;
        let base = stage.newest(id).await.commit.sha;
        let b = forge.commit(&stage.world.repo, "main", &[("t", "b")]);
        let gate = forge.faults().stall_after("heads", When::Next(1));
        if one {
            let late = forge.push_event(&stage.world.repo, "main", Some(&b), &b);
            stage.pipeline.push(&late).await.unwrap();
        } else {
            stage.pipeline.ensure_sweep().await.unwrap();
        }
        let sweeping = stage.in_background();
        gate.reached().await;
        // The sweep holds b; meanwhile the head is c, and its push comes in.
        let c = forge.commit(&stage.world.repo, "main", &[("t", "c")]);
        let push = forge.push_event(&stage.world.repo, "main", Some(&base), &c);
        assert_eq!(stage.pipeline.push(&push).await.unwrap().revisions, 1);
        gate.release();
        sweeping.await.unwrap();
        let commits: Vec<CommitSha> = stage.commits(id).await;
        assert_eq!(commits, [base, c], "one: {one}");
        stage.world.settle(&stage.pipeline).await;
        check_at_rest(&stage.world, id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_of_the_branch_followed_before_is_not_deployed() {
    let (stage, id) = Stage::live().await;
    stage.world.clock.advance(Duration::from_secs(600));
    let forge = &stage.world.forge;
    let base = stage.newest(id).await.commit.sha;
    let dev = forge.commit(&stage.world.repo, "dev", &[("t", "dev")]);
    forge.commit(&stage.world.repo, "main", &[("t", "b")]);
    let gate = forge.faults().stall_after("heads", When::Next(1));
    stage.pipeline.ensure_sweep().await.unwrap();
    let sweeping = stage.in_background();
    gate.reached().await;
    let change = ConfigChange { branch: Some(BranchName::parse("dev").unwrap()), ..Default::default() };
    stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    gate.release();
    sweeping.await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.commits(id).await, [base, dev]);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_redeploy_builds_the_head_of_the_branch_that_is_followed_now() {
    let (stage, id) = Stage::live().await;
    let forge = &stage.world.forge;
    let base = stage.newest(id).await.commit.sha;
    let dev = forge.commit(&stage.world.repo, "dev", &[("t", "dev")]);
    let gate = forge.faults().stall_after("heads", When::Next(1));
    let snapshot = forge.faults().stall_after("snapshot", When::Next(1));
    let redeploying = tokio::spawn({
        let (pipeline, request) = (stage.pipeline.clone(), stage.request());
        async move { pipeline.redeploy(&request, id, &RedeployRequest::default()).await }
    });
    tokio::select! {
        () = gate.reached() => {}
        () = snapshot.reached() => {}
    }
    forge.faults().clear("heads");
    forge.faults().clear("snapshot");
    let change = ConfigChange { branch: Some(BranchName::parse("dev").unwrap()), ..Default::default() };
    stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    gate.release();
    snapshot.release();
    redeploying.await.unwrap().unwrap();
    assert_eq!(stage.commits(id).await, [base, dev.clone(), dev]);
    stage.world.settle(&stage.pipeline).await;
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_redeploy_does_not_replace_a_push_that_came_while_the_head_was_asked() {
    let (stage, id) = Stage::live().await;
    let forge = &stage.world.forge;
    let base = stage.newest(id).await.commit.sha;
    let gate = forge.faults().stall_after("snapshot", When::Next(1));
    let heads = forge.faults().stall_after("heads", When::Next(1));
    let redeploying = tokio::spawn({
        let (pipeline, request) = (stage.pipeline.clone(), stage.request());
        async move { pipeline.redeploy(&request, id, &RedeployRequest::default()).await }
    });
    tokio::select! {
        () = gate.reached() => {}
        () = heads.reached() => {}
    }
    stage.push("b").await;
    let pushed = stage.newest(id).await.commit.sha;
    gate.release();
    heads.release();
    redeploying.await.unwrap().unwrap();
    assert_eq!(stage.commits(id).await, [base, pushed.clone(), pushed]);
    stage.world.settle(&stage.pipeline).await;
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_reused_keeps_what_its_analysis_filled_in() {
    let stage = Stage::new();
    stage.world.analyzer.tell(|a| a.port_env = Some("HTTP_PORT".to_owned()));
    let id = stage.world.create(&stage.pipeline, "checkout").await.deployment.deployment.id;
    stage.world.settle(&stage.pipeline).await;
    let built = stage.newest(id).await.runtime;
    assert_eq!(built.port_env, EnvName::parse("HTTP_PORT").unwrap());
    let what = RedeployRequest { reuse_image: true, ..Default::default() };
    stage.pipeline.redeploy(&stage.request(), id, &what).await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.runtime, built);
    let mut runtime = stage.pipeline.deployment(&stage.world.org, id).await.unwrap().deployment.runtime;
    runtime.env.insert(EnvName::parse("LOG_LEVEL").unwrap(), "debug".to_owned());
    let change = ConfigChange { runtime: Some(runtime), ..Default::default() };
    stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    let changed = stage.newest(id).await.runtime;
    assert_eq!((changed.port, changed.port_env), (built.port, built.port_env));
    stage.world.settle(&stage.pipeline).await;
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_rollout_restores_what_serves_after_a_newer_one_failed() {
    let (stage, id) = Stage::live().await;
    let first = stage.running(id).await;
    let gate = stage.world.applier.stall(id, number(2));
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    let rolling = stage.in_background();
    gate.reached().await;
    stage.push("c").await;
    stage.drain().await;
    let newer = stage.world.dispatcher.last_request().unwrap();
    stage.world.dispatcher.finish(&stage.world.dispatcher.run_of(newer.revision, 1).unwrap(), RunOutcome::Failed);
    stage.pipeline.complete_build(newer.revision, &Builder::body(&newer, "failed", None)).await.unwrap();
    let rolled = stage
        .request_of(
            &stage.world.store.revisions(&stage.world.org, id, &Default::default()).await.unwrap().items[1]
                .revision
                .commit
                .sha,
        )
        .revision;
    stage.pipeline.cancel(&stage.request(), id, rolled).await.unwrap();
    gate.release();
    rolling.await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.running(id).await, first, "no half rollout stays");
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ignores_its_cancel_is_forced_after_the_deployment_is_gone() {
    let (stage, id) = Stage::live().await;
    stage.world.dispatcher.ignore_cancels(true);
    stage.push("b").await;
    stage.drain().await;
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    stage.world.dispatcher.faults().fail("cancel", When::Next(1), || Error::unavailable("fake.cancel", "down"));
    for _ in 0..20 {
        stage.drain().await;
        stage.world.clock.advance(Duration::from_secs(11));
    }
    assert_eq!(stage.pipeline.deployment(&stage.world.org, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(stage.world.dispatcher.live().is_empty(), "the run was ended by force");
    assert_eq!(stage.jobs_of(JobKind::CancelRun, JobState::Parked), 0);
}

#[tokio::test(start_paused = true)]
async fn one_redelivery_that_is_refused_does_not_hold_up_the_others() {
    let (stage, _) = Stage::live().await;
    let forge = &stage.world.forge;
    let first = forge.push(&stage.world.repo, "other", &[("t", "1")]);
    let second = forge.push(&stage.world.repo, "other", &[("t", "2")]);
    let now = stage.world.clock.now();
    forge.record_delivery(&first, now, Some(503));
    forge.record_delivery(&second, now, Some(503));
    forge.faults().fail("redeliver", When::Nth(1), || Error::not_found("fake.redeliver", "delivery_gone", "too old"));
    stage.pipeline.ensure_sweep().await.unwrap();
    stage.drain().await;
    let again: Vec<_> = forge.take_redelivered().into_iter().map(|d| d.id).collect();
    assert_eq!(again, [second.id]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_message_is_redacted() {
    let (stage, id) = Stage::live().await;
    let token = ["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"].concat();
    stage.world.applier.script(id, number(2), Rolls::Fails(FailureClass::CrashLoop));
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    let failure = zopnight_core::domain::RolloutFailure {
        class: FailureClass::CrashLoop,
        message: format!("cannot log in with {token}"),
        object: "Pod/ns/app-1".to_owned(),
        evidence: zopnight_core::domain::RolloutEvidence::default(),
        after: Duration::from_secs(1),
    };
    stage.world.applier.script(id, number(3), Rolls::FailsWith(Box::new(failure)));
    stage.push("c").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("crash_loop"));
    assert!(!format!("{revision:?}").contains(&token), "{revision:?}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_given_up_begins_anew_when_asked_again() {
    let (stage, id) = Stage::live().await;
    stage.world.applier.faults().fail("uninstall", When::Next(1), || Error::invalid("fake.uninstall", "not now"));
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.jobs_of(JobKind::Teardown, JobState::Parked), 1);
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    assert_eq!(stage.jobs_of(JobKind::Teardown, JobState::Ready), 1, "one job");
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.pipeline.deployment(&stage.world.org, id).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_whatever_the_dispatch_is_at() {
    for after in [false, true] {
        for leave in ["cancel", "teardown", "push"] {
            let (stage, id) = Stage::live().await;
            let faults = stage.world.dispatcher.faults();
            let gate =
                if after { faults.stall_after("dispatch", When::Next(1)) } else { faults.stall("dispatch", When::Next(1)) };
            stage.push("b").await;
            let building = stage.in_background();
            gate.reached().await;
            let revision = stage.newest(id).await.id;
            match leave {
                "cancel" => drop(stage.pipeline.cancel(&stage.request(), id, revision).await.unwrap()),
                "teardown" => drop(stage.pipeline.teardown(&stage.request(), id).await.unwrap()),
                _ => drop(stage.push("c").await),
            }
            gate.release();
            building.await.unwrap();
            for _ in 0..5 {
                stage.drain().await;
                stage.world.clock.advance(Duration::from_secs(16));
            }
            stage.drain().await;
            let built = stage.world.dispatcher.run_of(revision, 1);
            assert!(!stage.world.dispatcher.live().into_iter().any(|run| Some(run) == built), "{leave} {after}: {built:?}");
            stage.world.settle(&stage.pipeline).await;
            if leave != "teardown" {
                check_at_rest(&stage.world, id).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_goes_before_the_attempt_is_opened_leaves_no_lease() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    let gate = stage.world.analyzer.faults().stall("analyze", When::Next(1));
    let building = stage.in_background();
    gate.reached().await;
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    let other = stage.in_background();
    other.await.unwrap();
    gate.release();
    building.await.unwrap();
    assert_eq!(stage.jobs_of(JobKind::Build, JobState::Leased), 0);
}
