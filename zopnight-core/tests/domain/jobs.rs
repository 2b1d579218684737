//! Jobs: their payloads, keys and bounds.

use std::time::Duration;

use proptest::prelude::*;
use zopnight_core::domain::*;

fn revision(n: u128) -> RevisionId {
    RevisionId::parse(&uuid::Uuid::from_u128(n).to_string()).unwrap()
}

fn attempt(n: u128) -> AttemptId {
    AttemptId::parse(&uuid::Uuid::from_u128(n).to_string()).unwrap()
}

fn deployment(n: u128) -> DeploymentId {
    DeploymentId::parse(&uuid::Uuid::from_u128(n).to_string()).unwrap()
}

/// Instants as JSON keeps them: whole milliseconds.
fn times() -> impl Strategy<Value = Timestamp> {
    (-62_167_219_200_000_i64..253_402_300_800_000).prop_map(|ms| Timestamp::from_micros(ms * 1_000))
}

fn deliveries() -> impl Strategy<Value = DeliveryId> {
    let sha = || "[1-9a-f]{40}".prop_map(|s| CommitSha::parse(&s).unwrap());
    prop_oneof![
        "[!-~]{1,255}".prop_map(|s| DeliveryId::parse(&s).unwrap()),
        (any::<u32>(), sha()).prop_map(|(n, sha)| DeliveryId::head(n, &sha)),
    ]
}

fn payloads() -> impl Strategy<Value = JobPayload> {
    let revision_job = || any::<u128>().prop_map(|n| RevisionJob { revision: revision(n) });
    let watch = (any::<u128>(), any::<u128>(), times(), any::<u32>(), prop::option::of(times())).prop_map(
        |(r, j, deadline, looks, finished_at)| WatchBuildJob {
            revision: revision(r),
            jti: attempt(j),
            deadline,
            looks,
            finished_at,
        },
    );
    let cancel = (any::<u128>(), any::<u128>(), any::<bool>()).prop_map(|(r, j, force)| CancelRunJob {
        revision: revision(r),
        jti: attempt(j),
        force,
    });
    let org = "[A-Za-z0-9._:-]{1,128}".prop_map(|o| OrgId::parse(&o).unwrap());
    let after = prop::option::of((org, any::<u128>()).prop_map(|(org, id)| DeploymentRef { org, id: deployment(id) }));
    let periodic = (prop::option::of(times()), after).prop_map(|(since, after)| SweepJob::Periodic { since, after });
    let head = prop::option::of("[1-9a-f]{64}".prop_map(|s| CommitSha::parse(&s).unwrap()));
    let one = (any::<u128>(), prop::option::of(deliveries()), head).prop_map(|(d, delivery, head)| SweepJob::One {
        deployment: deployment(d),
        delivery,
        head,
    });
    prop_oneof![
        revision_job().prop_map(JobPayload::Build),
        revision_job().prop_map(JobPayload::Deploy),
        revision_job().prop_map(JobPayload::ReportStatus),
        watch.prop_map(JobPayload::WatchBuild),
        any::<u128>().prop_map(|d| JobPayload::Teardown(TeardownJob { deployment: deployment(d) })),
        cancel.prop_map(JobPayload::CancelRun),
        periodic.prop_map(JobPayload::Sweep),
        one.prop_map(JobPayload::Sweep),
    ]
}

proptest! {
    #[test]
    fn payloads_come_back_as_they_went(payload in payloads()) {
        let json = payload.to_json().unwrap();
        prop_assert!(json.len() <= JobPayload::MAX_BYTES && json.contains("\"v\":1"));
        prop_assert_eq!(JobPayload::from_json(payload.kind(), &json).unwrap(), payload.clone());
        let job = NewJob::new(JobId::from_uuid(uuid::Uuid::nil()), Scope::System, Some(deployment(1)), payload);
        prop_assert!(job.check().is_ok());
        prop_assert!(job.serial.iter().chain(job.dedupe.iter().map(|d| &d.key)).all(|k| k.belongs_to(job.kind.lane())));
    }

    #[test]
    fn any_stored_text_is_answered(text in crate::grammar::texts()) {
        for kind in JobKind::ALL {
            let _ = JobPayload::from_json(kind, &text);
            let _ = JobPayload::from_json(kind, &format!("{{\"v\":1,\"revision\":{text:?}}}"));
        }
    }
}

#[test]
fn the_stored_form_is_this_one() {
    let id = "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11";
    let build = JobPayload::Build(RevisionJob { revision: RevisionId::parse(id).unwrap() });
    assert_eq!(build.to_json().unwrap(), format!(r#"{{"v":1,"revision":"{id}"}}"#));
    let periodic = JobPayload::Sweep(SweepJob::Periodic { since: None, after: None });
    assert_eq!(periodic.to_json().unwrap(), r#"{"v":1,"of":"periodic","since":null,"after":null}"#);
    let old = format!(r#"{{"v":1,"revision":"{id}","jti":"{id}"}}"#);
    let cancel = JobPayload::CancelRun(CancelRunJob {
        revision: RevisionId::parse(id).unwrap(),
        jti: id.parse().unwrap(),
        force: false,
    });
    assert_eq!(JobPayload::from_json(JobKind::CancelRun, &old).unwrap(), cancel, "later fields have defaults");
}

#[test]
fn a_payload_of_another_version_or_kind_is_refused() {
    let id = "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11";
    for json in [
        "",
        "{}",
        "null",
        "[1]",
        r#"{"v":1}"#,
        r#"{"v":2,"revision":"0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11"}"#,
        r#"{"v":1,"revision":"x"}"#,
    ] {
        assert!(JobPayload::from_json(JobKind::Build, json).is_err(), "{json}");
    }
    let build = format!(r#"{{"v":1,"revision":"{id}"}}"#);
    for kind in [JobKind::WatchBuild, JobKind::CancelRun, JobKind::Teardown, JobKind::Sweep] {
        assert!(JobPayload::from_json(kind, &build).is_err(), "{kind:?}");
    }
}

#[test]
fn keys_live_in_one_lane() {
    for lane in Lane::ALL {
        for other in Lane::ALL.into_iter().filter(|o| *o != lane) {
            assert!(lane.key_prefixes().iter().all(|p| !other.key_prefixes().contains(p)), "{lane:?} {other:?}");
        }
        assert_eq!(Lane::from_name(lane.as_str()), Some(lane));
    }
    assert!(JobKey::parse("deploy:x").unwrap().belongs_to(Lane::Deploy));
    assert!(!JobKey::parse("deployx:x").unwrap().belongs_to(Lane::Deploy));
    for kind in JobKind::ALL {
        assert_eq!(JobKind::from_name(kind.as_str()), Some(kind));
    }
}

#[test]
fn bounds_of_a_new_job() {
    let job = || {
        NewJob::new(
            JobId::from_uuid(uuid::Uuid::nil()),
            Scope::System,
            None,
            JobPayload::Build(RevisionJob { revision: revision(1) }),
        )
    };
    let thirty_days = Duration::from_secs(30 * 86_400);
    assert!(job().after(thirty_days).check().is_ok());
    assert!(job().after(thirty_days + Duration::from_nanos(1)).check().is_err());
    let mut other_kind = job();
    other_kind.kind = JobKind::Deploy;
    assert!(other_kind.check().is_err());
    let mut other_lane = job();
    other_lane.serial = Some(JobKey::parse("deploy:x").unwrap());
    assert!(other_lane.check().is_err());
}

#[test]
fn pauses_grow_to_their_cap_and_never_overflow() {
    for kind in JobKind::ALL {
        let policy = kind.policy();
        let pauses: Vec<Duration> = (0..200).map(|n| policy.backoff(n)).collect();
        assert!(pauses.is_sorted() && pauses[0] == Duration::from_secs(1), "{kind:?}");
        assert_eq!(policy.backoff(u32::MAX), policy.cap, "{kind:?}");
    }
    assert_eq!(JobKind::Deploy.policy().backoff(3), Duration::from_secs(81));
}
