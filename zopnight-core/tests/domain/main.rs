//! The domain's values and pure rules.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod branch_git;
mod egress;
mod events;
mod grammar;
mod job_state;
mod jobs;
mod limits;
mod redact;
mod repo_path;
mod revision_state;
mod text;
mod time;
mod urls;
