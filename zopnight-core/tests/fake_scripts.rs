//! What is special to each fake: the behaviour that tests script, and what they can look at afterwards.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::{
    AppName, CancelOutcome, CancelRequest, ChangedPaths, CommitSha, DeployedImage, DeploymentId, Digest, Dispatch,
    FailureClass, Fence, ImageRef, ImageRepository, IntegrationId, MissedRequest, Namespace, OnFailure, OrgId, ReleaseName,
    ReleaseRef, RepoEvent, RevisionNumber, RunOutcome, RunQuery, RunState, RuntimeSpec, SpaceId, TargetRequest, Timestamp,
    Verdict,
};
use zopnight_core::ports::{
    BuildDispatcher, Clock, ClusterApplier, DeliveryLog, ImageResolver, Random, ReleaseRequest, ResolveRequest,
    TenantDirectory, WebhookDecoder,
};
use zopnight_core::tenants::SpaceGrant;
use zopnight_core::testing::fakes::{
    DispatchScript, FakeApplier, FakeDecoder, FakeDispatcher, FakeForge, FakeProgress, FakeResolver, FakeTenants, Faults,
    ManualClock, Rolls, SeededRandom, When,
};
use zopnight_core::testing::suites::build_dispatcher::request;
use zopnight_core::{Error, ErrorKind, Retry, StaticTenants};

fn clock() -> Arc<ManualClock> {
    ManualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
}

fn deployment() -> DeploymentId {
    DeploymentId::new(Timestamp::from_secs(1), [7; 10])
}

fn number(n: u32) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

fn release() -> ReleaseRef {
    ReleaseRef {
        org: OrgId::parse("acme").unwrap(),
        deployment: deployment(),
        space: SpaceId::parse("prod").unwrap(),
        namespace: Namespace::parse("apps").unwrap(),
        release: ReleaseName::parse("shop").unwrap(),
    }
}

fn apply(clock: &ManualClock, revision: u32) -> ReleaseRequest {
    let repository = ImageRepository::parse("registry.test/acme/shop").unwrap();
    ReleaseRequest::new(
        release(),
        number(revision),
        Fence::of(1, 1),
        CommitSha::parse(&format!("{revision:040x}")).unwrap(),
        DeployedImage { repository, digest: Digest::of(&revision.to_le_bytes()) },
        RuntimeSpec::default(),
        clock.now().plus(Duration::from_secs(60)),
    )
}

#[tokio::test(start_paused = true)]
async fn the_clock_moves_with_paused_time_and_by_hand() {
    let clock = clock();
    let start = clock.now();
    tokio::time::sleep(Duration::from_secs(30)).await;
    clock.advance(Duration::from_secs(12));
    assert_eq!(clock.now().since(start), Duration::from_secs(42));
    clock.set_back(Duration::from_secs(2));
    assert_eq!(clock.now().since(start), Duration::from_secs(40));
}

#[test]
fn randomness_repeats_by_seed() {
    let draw = |seed| {
        let mut bytes = [0; 10];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[tokio::test]
async fn dispatches_follow_the_plan() {
    let clock = clock();
    let builder = FakeDispatcher::new(Arc::<ManualClock>::clone(&clock));
    for script in [
        DispatchScript::NoRun,
        DispatchScript::UnknownRun,
        DispatchScript::UnknownLost,
        DispatchScript::refused(|| Error::not_found("dispatch", "workflow_not_found", "no workflow")),
        DispatchScript::HiddenRun,
    ] {
        builder.plan(script);
    }
    let mut answers = Vec::new();
    let mut found = Vec::new();
    for attempt in 1..=6 {
        let request = request(1, attempt);
        answers.push(builder.dispatch(&request).await);
        let query = RunQuery { revision: request.revision, attempt, not_before: clock.now() };
        found.push(builder.find_run(&query).await.unwrap().is_some());
    }
    assert!(matches!(answers[0], Ok(Dispatch::Accepted { run: None })));
    assert!(matches!(answers[1], Ok(Dispatch::Unknown { .. })));
    assert!(matches!(answers[2], Ok(Dispatch::Unknown { .. })));
    assert_eq!(answers[3].as_ref().unwrap_err().code(), Some("workflow_not_found"));
    assert!(matches!(answers[4], Ok(Dispatch::Accepted { run: None })));
    assert!(matches!(answers[5], Ok(Dispatch::Accepted { run: Some(_) })));
    assert_eq!(found, [true, true, false, false, false, true]);

    let revision = request(1, 1).revision;
    builder.reveal(revision, 5);
    let query = RunQuery { revision, attempt: 5, not_before: clock.now() };
    assert!(builder.find_run(&query).await.unwrap().is_some());
    assert_eq!((builder.requests().len(), builder.refused()), (5, 1));
    assert_eq!((1..=6).map(|n| builder.dispatches(revision, n)).collect::<Vec<_>>(), [1, 1, 1, 0, 1, 1]);
    assert_eq!(builder.last_request().unwrap().callback_token.expose(), "suite-callback-token");
}

#[tokio::test]
async fn a_fault_after_the_effect_leaves_the_run() {
    let faults = Faults::new();
    let builder = FakeDispatcher::with_faults(clock(), faults.clone());
    faults.fail("dispatch", When::Nth(1), || Error::unavailable("dispatch", "refused"));
    faults.fail_after("dispatch", When::Nth(2), || Error::unavailable("dispatch", "reset"));
    let request = request(1, 1);
    assert!(builder.dispatch(&request).await.is_err());
    assert!(builder.runs().is_empty() && builder.requests().is_empty());
    assert!(builder.dispatch(&request).await.is_err());
    assert_eq!((builder.runs().len(), builder.dispatches(request.revision, 1)), (1, 1));
    assert_eq!(faults.calls("dispatch"), 2);
}

#[tokio::test]
async fn a_run_that_ignores_a_cancel_obeys_force_and_the_unfinished_one_is_found() {
    let clock = clock();
    let builder = FakeDispatcher::new(Arc::<ManualClock>::clone(&clock));
    let revision = request(1, 1).revision;
    let (first, second) = (builder.start_run(revision, 1), builder.start_run(revision, 1));
    builder.begin(&first);
    builder.finish(&second, RunOutcome::Failed);
    let query = RunQuery { revision, attempt: 1, not_before: clock.now() };
    assert_eq!(builder.find_run(&query).await.unwrap().unwrap().run, first);

    builder.ignore_cancels(true);
    let cancel = |force| CancelRequest { run: first.clone(), force };
    assert_eq!(builder.cancel(&cancel(false)).await.unwrap(), CancelOutcome::Requested);
    assert_eq!(builder.run(&first).await.unwrap().state, RunState::Running);
    assert_eq!(builder.live(), std::slice::from_ref(&first));
    assert_eq!(builder.cancel(&cancel(true)).await.unwrap(), CancelOutcome::Requested);
    assert_eq!(builder.run(&first).await.unwrap().state, RunState::Finished(RunOutcome::Cancelled));
    let run = &builder.runs()[0];
    assert_eq!((run.cancels, run.forced), (2, true));
    builder.forget(&first);
    assert_eq!(builder.run(&first).await.unwrap_err().code(), Some("run_not_found"));
    assert_eq!(builder.run_of(revision, 1), Some(second));
}

#[tokio::test]
async fn a_failed_rollout_puts_the_last_good_one_back() {
    let clock = clock();
    let cluster = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
    cluster.apply(&apply(&clock, 1)).await.unwrap();
    cluster.script(deployment(), number(2), Rolls::Fails(FailureClass::CrashLoop));
    let outcome = cluster.apply(&apply(&clock, 2)).await.unwrap();
    let Verdict::Failed(failure) = outcome.verdict else { panic!("it fails") };
    assert_eq!((failure.class, outcome.rolled_back_to), (FailureClass::CrashLoop, Some(1)));
    assert!(!failure.evidence.log_lines.is_empty());
    assert_eq!(cluster.running(&release()).unwrap().revision, number(1));
    assert_eq!(cluster.fence(&release()), Some(number(2)));
    let history: Vec<_> = cluster.history(&release()).iter().map(|a| (a.revision.get(), a.rollback)).collect();
    assert_eq!(history, [(1, false), (2, false), (1, true)]);

    let keep = apply(&clock, 2).with_on_failure(OnFailure::Keep);
    assert_eq!(cluster.apply(&keep).await.unwrap().rolled_back_to, None);
    assert_eq!(cluster.running(&release()).unwrap().revision, number(2));
    assert_eq!(cluster.status(&release()).await.unwrap().replicas.ready, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_rollout_ends_at_its_deadline() {
    let clock = clock();
    let cluster = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
    let gate = cluster.stall(deployment(), number(1));
    let outcome = cluster.apply(&apply(&clock, 1)).await.unwrap();
    assert!(matches!(outcome.verdict, Verdict::Failed(f) if f.class == FailureClass::DeadlineExceeded));
    assert_eq!(gate.arrived(), 1);
    gate.release();
    assert_eq!(cluster.apply(&apply(&clock, 1)).await.unwrap().verdict, Verdict::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_newer_revision_ends_the_wait_of_an_older_one() {
    let clock = clock();
    let cluster = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
    let gate = cluster.stall(deployment(), number(1));
    let older = tokio::spawn({
        let (cluster, request) = (Arc::clone(&cluster), apply(&clock, 1));
        async move { cluster.apply(&request).await }
    });
    gate.reached().await;
    assert!(cluster.status(&release()).await.unwrap().locked);
    let error = cluster.apply(&apply(&clock, 2)).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some("release_locked"), Retry::After(Duration::from_secs(2))));
    assert_eq!(older.await.unwrap().unwrap().verdict, Verdict::Superseded { by: number(2) });
    assert_eq!(cluster.apply(&apply(&clock, 2)).await.unwrap().verdict, Verdict::Ready);
    assert_eq!(cluster.running(&release()).unwrap().revision, number(2));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_apply_frees_the_lock_and_is_resumed() {
    let clock = clock();
    let cluster = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
    let gate = cluster.stall(deployment(), number(1));
    let request = apply(&clock, 1);
    tokio::select! {
        _ = cluster.apply(&request) => panic!("it stalls"),
        () = gate.reached() => {}
    }
    assert!(!cluster.status(&release()).await.unwrap().locked);
    gate.release();
    let outcome = cluster.apply(&apply(&clock, 1)).await.unwrap();
    assert!(outcome.resumed && outcome.verdict == Verdict::Ready);
    assert_eq!(cluster.history(&release()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_later_hand_out_takes_the_lock_over() {
    let clock = clock();
    let cluster = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
    let gate = cluster.stall(deployment(), number(1));
    let first = tokio::spawn({
        let (cluster, request) = (Arc::clone(&cluster), apply(&clock, 1));
        async move { cluster.apply(&request).await }
    });
    gate.reached().await;
    cluster.script(deployment(), number(1), Rolls::Ready);
    let mut second = apply(&clock, 1);
    second.job_fence = Fence::of(1, 2);
    assert_eq!(cluster.apply(&second).await.unwrap().verdict, Verdict::Ready);
    gate.release();
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_error_instead_of_a_verdict_and_the_lines_of_a_rollout() {
    let clock = clock();
    let cluster = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
    let progress = FakeProgress::new();
    cluster.script_all(Rolls::errors(|| Error::unavailable("apply", "the API server is gone")));
    let request = apply(&clock, 1).with_progress(Arc::<FakeProgress>::clone(&progress));
    assert_eq!(cluster.apply(&request).await.unwrap_err().retry(), Retry::Backoff);
    assert!(!cluster.status(&release()).await.unwrap().locked);
    cluster.script_all(Rolls::Ready);
    assert!(cluster.apply(&request).await.unwrap().resumed);
    let lines: Vec<_> = progress.lines().into_iter().map(|(_, line)| line.message).collect();
    assert_eq!(lines, ["objects applied", "objects applied", "rollout ended"]);
    assert_eq!(cluster.releases(), [release()]);
}

#[tokio::test]
async fn the_registry_refuses_as_told() {
    let registry = FakeResolver::new();
    let image = ImageRef::parse("registry.test/acme/shop:one").unwrap();
    let org = OrgId::parse("acme").unwrap();
    let ask = ResolveRequest { org: org.clone(), image: image.clone(), allotted: image.repository().clone() };
    let digest = registry.push_build(&image);
    assert_eq!(registry.resolve(&ask).await.unwrap(), digest);
    registry
        .faults()
        .fail("resolve", When::Next(1), || Error::unavailable("resolve", "no answer").with("code", "registry_unavailable"));
    assert_eq!(registry.resolve(&ask).await.unwrap_err().code(), Some("registry_unavailable"));
    registry.delete(image.repository(), &digest);
    assert_eq!(registry.resolve(&ask).await.unwrap_err().code(), Some("image_not_found"));
    registry.refuse_credentials(&org);
    assert_eq!(registry.resolve(&ask).await.unwrap_err().code(), Some("registry_unauthorized"));
    registry.refuse_egress("registry.test");
    assert_eq!(registry.resolve(&ask).await.unwrap_err().code(), Some("egress_refused"));
    assert_eq!(registry.asked().len(), 4);
}

#[tokio::test]
async fn pushes_tell_what_happened_to_the_branch() {
    let forge = FakeForge::new();
    let repo = forge.create_repo(&IntegrationId::parse("gh").unwrap(), "acme/shop");
    let push = |delivery: &zopnight_core::domain::Delivery| match &delivery.event {
        RepoEvent::Push(push) => push.clone(),
        other => panic!("a push, not {other:?}"),
    };
    let created = forge.push(&repo, "main", &[("a", "1")]);
    let first = push(&created).after;
    assert!(push(&created).created && push(&created).before.is_none());

    forge.commit(&repo, "main", &[("b", "1")]);
    let last = forge.commit_as(&repo, "main", &[("c/d", "1")], "docs [skip ci]", "Bob");
    let two = push(&forge.push_event(&repo, "main", Some(&first), &last));
    let ChangedPaths::Known(paths) = two.changed else { panic!("they are known") };
    assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b", "c/d"]);
    assert!(!two.forced && two.skip.is_some());

    forge.set_branch(&repo, "main", &first);
    let back = push(&forge.push_event(&repo, "main", Some(&last), &first));
    assert!(back.forced && matches!(back.changed, ChangedPaths::Unknown(_)));
    assert_eq!(forge.head_of(&repo, "main"), Some(first.clone()));

    let again = FakeForge::new();
    let other = again.create_repo(&IntegrationId::parse("gh").unwrap(), "acme/shop");
    assert_eq!(again.commit(&other, "main", &[("a", "1")]), first, "the same history has the same ids");
    assert_ne!(forge.push(&repo, "main", &[("z", "1")]).id, created.id);
}

#[tokio::test]
async fn the_delivery_log_tells_what_was_missed() {
    let forge = FakeForge::new();
    let repo = forge.create_repo(&IntegrationId::parse("gh").unwrap(), "acme/shop");
    let start = Timestamp::from_secs(1_000);
    let statuses = [Some(202), None, Some(500), Some(422), Some(404)];
    let sent: Vec<_> = statuses
        .iter()
        .zip(0..)
        .map(|(status, n)| {
            let delivery = forge.push(&repo, "main", &[("n", &n.to_string())]);
            forge.record_delivery(&delivery, start.plus(Duration::from_secs(n)), *status);
            delivery
        })
        .collect();
    let ask = |limit| MissedRequest { since: start, limit };
    let missed = forge.missed(&ask(10)).await.unwrap();
    let ids: Vec<_> = missed.deliveries.iter().map(|d| d.id.clone()).collect();
    assert_eq!(ids, [sent[1].id.clone(), sent[2].id.clone(), sent[4].id.clone()]);
    assert!(missed.complete && missed.newest == Some(start.plus(Duration::from_secs(4))));
    assert!(!forge.missed(&ask(2)).await.unwrap().complete);

    forge.redeliver(&missed.deliveries[0]).await.unwrap();
    assert_eq!(forge.take_redelivered(), [sent[1].clone()]);
    assert!(forge.take_redelivered().is_empty());
    forge.record_answer(&sent[1].id, Some(202));
    assert_eq!(forge.missed(&ask(10)).await.unwrap().deliveries.len(), 2);
    assert_eq!(forge.deliveries()[1].redeliveries, 1);
}

#[tokio::test]
async fn webhooks_of_the_forge_survive_the_wire() {
    let forge = FakeForge::new();
    let repo = forge.create_repo(&IntegrationId::parse("gh").unwrap(), "acme/shop");
    let decoder = FakeDecoder::new("secret");
    for delivery in [
        forge.push(&repo, "main", &[("a", "1")]),
        forge.push(&repo, "main", &[("a", "2")]),
        forge.branch_deleted_event(&repo, "main"),
        forge.event(RepoEvent::Ping),
    ] {
        let decoded = decoder.decode(&decoder.request(&delivery)).unwrap();
        assert_eq!(decoded.id, delivery.id);
        let unknown_why = |event: &RepoEvent| {
            let mut event = event.clone();
            if let RepoEvent::Push(push) = &mut event
                && let ChangedPaths::Unknown(why) = &mut push.changed
            {
                *why = "";
            }
            event
        };
        assert_eq!(unknown_why(&decoded.event), unknown_why(&delivery.event));
    }
    let foreign = FakeDecoder::new("other").request(&forge.event(RepoEvent::Ping));
    assert_eq!(decoder.decode(&foreign).unwrap_err().kind(), ErrorKind::Unauthenticated);
    decoder.faults().fail("decode", When::Every, || Error::internal("decode", "scripted"));
    assert_eq!(decoder.decode(&foreign).unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn the_tenant_directory_can_be_down() {
    let grants = StaticTenants::new("registry.test/{org}/{name}").unwrap();
    let org = OrgId::parse("acme").unwrap();
    let space = SpaceId::parse("prod").unwrap();
    grants.grant_space(&org, space.clone(), SpaceGrant::template("zn-{org}").unwrap());
    let tenants = FakeTenants::new(grants, Faults::new());
    let name = AppName::parse("shop").unwrap();
    let ask = TargetRequest { org: org.clone(), deployment: deployment(), name, space: space.clone(), namespace: None };
    tenants.faults().fail("target", When::Next(1), || Error::unavailable("target", "down"));
    assert_eq!(tenants.target(&ask).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(tenants.target(&ask).await.unwrap().image_repository.as_str(), "registry.test/acme/shop");
    tenants.grants().withdraw_space(&org, &space);
    assert_eq!(tenants.target(&ask).await.unwrap_err().code(), Some("space_not_found"));
    assert!(tenants.integrations(&org).await.unwrap().is_empty());
}
