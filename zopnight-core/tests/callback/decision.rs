//! What a verified callback may do, by the state of its revision and its attempt.

use zopnight_core::callback::testing::decide;
use zopnight_core::callback::{CallbackBody, CallbackClaims, CallbackRefusal as R, Decision};
use zopnight_core::domain::{
    Actor, AttemptId, BranchName, BuildAttempt, BuildSpec, Cause, CommitInfo, CommitSha, DeployedImage, DeploymentId,
    Digest, DispatchState, ImageRepository, Namespace, OrgId, Revision, RevisionId, RevisionNumber, RevisionState as S,
    Rollout, RuntimeSpec, Settled, SpaceId, Target, Timestamp,
};

use crate::common::{claims, revision as revision_id};

const FAILED: &str = r#"{"jwt":"x","status":"failed","error":{"code":"oom"}}"#;

fn at() -> Timestamp {
    Timestamp::from_micros(0)
}

fn body(json: &str) -> CallbackBody {
    CallbackBody::parse(json.as_bytes()).unwrap()
}

fn built_image() -> DeployedImage {
    DeployedImage { repository: claims().image_repository, digest: Digest::of(b"manifest") }
}

fn succeeded(reference: &str) -> CallbackBody {
    body(&serde_json::json!({"jwt": "x", "status": "succeeded", "imageRef": reference}).to_string())
}

fn revision(state: S) -> Revision {
    let claims = claims();
    Revision {
        org: claims.org,
        deployment: claims.deployment,
        id: revision_id(),
        number: RevisionNumber::new(1).unwrap(),
        state,
        version: 1,
        cause: Cause::Create,
        commit: CommitInfo::of(claims.commit),
        branch: BranchName::parse("main").unwrap(),
        actor: Actor::unknown(),
        build: BuildSpec::default(),
        runtime: RuntimeSpec::default(),
        target: Target {
            space: SpaceId::parse("space").unwrap(),
            namespace: Namespace::parse("apps").unwrap(),
            image_repository: claims.image_repository,
        },
        plan: None,
        image: (!state.is_before_built()).then(built_image),
        reason: None,
        superseded_by: None,
        rollout: Rollout::default(),
        created_at: at(),
        build_started_at: None,
        built_at: None,
        deploy_started_at: None,
        finished_at: None,
        updated_at: at(),
    }
}

/// The claims' attempt: open, or settled by this body.
fn attempt(settled: Option<Settled>, by: Option<&CallbackBody>) -> BuildAttempt {
    let claims = claims();
    BuildAttempt {
        jti: claims.attempt,
        revision: claims.revision,
        number: claims.number,
        image_repository: claims.image_repository,
        commit: claims.commit,
        deadline: at(),
        dispatch: DispatchState::Accepted,
        run: None,
        settled,
        outcome: None,
        body_digest: by.map(CallbackBody::digest),
        refusals: 0,
        last_refusal: None,
        opened_at: at(),
        dispatched_at: None,
        closed_at: settled.map(|_| at()),
    }
}

fn other_attempt(number: u32) -> BuildAttempt {
    let jti = AttemptId::parse(&format!("0192f0c5-0000-7000-8000-00000000000{}", number + 1)).unwrap();
    BuildAttempt { jti, number, ..attempt(None, None) }
}

fn refused(state: S, attempts: &[BuildAttempt], claims: &CallbackClaims, body: &CallbackBody) -> Option<R> {
    match decide(&revision(state), attempts, claims, body) {
        Decision::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

#[test]
fn an_open_attempt_of_a_queued_or_building_revision_is_settled() {
    for state in [S::Queued, S::Building] {
        let attempts = [attempt(None, None)];
        assert_eq!(decide(&revision(state), &attempts, &claims(), &body(FAILED)), Decision::Proceed(&attempts[0]));
        let nonsense = body(r#"{"jwt":"x","status":"nonsense"}"#);
        assert_eq!(decide(&revision(state), &attempts, &claims(), &nonsense), Decision::Proceed(&attempts[0]));
    }
}

#[test]
fn claims_that_differ_from_the_record_are_a_binding_mismatch_whatever_the_state() {
    let changed: [fn(&mut CallbackClaims); 5] = [
        |c| c.org = OrgId::parse("org_other").unwrap(),
        |c| c.deployment = DeploymentId::parse("0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c19").unwrap(),
        |c| c.revision = RevisionId::parse("0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c19").unwrap(),
        |c| c.image_repository = ImageRepository::parse("registry.example.test/acme/other").unwrap(),
        |c| c.commit = CommitSha::parse(&"b".repeat(40)).unwrap(),
    ];
    for state in S::ALL {
        for change in changed {
            let mut other = claims();
            change(&mut other);
            for attempts in [vec![attempt(None, None)], vec![], vec![other_attempt(1)]] {
                assert_eq!(refused(state, &attempts, &other, &body(FAILED)), Some(R::BindingMismatch), "{state:?}");
            }
        }
        let moved = BuildAttempt {
            image_repository: ImageRepository::parse("registry.example.test/acme/other").unwrap(),
            ..attempt(None, None)
        };
        assert_eq!(refused(state, &[moved], &claims(), &body(FAILED)), Some(R::BindingMismatch));
        let recommitted = BuildAttempt { commit: CommitSha::parse(&"b".repeat(40)).unwrap(), ..attempt(None, None) };
        assert_eq!(refused(state, &[recommitted], &claims(), &body(FAILED)), Some(R::BindingMismatch));
    }
}

#[test]
fn an_attempt_is_known_by_id_and_number() {
    for state in S::ALL {
        assert_eq!(refused(state, &[], &claims(), &body(FAILED)), Some(R::AttemptUnknown), "{state:?}");
        assert_eq!(refused(state, &[other_attempt(1)], &claims(), &body(FAILED)), Some(R::AttemptUnknown));
        let misnumbered = CallbackClaims { number: 2, ..claims() };
        assert_eq!(refused(state, &[attempt(None, None)], &misnumbered, &body(FAILED)), Some(R::AttemptUnknown));
    }
}

#[test]
fn an_earlier_attempt_is_stale_whatever_settled_it() {
    for state in S::ALL {
        for settled in [None, Some(Settled::NotStarted), Some(Settled::Callback), Some(Settled::Watch)] {
            let attempts = [attempt(settled, Some(&body(FAILED))), other_attempt(2)];
            assert_eq!(refused(state, &attempts, &claims(), &body(FAILED)), Some(R::AttemptStale), "{state:?} {settled:?}");
        }
    }
}

#[test]
fn a_repeated_report_is_answered_with_the_recorded_outcome_and_another_one_conflicts() {
    let other = body(r#"{"jwt":"x","status":"failed","error":{"code":"timeout"}}"#);
    let unknown = body(r#"{"jwt":"x","status":"nonsense"}"#);
    for state in S::ALL {
        let attempts = [attempt(Some(Settled::Callback), Some(&body(FAILED)))];
        assert_eq!(decide(&revision(state), &attempts, &claims(), &body(FAILED)), Decision::Replay, "{state:?}");
        assert_eq!(refused(state, &attempts, &claims(), &other), Some(R::ReplayConflict), "{state:?}");
        assert_eq!(refused(state, &attempts, &claims(), &unknown), Some(R::ReplayConflict), "{state:?}");
        let forgotten = [attempt(Some(Settled::Callback), None)];
        assert_eq!(refused(state, &forgotten, &claims(), &body(FAILED)), Some(R::ReplayConflict), "{state:?}");
    }
}

#[test]
fn an_ended_revision_takes_no_late_report() {
    for state in [S::Superseded, S::Cancelled, S::TimedOut, S::Failed] {
        for settled in [None, Some(Settled::Watch), Some(Settled::NotStarted), Some(Settled::Ended)] {
            for report in [body(FAILED), succeeded(&built_image().to_string())] {
                let attempts = [attempt(settled, None)];
                assert_eq!(refused(state, &attempts, &claims(), &report), Some(R::RevisionTerminal), "{state:?}");
            }
        }
    }
}

#[test]
fn after_watching_only_the_same_digest_is_a_repetition() {
    let image = built_image();
    let same = succeeded(&image.to_string());
    let tagged = succeeded(&format!("{}:v1@{}", image.repository, image.digest));
    for state in [S::Built, S::Deploying, S::Succeeded] {
        let attempts = [attempt(Some(Settled::Watch), None)];
        for report in [&same, &tagged] {
            assert_eq!(decide(&revision(state), &attempts, &claims(), report), Decision::Replay, "{state:?}");
        }
        for other in [
            body(FAILED),
            body(r#"{"jwt":"x","status":"cancelled"}"#),
            body(r#"{"jwt":"x","status":"nonsense"}"#),
            succeeded(&format!("{}:v1", image.repository)),
            succeeded(&format!("{}@{}", image.repository, Digest::of(b"other"))),
            succeeded(&format!("registry.example.test/acme/other@{}", image.digest)),
            succeeded("nonsense"),
        ] {
            assert_eq!(refused(state, &attempts, &claims(), &other), Some(R::ReplayConflict), "{state:?} {other:?}");
        }
        for settled in [None, Some(Settled::NotStarted), Some(Settled::Ended)] {
            assert_eq!(refused(state, &[attempt(settled, None)], &claims(), &same), Some(R::ReplayConflict), "{settled:?}");
        }
    }
}

#[test]
fn a_closed_attempt_settles_nothing_more() {
    for state in [S::Queued, S::Building] {
        for settled in [Settled::Watch, Settled::NotStarted, Settled::Ended] {
            let attempts = [attempt(Some(settled), None)];
            assert_eq!(refused(state, &attempts, &claims(), &body(FAILED)), Some(R::AttemptStale), "{state:?} {settled:?}");
        }
    }
}

#[test]
fn no_input_but_an_open_newest_attempt_before_built_proceeds() {
    let bodies = [body(FAILED), succeeded(&built_image().to_string()), body(r#"{"jwt":"x","status":"?"}"#)];
    let settled = [None, Some(Settled::Callback), Some(Settled::Watch), Some(Settled::NotStarted), Some(Settled::Ended)];
    for state in S::ALL {
        for settled in settled {
            for body in &bodies {
                for newer in [false, true] {
                    let mut attempts = vec![attempt(settled, Some(body))];
                    attempts.extend(newer.then(|| other_attempt(2)));
                    let proceeds = matches!(decide(&revision(state), &attempts, &claims(), body), Decision::Proceed(a) if a.number == 1);
                    assert_eq!(proceeds, state.is_before_built() && settled.is_none() && !newer);
                }
            }
        }
    }
}
