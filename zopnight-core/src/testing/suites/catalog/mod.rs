//! What every [`RevisionStore`](crate::ports::RevisionStore) keeps. Stamped by [`store_suite!`](crate::store_suite).

/// Stamps the catalog's cases; `store_suite!` calls it.
#[doc(hidden)]
#[macro_export]
macro_rules! catalog_cases {
    ($factory:expr) => {};
}
