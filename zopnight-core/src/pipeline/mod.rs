//! The use cases: everything a host, the HTTP routes and the worker can ask for.
//!
//! [`Pipeline`] holds one store and the ports; it is a cheap clone. Each use case reads, decides with the pure rules of
//! [`crate::domain`], and writes by one [`crate::ports::RevisionStore::apply`]; when that finds the rows changed meanwhile, it
//! reads and decides again. Nothing else changes a revision.

mod access;
mod answers;
mod build;
mod builder;
mod cancel;
mod cancel_run;
mod complete;
mod configure;
mod create;
mod decide;
mod deploy;
mod end;
mod forge;
mod give_up;
mod jobs;
mod plan;
mod progress;
mod push;
mod reads;
mod reconcile;
mod redeploy;
mod report;
mod requests;
mod rollback;
mod supersede;
mod sweep;
mod teardown;
mod watch;
mod webhook;

pub use answers::{
    Accepted, AnalysisOf, BranchesAnswer, Completed, ListedRepository, RepositoriesAnswer, WebhookAnswer, WebhookOutcome,
};
pub use builder::{Pipeline, PipelineBuilder};
pub use jobs::Handled;
pub use requests::{
    AnalyzeQuery, BranchesQuery, ConfigChange, DeploymentSpec, RedeployRequest, RepositoriesCursor, RepositoriesQuery,
    RequestContext, RollbackTo, SourceSpec,
};
