//! Lines of the timeline and reasons: named, cut and redacted.

use proptest::prelude::*;
use zopnight_core::Error;
use zopnight_core::domain::*;

/// The audit events that the product promises.
const KINDS: &[&str] = &[
    "deployment.created",
    "deployment.config_changed",
    "deployment.deleting",
    "deployment.deleted",
    "revision.queued",
    "revision.building",
    "revision.built",
    "revision.deploying",
    "revision.succeeded",
    "revision.failed",
    "revision.timed_out",
    "revision.cancelled",
    "revision.superseded",
    "build.attempt",
    "build.dispatched",
    "build.dispatch_unknown",
    "build.dispatch_settled",
    "build.run_cancelled",
    "callback.refused",
    "callback.late",
    "callback.log_url_dropped",
    "image.resolved",
    "webhook.accepted",
    "webhook.duplicate",
    "webhook.conflict",
    "webhook.recovered",
    "webhook.ignored",
    "deploy.credentials_minted",
    "deploy.applied",
    "deploy.fenced",
    "deploy.release_unlocked",
    "deploy.rollout",
    "rollback.requested",
    "redeploy.requested",
    "cancel.requested",
    "config.env_looks_secret",
    "target.not_granted",
    "integration.disconnected",
    "status.refused",
    "job.parked",
    "job.lease_lost",
];
const TOKEN: &str = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6";

#[test]
fn every_promised_kind_exists_and_no_other() {
    let names: Vec<&str> = EventKind::ALL.iter().map(|k| k.as_str()).collect();
    assert_eq!(names, KINDS);
    for kind in EventKind::ALL {
        assert_eq!(EventKind::from_name(kind.as_str()), Some(*kind));
    }
    assert_eq!(EventKind::from_name("revision.exploded"), None);
}

#[test]
fn messages_are_cut_at_a_kibibyte_and_redacted() {
    let message = |text: &str| NewEvent::new(EventKind::JobParked, text).message;
    assert_eq!(message(&"x".repeat(1_024)), "x".repeat(1_024));
    assert_eq!(message(&"x".repeat(1_025)).len(), 1_024);
    assert!(message(&"é".repeat(600)).len() <= 1_024);
    assert_eq!(message("a\u{202e}b\u{7}c"), "abc");
    assert_eq!(message(&format!("used {TOKEN}.")), "used [redacted].");
    assert!(
        !message(&format!("{}{TOKEN}", "x".repeat(1_000))).contains("ghp_"),
        "a cut must not hide a secret from the pattern"
    );
}

fn data_bytes(event: &NewEvent) -> usize {
    serde_json::to_string(&event.data).unwrap().len()
}

#[test]
fn data_keeps_within_eight_kibibytes_and_is_redacted() {
    let event = NewEvent::new(EventKind::CallbackRefused, "m")
        .with("refusal", "signature")
        .with("attempt", 3_u32)
        .with("late", true);
    assert_eq!(serde_json::to_string(&event.data).unwrap(), r#"{"attempt":3,"late":true,"refusal":"signature"}"#);
    let token = NewEvent::new(EventKind::CallbackRefused, "m").with("url", format!("https://x?{TOKEN}"));
    assert_eq!(token.data.get("url"), Some(&EventValue::Text("https://x?[redacted]".into())));
    for text in ["x".repeat(20_000), "\"".repeat(20_000), "é\u{1}\n".repeat(9_000)] {
        let mut event = NewEvent::new(EventKind::JobParked, "m");
        for n in 0..40 {
            event = event.with(&format!("key{n}"), text.as_str()).with("n", n as u32);
            assert!(data_bytes(&event) <= NewEvent::MAX_DATA, "{}", data_bytes(&event));
        }
        assert!(data_bytes(&event) > NewEvent::MAX_DATA / 3, "{}", data_bytes(&event));
    }
    let many = (0..2_000_u32).fold(NewEvent::new(EventKind::JobParked, "m"), |e, n| e.with(&format!("{n:040}"), n));
    assert!(data_bytes(&many) <= NewEvent::MAX_DATA);
}

#[test]
fn data_survives_its_json() {
    let event = NewEvent::new(EventKind::JobParked, "m").with("a", true).with("b", 7_u32).with("c", "7").with("d", "true");
    let json = serde_json::to_string(&event.data).unwrap();
    assert_eq!(serde_json::from_str::<EventData>(&json).unwrap(), event.data);
}

#[test]
fn reasons_are_coded_cut_and_redacted() {
    let reason = Reason::new("oom_killed", &format!("the \u{202e}builder used {TOKEN}"));
    assert_eq!((reason.code(), reason.message()), ("oom_killed", "the builder used [redacted]"));
    for bad in ["", "OOM", "a-b", &"x".repeat(41)] {
        assert_eq!(Reason::new(bad, "m").code(), "internal", "{bad}");
    }
    assert_eq!(Reason::new(&"x".repeat(40), "m").code().len(), 40);
    assert_eq!(Reason::new("a", &"x".repeat(1_024)).message().len(), 1_024);
    assert_eq!(Reason::new("a", &"x".repeat(1_025)).message().len(), 1_024);
    let error = Error::conflict("op", "cluster_unauthorized", "no").with("x", "y");
    assert_eq!(Reason::from_error(&error), Reason::new("cluster_unauthorized", "no"));
    assert_eq!(Reason::from_error(&Error::internal("op", "broken")).code(), "internal");
}

#[test]
fn job_errors_keep_their_bounds_also_when_read_back() {
    let error = JobError::new(&"c".repeat(60), &format!("{} {TOKEN}", "é".repeat(600)));
    assert!(error.code().len() <= 40 && error.message().len() <= 1_024);
    let json = serde_json::json!({"code": "c".repeat(60), "message": format!("{TOKEN} {}", "m".repeat(5_000))}).to_string();
    let read: JobError = serde_json::from_str(&json).unwrap();
    assert!(read.code().len() <= 40 && read.message().len() <= 1_024 && !read.message().contains("ghp_"));
    let again: JobError = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(again, read);
}

proptest! {
    #[test]
    fn no_text_breaks_a_line(message: String, key: String, value: String) {
        let event = NewEvent::new(EventKind::JobParked, message).with(&key, value);
        prop_assert!(event.message.len() <= NewEvent::MAX_MESSAGE && data_bytes(&event) <= NewEvent::MAX_DATA);
    }
}
