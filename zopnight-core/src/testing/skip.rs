//! Saying plainly that a test was skipped.

use std::io::Write as _;

/// Tells, on the real standard error so that it is seen without `--nocapture`, that a test is skipped and why.
///
/// Call it where a test's outside part (a server, a program, a set of data) is absent, and return.
///
/// # Panics
/// If `ZOPNIGHT_REQUIRE_SERVICES=1`: then nothing may be skipped.
pub fn skipped(why: &str) {
    #[expect(clippy::disallowed_methods, reason = "the switch of the test run, not configuration of a library")]
    let required = std::env::var("ZOPNIGHT_REQUIRE_SERVICES").is_ok_and(|v| v == "1");
    assert!(!required, "ZOPNIGHT_REQUIRE_SERVICES=1, but {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}
