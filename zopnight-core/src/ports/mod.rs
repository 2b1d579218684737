//! The ports: what the pipeline asks of the world.
//!
//! # How to write an adapter
//!
//! 1. Depend on `zopnight-core` and implement the trait. Every port is object-safe, `Debug + Send + Sync + 'static`, has no
//!    default bodies and returns [`crate::Result`].
//! 2. Keep a private error of your own and convert it **at the call**, where the cause is known: choose the
//!    [`crate::ErrorKind`] by what the caller should do, set [`crate::Retry`] (the worker reads nothing else), add the
//!    context key `code`. No secret in a message.
//! 3. Take time, randomness and configuration as arguments ([`Clock`], [`Random`], plain structs with `Default` and
//!    `with_*`); read no environment. Bound everything you read, give everything you await a deadline.
//! 4. Keep types of your client library out of public signatures; only your own constructor may take the client.
//! 5. Begin your test module with the port's conformance suite from `zopnight_core::testing` (feature `testing`): one macro
//!    line stamps one test a case. Then test only what is special to you. `examples/custom_adapter` is a complete third
//!    party's adapter.
//!
//! ```
//! use async_trait::async_trait;
//! use zopnight_core::domain::RevisionReport;
//! use zopnight_core::ports::StatusReporter;
//!
//! /// Prints what the forge would be told.
//! #[derive(Debug)]
//! struct Printer;
//!
//! #[async_trait]
//! impl StatusReporter for Printer {
//!     async fn report(&self, report: &RevisionReport) -> zopnight_core::Result<()> {
//!         println!("{} is {}", report.commit, report.state.as_str());
//!         Ok(())
//!     }
//! }
//! ```

pub mod analyzer;
pub mod build_dispatcher;
pub mod clock;
pub mod cluster_applier;
pub mod delivery_log;
pub mod image_resolver;
pub mod job_queue;
pub mod release_progress;
pub mod repo_source;
pub mod revision_store;
pub mod source_tree;
pub mod status_reporter;
pub mod tenant_directory;
pub mod webhook_decoder;

pub use analyzer::{AnalyzeRequest, Analyzer};
pub use build_dispatcher::BuildDispatcher;
pub use clock::{Clock, Random};
pub use cluster_applier::{ClusterApplier, ReleaseRequest};
pub use delivery_log::DeliveryLog;
pub use image_resolver::{ImageResolver, ResolveRequest};
pub use job_queue::JobQueue;
pub use release_progress::ReleaseProgress;
pub use repo_source::{
    At, BranchPage, BranchesRequest, Head, HeadsRequest, RepoSource, RepositoriesRequest, RepositoryPage, Snapshot,
    SnapshotRequest,
};
pub use revision_store::{RevisionStore, Store};
pub use source_tree::{EntryKind, FileContent, Listing, ReadRequest, SourceTree, TreeEntry};
pub use status_reporter::StatusReporter;
pub use tenant_directory::TenantDirectory;
pub use webhook_decoder::{WebhookDecoder, WebhookRequest};

/// mockall mocks of every port (feature `mock`).
#[cfg(feature = "mock")]
pub mod mock {
    pub use super::analyzer::MockAnalyzer;
    pub use super::build_dispatcher::MockBuildDispatcher;
    pub use super::clock::{MockClock, MockRandom};
    pub use super::cluster_applier::MockClusterApplier;
    pub use super::delivery_log::MockDeliveryLog;
    pub use super::image_resolver::MockImageResolver;
    pub use super::job_queue::MockJobQueue;
    pub use super::release_progress::MockReleaseProgress;
    pub use super::repo_source::MockRepoSource;
    pub use super::revision_store::MockRevisionStore;
    pub use super::source_tree::MockSourceTree;
    pub use super::status_reporter::MockStatusReporter;
    pub use super::tenant_directory::MockTenantDirectory;
    pub use super::webhook_decoder::MockWebhookDecoder;
}
