//! The table of verdicts, through the use case, with the exact store writes.

use std::time::Duration;

use zopnight_core::callback::{CallbackClaims, testing};
use zopnight_core::config::{ImagePolicy, PipelineConfig};
use zopnight_core::domain::{
    AttemptId, BuildRequest, DeploymentId, Digest, Event, EventKind, ImageRepository, OrgId, RevisionId, RevisionState, Tag,
    Timestamp,
};
use zopnight_core::testing::fakes::When;
use zopnight_core::testing::sim::{Builder, CrashStore, Fault};
use zopnight_core::{Error, ErrorKind};

use crate::stage::Stage;

const NOW: i64 = 1_767_225_600;

/// A build under way, and the image it has pushed.
struct Underway {
    stage: Stage,
    id: DeploymentId,
    request: BuildRequest,
    digest: Digest,
}

impl Underway {
    async fn new() -> Self {
        Self::of(Stage::live().await).await
    }

    async fn of((stage, id): (Stage, DeploymentId)) -> Self {
        stage.push("b").await;
        stage.drain().await;
        let request = stage.world.dispatcher.last_request().unwrap();
        let digest = stage.world.resolver.push_build(&request.image);
        Self { stage, id, request, digest }
    }

    fn claims(&self) -> CallbackClaims {
        let now = self.now();
        let token = self.request.callback_token.expose();
        let verified = testing::verify(&self.stage.world.keys(), token, self.request.revision, now).unwrap();
        verified.claims
    }

    fn now(&self) -> i64 {
        use zopnight_core::ports::Clock as _;
        self.stage.world.clock.now().as_secs()
    }

    fn token(&self, change: impl FnOnce(&mut CallbackClaims)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        testing::mint(&self.stage.world.keys(), &claims).unwrap().expose().clone()
    }

    fn body(&self, jwt: &str, members: &str) -> Vec<u8> {
        format!(r#"{{"jwt":"{jwt}",{members}}}"#).into_bytes()
    }

    fn good(&self) -> Vec<u8> {
        Builder::body(&self.request, "succeeded", Some(self.request.image.as_str()))
    }

    fn succeeded(&self, image: &str) -> Vec<u8> {
        Builder::body(&self.request, "succeeded", Some(image))
    }

    async fn call(&self, body: &[u8]) -> Result<bool, &'static str> {
        let done = self.stage.pipeline.complete_build(self.request.revision, body).await;
        done.map(|d| d.replayed).map_err(|r| r.as_str())
    }

    async fn events(&self) -> Vec<Event> {
        self.stage.world.timeline(self.id).await
    }

    /// The call is refused with `code`; what the store wrote is `wrote`: nothing, or one event of that kind.
    async fn refused(&self, body: &[u8], code: &str, wrote: Option<EventKind>) {
        let (writes, events) = (self.stage.store.writes(), self.events().await.len());
        assert_eq!(self.call(body).await, Err(code));
        let new: Vec<EventKind> = self.events().await.into_iter().skip(events).map(|e| e.kind).collect();
        assert_eq!(new, wrote.into_iter().collect::<Vec<_>>(), "{code}");
        assert_eq!(self.stage.store.writes() - writes, u64::from(wrote.is_some()), "{code}");
    }
}

const REFUSED: Option<EventKind> = Some(EventKind::CallbackRefused);

#[tokio::test(start_paused = true)]
async fn before_the_signature_verified_nothing_reaches_the_store() {
    let at = Underway::new().await;
    let image = at.request.image.as_str().to_owned();
    let ok = format!(r#""status":"succeeded","imageRef":"{image}""#);
    let good = at.request.callback_token.expose().clone();
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let altered = format!("{head}.{claims}.{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"{}".to_vec(), "body_malformed"),
        (b"\xef\xbb\xbf{}".to_vec(), "body_malformed"),
        (at.body(&good, r#""status":"failed","status":"failed""#), "body_malformed"),
        (at.body(&good, r#""status":"failed","more":1"#), "body_malformed"),
        (vec![b' '; 65_537], "body_too_large"),
        (at.body("a.b", &ok), "token_malformed"),
        (at.body(&format!("{good}="), &ok), "token_malformed"),
        (at.body(&format!("e30.{claims}.{signature}"), &ok), "header_refused"),
        (at.body(&altered, &ok), "signature"),
        (
            at.body(&at.token(|c| (c.issued_at, c.expires_at) = (c.issued_at + 3_600, c.expires_at + 3_600)), &ok),
            "not_yet_valid",
        ),
        (at.body(&at.token(|c| c.revision = RevisionId::new(Timestamp::from_secs(NOW), [1; 10])), &ok), "subject_mismatch"),
    ];
    for (body, code) in cases {
        at.refused(&body, code, None).await;
    }
    let expired = at.token(|c| c.expires_at = c.issued_at + 1);
    at.stage.world.clock.advance(Duration::from_secs(60));
    at.refused(&at.body(&expired, &ok), "expired", None).await;
    assert_eq!(at.call(&at.good()).await, Ok(false), "refusals consume nothing");
}

/// The good token with its claims edited as text, signed with the right key.
fn resigned(good: &str, edit: impl FnOnce(String) -> String) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut parts = good.split('.');
    let (head, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let claims = edit(String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap());
    let message = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"zopnight-test-callback-key-00032").unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(start_paused = true)]
async fn claims_that_are_not_exactly_ours_are_refused_without_a_write() {
    let at = Underway::new().await;
    let ok = format!(r#""status":"succeeded","imageRef":"{}""#, at.request.image);
    let good = at.request.callback_token.expose().clone();
    let (iat, exp) = (at.claims().issued_at, at.claims().expires_at);
    let far = exp + 21_600;
    let cases: Vec<(String, &str)> = vec![
        (resigned(&good, |c| c.replacen('{', r#"{"more":1,"#, 1)), "claims_malformed"),
        (resigned(&good, |c| c.replacen(r#""iat":"#, r#""iat":1.0,"was":"#, 1)), "claims_malformed"),
        (resigned(&good, |c| c.replace(&format!(r#""exp":{exp}"#), &format!(r#""exp":"{exp}""#))), "claims_malformed"),
        (
            resigned(&good, |c| c.replace(&format!(r#""exp":{exp}"#), &format!(r#""exp":{exp},"exp":{exp}"#))),
            "claims_malformed",
        ),
        (resigned(&good, |c| c.replace(&format!(r#""iat":{iat}"#), &format!(r#""iat":{}"#, iat + 60))), "issued_in_future"),
        (resigned(&good, |c| c.replace(&format!(r#""exp":{exp}"#), &format!(r#""exp":{far}"#))), "lifetime"),
        (resigned(&good, |c| c.replace(&format!(r#""exp":{exp}"#), &format!(r#""exp":{iat}"#))), "lifetime"),
    ];
    for (token, code) in cases {
        at.refused(&at.body(&token, &ok), code, None).await;
    }
    assert_eq!(at.call(&at.body(&resigned(&good, |c| c), &ok)).await, Ok(false), "unedited it is good");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_temporary_and_consumes_nothing() {
    let at = Underway::new().await;
    for call in 0..3 {
        let store = std::sync::Arc::clone(&at.stage.world.store);
        let failing: std::sync::Arc<dyn zopnight_core::ports::Store> = CrashStore::at(store, call, Fault::Error);
        let pipeline = at.stage.world.pipeline_on(failing);
        let writes = at.stage.store.writes();
        let answer = pipeline.complete_build(at.request.revision, &at.good()).await;
        assert_eq!(answer.map_err(|r| r.as_str()), Err("unavailable"), "at call {call}");
        assert_eq!(at.stage.store.writes(), writes, "at call {call}");
    }
    assert_eq!(at.call(&at.good()).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_issuer_or_audience_is_refused_without_a_write() {
    let at = Underway::new().await;
    use zopnight_core::callback::{CallbackKey, CallbackKeys};
    use zopnight_core::domain::{HttpsUrl, Secret};
    let ok = format!(r#""status":"succeeded","imageRef":"{}""#, at.request.image);
    let key = |secret: &[u8]| CallbackKey::from_secret(Secret::new(secret.to_vec())).unwrap();
    let url = HttpsUrl::parse("https://deploy.example.test").unwrap();
    let ours = b"zopnight-test-callback-key-00032";
    let mint = |keys: CallbackKeys| testing::mint(&keys, &at.claims()).unwrap().expose().clone();
    let other =
        mint(CallbackKeys::builder(key(b"another-test-callback-key-000032")).public_url(url.clone()).build().unwrap());
    at.refused(&at.body(&other, &ok), "key_unknown", None).await;
    let issuer = mint(CallbackKeys::builder(key(ours)).public_url(url.clone()).issuer("https://evil.test").build().unwrap());
    at.refused(&at.body(&issuer, &ok), "issuer", None).await;
    let audience = mint(CallbackKeys::builder(key(ours)).public_url(url).audience("https://evil.test").build().unwrap());
    at.refused(&at.body(&audience, &ok), "audience", None).await;
}

#[tokio::test(start_paused = true)]
async fn tokens_about_something_else_change_nothing() {
    let at = Underway::new().await;
    let ok = format!(r#""status":"succeeded","imageRef":"{}""#, at.request.image);
    let other_org = at.token(|c| c.org = OrgId::parse("other").unwrap());
    at.refused(&at.body(&other_org, &ok), "revision_unknown", None).await;
    let other_deployment = at.token(|c| c.deployment = DeploymentId::new(Timestamp::from_secs(NOW), [3; 10]));
    at.refused(&at.body(&other_deployment, &ok), "revision_unknown", None).await;
    let image = at.token(|c| c.image_repository = ImageRepository::parse("registry.example.test/acme/other").unwrap());
    at.refused(&at.body(&image, &ok), "binding_mismatch", REFUSED).await;
    let commit = at.token(|c| c.commit = zopnight_core::domain::CommitSha::parse(&"c".repeat(40)).unwrap());
    at.refused(&at.body(&commit, &ok), "binding_mismatch", REFUSED).await;
    let jti = at.token(|c| c.attempt = AttemptId::new(Timestamp::from_secs(NOW), [4; 10]));
    at.refused(&at.body(&jti, &ok), "attempt_unknown", REFUSED).await;
    let number = at.token(|c| c.number = 2);
    at.refused(&at.body(&number, &ok), "attempt_unknown", REFUSED).await;
    assert_eq!(at.call(&at.good()).await, Ok(false), "refusals consume nothing");
}

#[tokio::test(start_paused = true)]
async fn content_that_breaks_the_rules_is_recorded() {
    let at = Underway::new().await;
    let jwt = at.request.callback_token.expose().clone();
    let image = at.request.image.as_str().to_owned();
    let repository = at.request.image.repository().to_string();
    let with = |members: &str| at.body(&jwt, members);
    for (body, code) in [
        (with(r#""status":"Succeeded""#), "status_unknown"),
        (with(r#""status":"succeeded""#), "image_missing"),
        (with(&format!(r#""status":"failed","imageRef":"{image}""#)), "image_unexpected"),
        (with(&format!(r#""status":"succeeded","imageRef":"{image}","error":{{"code":"x"}}"#)), "error_unexpected"),
        (at.succeeded("not an image"), "image_malformed"),
        (at.succeeded(&format!("{repository}-evil:latest")), "image_repository"),
        (at.succeeded(&format!("evil.test/{repository}:latest")), "image_repository"),
        (at.succeeded(&format!("{repository}:never-pushed")), "image_not_found"),
        (at.succeeded(&format!("{image}@{}", Digest::of(b"other"))), "image_digest_mismatch"),
    ] {
        at.refused(&body, code, REFUSED).await;
    }
    at.stage.world.resolver.push_other(at.request.image.repository(), &Tag::parse("chart").unwrap(), &Digest::of(b"chart"));
    at.refused(&at.succeeded(&format!("{repository}:chart")), "image_not_an_image", REFUSED).await;
    let refusals: Vec<Event> = at.events().await.into_iter().filter(|e| e.kind == EventKind::CallbackRefused).collect();
    let shown = format!("{refusals:?}");
    assert!(!shown.contains(&jwt), "no token on the timeline");
    assert_eq!(at.call(&at.good()).await, Ok(false), "the true report still comes");
}

#[tokio::test(start_paused = true)]
async fn a_tag_alone_is_refused_where_a_digest_is_required() {
    let stage = Stage::with(PipelineConfig::default().with_image_policy(ImagePolicy::RequireDigest));
    let id = stage.world.create(&stage.pipeline, "checkout").await.deployment.deployment.id;
    stage.drain().await;
    let request = stage.world.dispatcher.last_request().unwrap();
    let digest = stage.world.resolver.push_build(&request.image);
    let at = Underway { stage, id, request, digest };
    at.refused(&at.good(), "digest_required", REFUSED).await;
    let by_digest = format!("{}@{}", at.request.image.repository(), at.digest);
    assert_eq!(at.call(&at.succeeded(&by_digest)).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_registry_or_store_is_temporary_and_consumes_nothing() {
    let at = Underway::new().await;
    at.stage.world.resolver.faults().fail("resolve", When::Next(1), || Error::unavailable("fake.resolve", "down"));
    at.refused(&at.good(), "registry_unavailable", None).await;
    at.stage
        .world
        .resolver
        .faults()
        .fail("resolve", When::Next(1), || Error::new(ErrorKind::Timeout, "fake.resolve", "slow"));
    at.refused(&at.good(), "registry_unavailable", None).await;
    assert_eq!(at.call(&at.good()).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_settled_attempt_replays_the_same_and_refuses_another() {
    let at = Underway::new().await;
    assert_eq!(at.call(&at.good()).await, Ok(false));
    let writes = at.stage.store.writes();
    assert_eq!(at.call(&at.good()).await, Ok(true));
    assert_eq!(at.stage.store.writes(), writes, "a replay writes nothing");
    let failed = Builder::body(&at.request, "failed", None);
    at.refused(&failed, "replay_conflict", REFUSED).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_callback_is_recorded_and_changes_nothing() {
    let at = Underway::new().await;
    at.stage.pipeline.cancel(&at.stage.request(), at.id, at.request.revision).await.unwrap();
    at.refused(&at.good(), "revision_terminal", Some(EventKind::CallbackLate)).await;
    assert_eq!(at.stage.newest(at.id).await.state, RevisionState::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn after_watching_the_same_digest_is_a_replay_and_another_report_a_conflict() {
    let at = Underway::new().await;
    let run = at.stage.world.dispatcher.run_of(at.request.revision, 1).unwrap();
    at.stage.world.dispatcher.finish(&run, zopnight_core::domain::RunOutcome::Succeeded);
    for _ in 0..10 {
        at.stage.world.clock.advance(Duration::from_secs(31));
        at.stage.drain().await;
    }
    assert_eq!(at.stage.newest(at.id).await.state, RevisionState::Succeeded);
    let by_digest = format!("{}@{}", at.request.image.repository(), at.digest);
    let writes = at.stage.store.writes();
    assert_eq!(at.call(&at.succeeded(&by_digest)).await, Ok(true));
    assert_eq!(at.stage.store.writes(), writes);
    at.refused(&Builder::body(&at.request, "failed", None), "replay_conflict", REFUSED).await;
}

#[tokio::test(start_paused = true)]
async fn an_earlier_attempt_is_stale() {
    let (stage, id) = Stage::live().await;
    stage.world.dispatcher.plan(zopnight_core::testing::fakes::DispatchScript::UnknownLost);
    stage.push("b").await;
    stage.drain().await;
    let first = stage.world.dispatcher.last_request().unwrap();
    for _ in 0..12 {
        stage.world.clock.advance(Duration::from_secs(61));
        stage.drain().await;
    }
    assert_eq!(stage.world.dispatcher.last_request().unwrap().attempt, 2);
    let digest = stage.world.resolver.push_build(&first.image);
    let at = Underway { stage, id, request: first, digest };
    at.refused(&at.good(), "attempt_stale", REFUSED).await;
}

#[tokio::test(start_paused = true)]
async fn failed_and_cancelled_reports_end_the_revision_with_their_reason() {
    for (status, error, state, code) in [
        ("failed", r#","error":{"code":"plan_failed","message":"cannot be planned"}"#, RevisionState::Failed, "plan_failed"),
        ("failed", "", RevisionState::Failed, "build_failed"),
        ("cancelled", "", RevisionState::Cancelled, "run_cancelled"),
    ] {
        let at = Underway::new().await;
        let jwt = at.request.callback_token.expose().clone();
        assert_eq!(at.call(&at.body(&jwt, &format!(r#""status":"{status}"{error}"#))).await, Ok(false));
        let revision = at.stage.newest(at.id).await;
        assert_eq!((revision.state, revision.reason.unwrap().code().to_owned()), (state, code.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_twenty_refusals_of_an_attempt_are_kept() {
    let at = Underway::new().await;
    let jwt = at.request.callback_token.expose().clone();
    let wrong = at.body(&jwt, r#""status":"odd""#);
    for _ in 0..25 {
        assert_eq!(at.call(&wrong).await, Err("status_unknown"));
    }
    let kept = at.events().await.into_iter().filter(|e| e.kind == EventKind::CallbackRefused).count();
    assert_eq!(kept, 20);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_overtakes_the_dispatch_answer_is_accepted() {
    let (stage, id) = Stage::live().await;
    let gate = stage.world.dispatcher.faults().stall_after("dispatch", When::Next(1));
    stage.push("b").await;
    let store: std::sync::Arc<dyn zopnight_core::ports::Store> = std::sync::Arc::clone(&stage.world.store);
    let worker = stage.world.worker(store, &stage.pipeline);
    let dispatching = tokio::spawn(async move { worker.drain_once().await });
    gate.reached().await;
    let request = stage.world.dispatcher.last_request().unwrap();
    let digest = stage.world.resolver.push_build(&request.image);
    let at = Underway { stage, id, request, digest };
    assert_eq!(at.stage.newest(id).await.state, RevisionState::Queued);
    assert_eq!(at.call(&at.good()).await, Ok(false));
    gate.release();
    dispatching.await.unwrap();
    at.stage.world.settle(&at.stage.pipeline).await;
    assert_eq!(at.stage.newest(id).await.state, RevisionState::Succeeded);
    zopnight_core::testing::sim::check_at_rest(&at.stage.world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_different_callbacks_settle_once() {
    let at = Underway::new().await;
    let jwt = at.request.callback_token.expose().clone();
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let pipeline = at.stage.pipeline.clone();
            let body =
                at.body(&jwt, &format!(r#""status":"failed","error":{{"code":"build_failed","message":"number {n}"}}"#));
            let revision = at.request.revision;
            tokio::spawn(async move { pipeline.complete_build(revision, &body).await })
        })
        .collect();
    let mut codes = Vec::new();
    for call in calls {
        codes.push(call.await.unwrap().map(|_| ()).map_err(|r| r.as_str()));
    }
    assert_eq!(codes.iter().filter(|c| c.is_ok()).count(), 1);
    assert_eq!(codes.iter().filter(|c| **c == Err("replay_conflict")).count(), 99);
}

#[tokio::test(start_paused = true)]
async fn the_digest_is_what_was_resolved_even_if_the_tag_moves_before_the_deploy() {
    let at = Underway::new().await;
    assert_eq!(at.call(&at.good()).await, Ok(false));
    at.stage.world.resolver.push(at.request.image.repository(), at.request.image.tag().unwrap(), &Digest::of(b"moved"));
    at.stage.world.settle(&at.stage.pipeline).await;
    assert_eq!(at.stage.running(at.id).await.digest, at.digest);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_log_link_is_dropped_and_noted() {
    let at = Underway::new().await;
    let jwt = at.request.callback_token.expose().clone();
    let members = format!(r#""status":"succeeded","imageRef":"{}","logTailUrl":"https://evil.test/1""#, at.request.image);
    assert_eq!(at.call(&at.body(&jwt, &members)).await, Ok(false));
    assert!(at.events().await.iter().any(|e| e.kind == EventKind::CallbackLogUrlDropped));
}
