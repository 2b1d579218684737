//! The table of refusals, row by row.

use std::time::Duration;

use zopnight_core::callback::CallbackRefusal;
use zopnight_core::domain::EventKind;
use zopnight_core::{ErrorKind, Retry};

use ErrorKind::{Conflict, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated, Unavailable};

const AFTER: Retry = Retry::After(Duration::from_secs(5));

/// Code, status, kind, recorded on the deployment, retry. In the order in which a callback is checked.
const TABLE: &[(&str, u16, ErrorKind, bool, Retry)] = &[
    ("content_type", 415, Invalid, false, Retry::Never),
    ("body_too_large", 413, Invalid, false, Retry::Never),
    ("body_timeout", 408, Invalid, false, Retry::Never),
    ("body_malformed", 400, Invalid, false, Retry::Never),
    ("token_malformed", 401, Unauthenticated, false, Retry::Never),
    ("header_refused", 401, Unauthenticated, false, Retry::Never),
    ("key_unknown", 401, Unauthenticated, false, Retry::Never),
    ("signature", 401, Unauthenticated, false, Retry::Never),
    ("claims_malformed", 401, Unauthenticated, false, Retry::Never),
    ("issuer", 401, Unauthenticated, false, Retry::Never),
    ("audience", 401, Unauthenticated, false, Retry::Never),
    ("expired", 401, Unauthenticated, false, Retry::Never),
    ("not_yet_valid", 401, Unauthenticated, false, Retry::Never),
    ("issued_in_future", 401, Unauthenticated, false, Retry::Never),
    ("lifetime", 401, Unauthenticated, false, Retry::Never),
    ("subject_mismatch", 401, Unauthenticated, false, Retry::Never),
    ("revision_unknown", 404, NotFound, false, Retry::Never),
    ("binding_mismatch", 403, Forbidden, true, Retry::Never),
    ("attempt_unknown", 403, Forbidden, true, Retry::Never),
    ("attempt_stale", 409, Conflict, true, Retry::Never),
    ("replay_conflict", 409, Conflict, true, Retry::Never),
    ("revision_terminal", 409, Conflict, true, Retry::Never),
    ("status_unknown", 400, Invalid, true, Retry::Never),
    ("image_missing", 400, Invalid, true, Retry::Never),
    ("image_unexpected", 400, Invalid, true, Retry::Never),
    ("error_unexpected", 400, Invalid, true, Retry::Never),
    ("image_malformed", 400, Invalid, true, Retry::Never),
    ("image_repository", 403, Forbidden, true, Retry::Never),
    ("digest_required", 400, Invalid, true, Retry::Never),
    ("image_not_found", 409, Conflict, true, Retry::Never),
    ("image_digest_mismatch", 409, Conflict, true, Retry::Never),
    ("image_not_an_image", 409, Conflict, true, Retry::Never),
    ("registry_unavailable", 503, Unavailable, false, AFTER),
    ("unavailable", 503, Unavailable, false, AFTER),
    ("busy", 503, Unavailable, false, AFTER),
    ("rate_limited", 429, RateLimited, false, Retry::Never),
];

#[test]
fn every_refusal_is_a_row_and_every_row_a_refusal() {
    assert_eq!(CallbackRefusal::ALL.len(), TABLE.len());
    for (refusal, (code, status, kind, recorded, retry)) in CallbackRefusal::ALL.iter().zip(TABLE) {
        assert_eq!(refusal.as_str(), *code);
        assert_eq!(refusal.to_string(), *code);
        assert_eq!(CallbackRefusal::from_code(code), Some(*refusal));
        assert_eq!(refusal.status(), *status, "{code}");
        assert_eq!(refusal.kind(), *kind, "{code}");
        assert_eq!(refusal.is_recorded(), *recorded, "{code}");
        let error = refusal.into_error();
        assert_eq!((error.kind(), error.retry()), (*kind, *retry), "{code}");
        assert_eq!(error.context("refusal"), Some(*code));
        let event = match *code {
            "revision_terminal" => Some(EventKind::CallbackLate),
            _ => recorded.then_some(EventKind::CallbackRefused),
        };
        assert_eq!(refusal.event(), event, "{code}");
    }
    assert_eq!(CallbackRefusal::from_code("nonsense"), None);
}

#[test]
fn a_refused_token_does_not_say_why_and_everything_else_does() {
    for refusal in CallbackRefusal::ALL {
        let error = refusal.into_error();
        if refusal.status() == 401 {
            assert_eq!(error.code_or_kind(), "unauthenticated", "{refusal}");
            assert_eq!(error.message(), "callback token refused", "{refusal}");
        } else {
            assert_eq!(error.code(), Some(refusal.as_str()));
        }
    }
}

#[test]
fn nothing_is_recorded_before_the_signature_verified() {
    let unproven = CallbackRefusal::ALL.iter().take_while(|r| **r != CallbackRefusal::RevisionUnknown);
    assert!(unproven.clone().count() >= 16);
    assert!(unproven.clone().all(|r| !r.is_recorded() && r.event().is_none()));
}
