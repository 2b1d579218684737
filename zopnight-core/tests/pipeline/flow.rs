//! The main paths through the pipeline.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::{
    EventKind, HealthPath, JobKind, JobState, Lane, Port, Reason, RevisionId, RevisionState, RunOutcome,
};
use zopnight_core::pipeline::{ConfigChange, RedeployRequest, RollbackTo, WebhookOutcome};
use zopnight_core::ports::{Clock, Store};
use zopnight_core::testing::fakes::{DispatchScript, ManualClock, Rolls, When};
use zopnight_core::testing::memory::MemoryStore;
use zopnight_core::testing::sim::{Builder, World, check_at_rest};
use zopnight_core::{Error, ErrorKind};

use crate::stage::Stage;

#[tokio::test(start_paused = true)]
async fn create_goes_live_with_the_gaps_filled_from_the_analysis() {
    let (stage, id) = Stage::live().await;
    let view = stage.pipeline.deployment(&stage.world.org, id).await.unwrap();
    assert_eq!(view.newest.state, RevisionState::Succeeded);
    assert_eq!(view.deployment.current_revision, Some(view.newest.id));
    assert_eq!(view.newest.runtime.port, Some(Port::new(8080).unwrap()));
    assert_eq!(view.newest.runtime.health_path, Some(HealthPath::parse("/health").unwrap()));
    assert_eq!(view.deployment.runtime.port, None, "the deployment keeps the setting open");
    use EventKind as E;
    let told: Vec<E> = stage.kinds(id).await.into_iter().filter(|k| *k != E::BuildDispatchSettled).collect();
    assert_eq!(
        told,
        [
            E::DeploymentCreated,
            E::RevisionQueued,
            E::BuildAttempt,
            E::BuildDispatched,
            E::RevisionBuilding,
            E::ImageResolved,
            E::RevisionBuilt,
            E::RevisionDeploying,
            E::DeployApplied,
            E::DeployRollout,
            E::RevisionSucceeded,
        ]
    );
    let log = stage
        .pipeline
        .log_tail(&stage.world.org, id, view.newest.id, zopnight_core::domain::LogSource::Build)
        .await
        .unwrap();
    assert_eq!(log.lines, ["building", "pushed"], "the build's log is kept after its callback");
    assert!(stage.world.forge.reports().iter().any(|r| r.state == RevisionState::Succeeded), "the forge is told");
}

#[tokio::test(start_paused = true)]
async fn a_push_becomes_the_serving_revision_and_its_redelivery_nothing() {
    let (stage, id) = Stage::live().await;
    let delivery = stage.world.forge.push(&stage.world.repo, "main", &[("Dockerfile", "FROM scratch\n"), ("b", "2")]);
    let first = stage.pipeline.push(&delivery).await.unwrap();
    assert_eq!((first.outcome, first.revisions), (WebhookOutcome::Accepted, 1));
    stage.world.settle(&stage.pipeline).await;
    let writes = stage.store.writes();
    let again = stage.pipeline.push(&delivery).await.unwrap();
    assert_eq!((again.outcome, again.revisions), (WebhookOutcome::Duplicate, 1));
    assert_eq!(stage.store.writes(), writes, "a redelivery writes nothing");
    assert_eq!(stage.states(id).await, [RevisionState::Succeeded; 2]);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_id_with_another_body_is_a_conflict_on_the_timeline() {
    let (stage, id) = Stage::live().await;
    let mut delivery = stage.world.forge.push(&stage.world.repo, "main", &[("b", "2")]);
    stage.pipeline.push(&delivery).await.unwrap();
    delivery.body_sha256 = [9; 32];
    let refused = stage.pipeline.push(&delivery).await.unwrap_err();
    assert_eq!(refused.code(), Some("delivery_conflict"));
    assert!(stage.kinds(id).await.contains(&EventKind::WebhookConflict));
    assert_eq!(stage.states(id).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn newer_pushes_supersede_older_builds_and_cancel_their_runs() {
    let (stage, id) = Stage::live().await;
    stage.push("a").await;
    stage.drain().await;
    stage.push("b").await;
    stage.push("c").await;
    assert_eq!(
        stage.states(id).await,
        [RevisionState::Succeeded, RevisionState::Superseded, RevisionState::Superseded, RevisionState::Queued]
    );
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_being_rolled_out_is_superseded_only_when_the_newer_one_is_built() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.applier.stall(id, zopnight_core::domain::RevisionNumber::new(2).unwrap());
    stage.push("a").await;
    let pipeline = stage.pipeline.clone();
    let queue: Arc<dyn Store> = Arc::clone(&stage.world.store);
    let worker = stage.world.worker(queue, &pipeline);
    worker.drain_once().await;
    stage.world.builder.play(&pipeline).await;
    let rolling = tokio::spawn(async move { worker.drain_once().await });
    gate.reached().await;
    stage.push("b").await;
    assert_eq!(stage.states(id).await[1], RevisionState::Deploying, "accepting a newer one leaves it alone");
    stage.drain().await;
    stage.world.builder.play(&pipeline).await;
    assert_eq!(stage.states(id).await[1..], [RevisionState::Superseded, RevisionState::Built]);
    gate.release();
    rolling.await.unwrap();
    stage.world.settle(&pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn rollback_never_builds_and_serves_the_old_digest() {
    let (stage, id) = Stage::live().await;
    let first = stage.running(id).await;
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    assert_ne!(stage.running(id).await, first);
    let dispatched = stage.world.dispatcher.requests().len();
    let accepted = stage.pipeline.rollback(&stage.request(), id, RollbackTo::Previous).await.unwrap();
    assert_eq!(accepted.revision.unwrap().revision.state, RevisionState::Built);
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.running(id).await, first);
    assert_eq!(stage.world.dispatcher.requests().len(), dispatched, "no build was dispatched");
    check_at_rest(&stage.world, id).await;
    let third = RollbackTo::Number(zopnight_core::domain::RevisionNumber::new(3).unwrap());
    let refused = stage.pipeline.rollback(&stage.request(), id, third).await.unwrap_err();
    assert_eq!(refused.code(), Some("already_current"));
}

#[tokio::test(start_paused = true)]
async fn rollback_to_an_image_that_is_gone_is_refused_before_anything_is_written() {
    let (stage, id) = Stage::live().await;
    let first = stage.running(id).await;
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    stage.world.resolver.delete(&first.repository, &first.digest);
    let writes = stage.store.writes();
    let refused = stage.pipeline.rollback(&stage.request(), id, RollbackTo::Previous).await.unwrap_err();
    assert_eq!(refused.code(), Some("image_gone"));
    assert_eq!(stage.store.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn redeploy_reuses_the_image_or_builds_anew() {
    let (stage, id) = Stage::live().await;
    let what = RedeployRequest { reuse_image: true, ..Default::default() };
    let reused = stage.pipeline.redeploy(&stage.request(), id, &what).await.unwrap().revision.unwrap().revision;
    assert_eq!(reused.state, RevisionState::Built);
    stage.world.settle(&stage.pipeline).await;
    let built = stage.pipeline.redeploy(&stage.request(), id, &RedeployRequest::default()).await.unwrap();
    assert_eq!(built.revision.unwrap().revision.state, RevisionState::Queued);
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.states(id).await, [RevisionState::Succeeded; 3]);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_runtime_alone_reuses_the_image() {
    let (stage, id) = Stage::live().await;
    let mut runtime = stage.pipeline.deployment(&stage.world.org, id).await.unwrap().deployment.runtime;
    runtime.env.insert(zopnight_core::domain::EnvName::parse("LOG_LEVEL").unwrap(), "debug".to_owned());
    let change = ConfigChange { runtime: Some(runtime), ..Default::default() };
    let accepted = stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    assert_eq!(accepted.revision.unwrap().revision.state, RevisionState::Built);
    stage.world.settle(&stage.pipeline).await;
    let again = stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    assert!(again.revision.is_none(), "a change without effect makes no revision");
    let stale = ConfigChange { config_version: Some(0), auto_deploy: Some(false), ..Default::default() };
    let refused = stage.pipeline.update_config(&stage.request(), id, &stale).await.unwrap_err();
    assert_eq!(refused.code(), Some("config_version_conflict"));
    let newest = stage.newest(id).await;
    assert_eq!(newest.runtime.port, Some(Port::new(8080).unwrap()), "what the analysis filled in is kept");
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn cancel_works_in_every_state_and_while_the_forge_is_down() {
    let (stage, id) = Stage::live().await;
    stage.push("queued").await;
    let cancel = async |revision: RevisionId| stage.pipeline.cancel(&stage.request(), id, revision).await;
    let queued = stage.newest(id).await.id;
    assert_eq!(cancel(queued).await.unwrap().revision.unwrap().revision.state, RevisionState::Cancelled);
    let events = stage.kinds(id).await.len();
    cancel(queued).await.unwrap();
    assert_eq!(stage.kinds(id).await.len(), events, "cancelling again writes nothing");

    stage.push("building").await;
    stage.drain().await;
    let building = stage.newest(id).await;
    assert_eq!(building.state, RevisionState::Building);
    stage.world.dispatcher.faults().fail("cancel", When::Next(1), || Error::unavailable("fake", "down"));
    assert_eq!(cancel(building.id).await.unwrap().revision.unwrap().revision.state, RevisionState::Cancelled);
    stage.world.settle(&stage.pipeline).await;
    let terminal = cancel(stage.world.store.deployment(&stage.world.org, id).await.unwrap().current.unwrap().id).await;
    assert_eq!(terminal.unwrap_err().code(), Some("revision_terminal"));
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_rollout_restores_what_serves() {
    let (stage, id) = Stage::live().await;
    let first = stage.running(id).await;
    let gate = stage.world.applier.stall(id, zopnight_core::domain::RevisionNumber::new(2).unwrap());
    stage.push("b").await;
    let queue: Arc<dyn Store> = Arc::clone(&stage.world.store);
    let worker = stage.world.worker(queue, &stage.pipeline);
    worker.drain_once().await;
    stage.world.builder.play(&stage.pipeline).await;
    let rolling = tokio::spawn(async move { worker.drain_once().await });
    gate.reached().await;
    let rolled = stage.newest(id).await;
    stage.pipeline.cancel(&stage.request(), id, rolled.id).await.unwrap();
    assert_eq!(stage.states(id).await[1..], [RevisionState::Cancelled, RevisionState::Built]);
    gate.release();
    rolling.await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.running(id).await, first, "no half rollout stays");
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn teardown_uninstalls_and_frees_the_name() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    stage.pipeline.teardown(&stage.request(), id).await.unwrap();
    let refused = stage.pipeline.redeploy(&stage.request(), id, &RedeployRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Some("deployment_deleting"));
    assert_eq!(stage.push("c").await.outcome, WebhookOutcome::Ignored);
    stage.world.settle(&stage.pipeline).await;
    let gone = stage.pipeline.deployment(&stage.world.org, id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(stage.world.dispatcher.live().is_empty());
    stage.world.create(&stage.pipeline, "checkout").await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_dispatch_is_settled_by_looking_never_by_sending_twice() {
    for script in [DispatchScript::UnknownRun, DispatchScript::NoRun] {
        let (stage, id) = Stage::live().await;
        stage.world.dispatcher.plan(script);
        stage.push("b").await;
        stage.world.settle(&stage.pipeline).await;
        assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
        assert_eq!(stage.world.dispatcher.dispatches(stage.newest(id).await.id, 1), 1);
        check_at_rest(&stage.world, id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_dispatch_gets_one_further_attempt_then_fails() {
    let (stage, id) = Stage::live().await;
    stage.world.dispatcher.plan(DispatchScript::UnknownLost);
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::Succeeded);
    assert_eq!(stage.world.dispatcher.dispatches(revision.id, 2), 1);
    check_at_rest(&stage.world, id).await;

    stage.world.dispatcher.plan(DispatchScript::UnknownLost);
    stage.world.dispatcher.plan(DispatchScript::UnknownLost);
    stage.push("c").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::Failed);
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("dispatch_unconfirmed"));
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_dispatch_fails_with_its_code_or_is_tried_again() {
    let (stage, id) = Stage::live().await;
    stage
        .world
        .dispatcher
        .plan(DispatchScript::refused(|| Error::not_found("fake.dispatch", "workflow_not_found", "no workflow")));
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.reason.as_ref().map(Reason::code), Some("workflow_not_found"));
    check_at_rest(&stage.world, id).await;
    stage.world.dispatcher.plan(DispatchScript::refused(|| Error::unavailable("fake.dispatch", "connection refused")));
    stage.push("c").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::Succeeded);
    assert_eq!(stage.world.dispatcher.dispatches(revision.id, 2), 1, "the second attempt was sent");
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_callback_is_made_up_for_by_watching() {
    for (outcome, expected) in [
        (RunOutcome::Succeeded, RevisionState::Succeeded),
        (RunOutcome::Failed, RevisionState::Failed),
        (RunOutcome::Cancelled, RevisionState::Cancelled),
        (RunOutcome::TimedOut, RevisionState::TimedOut),
    ] {
        let (stage, id) = Stage::live().await;
        stage.push("b").await;
        stage.drain().await;
        let request = stage.world.dispatcher.last_request().unwrap();
        let run = stage.world.dispatcher.run_of(request.revision, 1).unwrap();
        stage.world.dispatcher.write_log(&run, &["the last line"]);
        if outcome == RunOutcome::Succeeded {
            stage.world.resolver.push_build(&request.image);
        }
        stage.world.dispatcher.finish(&run, outcome);
        for _ in 0..20 {
            stage.world.clock.advance(Duration::from_secs(31));
            stage.drain().await;
        }
        let revision = stage.newest(id).await;
        assert_eq!(revision.state, expected);
        if outcome == RunOutcome::Failed {
            let log = stage
                .pipeline
                .log_tail(&stage.world.org, id, revision.id, zopnight_core::domain::LogSource::Build)
                .await
                .unwrap();
            assert_eq!(log.lines, ["the last line"]);
        }
        check_at_rest(&stage.world, id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_build_that_never_ends_times_out_and_its_run_is_cancelled() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    stage.drain().await;
    for _ in 0..40 {
        stage.world.clock.advance(Duration::from_secs(120));
        stage.drain().await;
    }
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::TimedOut);
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("build_timed_out"));
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollout_says_why_and_the_old_one_serves_on() {
    let (stage, id) = Stage::live().await;
    let first = stage.newest(id).await.id;
    let number = zopnight_core::domain::RevisionNumber::new(2).unwrap();
    stage.world.applier.script(id, number, Rolls::Fails(zopnight_core::domain::FailureClass::CrashLoop));
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.state, RevisionState::Failed);
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("crash_loop"));
    let view = stage.pipeline.deployment(&stage.world.org, id).await.unwrap();
    assert_eq!(view.deployment.current_revision, Some(first));
    assert_eq!(view.deployment.status(&view.newest).as_str(), "failing");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_grant_stops_before_the_cluster_is_asked() {
    let (stage, id) = Stage::live().await;
    let applied = stage.world.applier.faults().calls("apply");
    stage.push("b").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    stage.world.tenants.grants().withdraw_org(&stage.world.org);
    stage.drain().await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("target_not_granted"));
    assert_eq!(stage.world.applier.faults().calls("apply"), applied, "no cluster write");
}

#[tokio::test(start_paused = true)]
async fn missed_webhooks_are_recovered_by_the_sweep_without_duplicates() {
    let (stage, id) = Stage::live().await;
    stage.world.clock.advance(Duration::from_secs(600));
    for text in ["lost 1", "lost 2", "lost 3"] {
        stage.world.forge.push(&stage.world.repo, "main", &[("text", text)]);
    }
    stage.pipeline.ensure_sweep().await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.states(id).await, [RevisionState::Succeeded; 2], "the head only");
    assert!(stage.kinds(id).await.contains(&EventKind::WebhookRecovered));
    stage.pipeline.ensure_sweep().await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.states(id).await.len(), 2, "a second sweep does nothing");
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_push_out_of_order_is_settled_by_the_head() {
    let (stage, id) = Stage::live().await;
    let base = stage.newest(id).await.commit.sha;
    let (repo, forge) = (&stage.world.repo, &stage.world.forge);
    let b = forge.commit(repo, "main", &[("t", "b")]);
    let c = forge.commit(repo, "main", &[("t", "c")]);
    let late = forge.push_event(repo, "main", Some(&base), &b);
    let early = forge.push_event(repo, "main", Some(&b), &c);
    assert_eq!(stage.pipeline.push(&early).await.unwrap().revisions, 0, "unproven: left to the sweep");
    assert_eq!(stage.pipeline.push(&late).await.unwrap().revisions, 1);
    stage.world.settle(&stage.pipeline).await;
    let view = stage.pipeline.deployment(&stage.world.org, id).await.unwrap();
    assert_eq!(view.newest.commit.sha, c, "the newest push serves, whatever the order of delivery");
    assert_eq!(view.deployment.current_revision, Some(view.newest.id));
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_revision_is_taken_up_again() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    // Its job is lost, as no code of ours loses it.
    let lease = stage.claim(Lane::Build).await;
    let cause = zopnight_core::domain::JobError::new("test", "gone");
    let park = zopnight_core::domain::Finish { lease, outcome: zopnight_core::domain::Outcome::Park { error: cause } };
    stage.world.store.finish(vec![park]).await.unwrap();
    stage.world.clock.advance(Duration::from_secs(600));
    stage.pipeline.ensure_sweep().await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.state, RevisionState::Succeeded);
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_too_often_is_parked_and_its_revision_fails() {
    let (stage, id) = Stage::live().await;
    stage.world.applier.faults().fail("apply", When::Every, || Error::unavailable("fake.apply", "the cluster is down"));
    stage.push("b").await;
    stage.world.settle(&stage.pipeline).await;
    let revision = stage.newest(id).await;
    assert_eq!(revision.reason.as_ref().map(Reason::code), Some("job_parked"));
    assert!(stage.kinds(id).await.contains(&EventKind::JobParked));
    let parked = stage.store.jobs().into_iter().filter(|j| j.state == JobState::Parked).map(|j| j.kind).collect::<Vec<_>>();
    assert_eq!(parked, [JobKind::Deploy]);
}

#[tokio::test(start_paused = true)]
async fn an_oversized_fan_out_is_completed_by_the_sweep() {
    let stage = Stage::new();
    let mut limits = zopnight_core::domain::Limits::default();
    limits.fan_out = 2;
    let config = zopnight_core::config::PipelineConfig::default().with_limits(limits);
    let clock = Arc::clone(&stage.world.clock);
    let driven: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let world = World::new(Arc::new(MemoryStore::new(driven)), clock).with_config(config);
    let pipeline = world.pipeline();
    for n in 0..5 {
        world.create(&pipeline, &format!("app-{n}")).await;
    }
    world.settle(&pipeline).await;
    world.clock.advance(Duration::from_secs(600));
    let delivery = world.forge.push(&world.repo, "main", &[("t", "x")]);
    assert_eq!(pipeline.push(&delivery).await.unwrap().revisions, 2);
    world.settle(&pipeline).await;
    let all = pipeline.deployments(&world.org, &Default::default()).await.unwrap();
    assert_eq!(all.items.len(), 5);
    assert!(all.items.iter().all(|d| d.deployment.current_number == 2), "all five are at the head");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_identical_callbacks_make_one_transition_and_one_deploy_job() {
    let (stage, id) = Stage::live().await;
    stage.push("b").await;
    stage.drain().await;
    let request = stage.world.dispatcher.last_request().unwrap();
    stage.world.resolver.push_build(&request.image);
    let body = Builder::body(&request, "succeeded", Some(request.image.as_str()));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (pipeline, body) = (stage.pipeline.clone(), body.clone());
            tokio::spawn(async move { pipeline.complete_build(request.revision, &body).await })
        })
        .collect();
    let mut replayed = 0;
    for call in calls {
        replayed += usize::from(call.await.unwrap().expect("every call is answered 200").replayed);
    }
    assert_eq!(replayed, 99);
    let deploys =
        stage.store.jobs().into_iter().filter(|j| j.kind == JobKind::Deploy && j.revision == Some(request.revision));
    assert_eq!(deploys.count(), 1);
    let built = stage.world.timeline(id).await.into_iter().filter(|e| e.kind == EventKind::RevisionBuilt);
    assert_eq!(built.filter(|e| e.revision == Some(request.revision)).count(), 1);
    stage.world.settle(&stage.pipeline).await;
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_is_left_open_again_is_analysed_anew() {
    let (stage, id) = Stage::live().await;
    let mut runtime = stage.pipeline.deployment(&stage.world.org, id).await.unwrap().deployment.runtime;
    runtime.port = Some(Port::new(9000).unwrap());
    let change = ConfigChange { runtime: Some(runtime.clone()), ..Default::default() };
    stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.runtime.port, Some(Port::new(9000).unwrap()));
    runtime.port = None;
    let change = ConfigChange { runtime: Some(runtime), ..Default::default() };
    let accepted = stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap();
    assert_eq!(accepted.revision.unwrap().revision.state, RevisionState::Queued, "only an analysis knows the port now");
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(stage.newest(id).await.runtime.port, Some(Port::new(8080).unwrap()));
    check_at_rest(&stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_configuration_asks_for_the_grant_again() {
    let (stage, id) = Stage::live().await;
    stage.world.tenants.grants().withdraw_org(&stage.world.org);
    let build = zopnight_core::domain::BuildSpec { timeout_seconds: 60, ..Default::default() };
    let change = ConfigChange { build: Some(build), ..Default::default() };
    let writes = stage.store.writes();
    let refused = stage.pipeline.update_config(&stage.request(), id, &change).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, Some("target_not_granted")));
    assert_eq!(stage.store.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_to_a_revision_that_was_superseded_when_it_became_ready_restores_what_serves() {
    let (stage, id) = Stage::live().await;
    let first = stage.running(id).await;
    let number = |n| zopnight_core::domain::RevisionNumber::new(n).unwrap();
    // Revision 2 is ready in the cluster, but its verdict comes after revision 3 has its image; revision 3 then fails.
    let gate = stage.world.applier.faults().stall_after("apply", When::Next(1));
    stage.world.applier.script(id, number(3), Rolls::Fails(zopnight_core::domain::FailureClass::CrashLoop));
    stage.push("two").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    let queue: Arc<dyn Store> = Arc::clone(&stage.world.store);
    let worker = stage.world.worker(queue, &stage.pipeline);
    let rolling = tokio::spawn(async move { worker.drain_once().await });
    gate.reached().await;
    stage.push("three").await;
    stage.drain().await;
    stage.world.builder.play(&stage.pipeline).await;
    gate.release();
    rolling.await.unwrap();
    stage.world.settle(&stage.pipeline).await;
    assert_eq!(
        stage.states(id).await[1..],
        [RevisionState::Superseded, RevisionState::Failed, RevisionState::Succeeded],
        "what serves was put back"
    );
    assert_eq!(stage.running(id).await, first);
    check_at_rest(&stage.world, id).await;
}
