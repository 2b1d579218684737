//! Webhooks of GitHub: the conformance suite, each step of verification and reading, each kind of event.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod changes;
mod events;
mod examples;
mod kit;
mod pull_requests;
mod random;
mod refs;
mod steps;
mod suite;
