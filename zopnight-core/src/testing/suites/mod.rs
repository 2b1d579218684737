//! Conformance suites: functions over a port, stamped into one test a case by a macro line.

pub mod analyzer;
pub mod applier;
pub mod build_dispatcher;
pub mod catalog;
pub mod delivery_log;
pub mod fixtures;
pub mod harness;
pub mod interleave;
pub mod queue;
pub mod repo_source;
pub mod resolver;
pub mod source_tree;
pub mod status_reporter;
mod stepper;
pub mod store;
pub mod webhook_decoder;

/// Stamps the named cases of a suite; the suites' own macros call it.
#[doc(hidden)]
#[macro_export]
macro_rules! stamp_suite {
    ($name:ident, $factory:expr, $suite:ident, [$($case:ident),* $(,)?]) => {
        mod $name {
            use super::*;

            $(
                #[tokio::test]
                async fn $case() {
                    let harness = ($factory)().await;
                    $crate::testing::suites::$suite::$case(&harness).await;
                }
            )*
        }
    };
}
