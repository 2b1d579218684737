//! What a store can meet, by what to do about it.

use std::time::Duration;

use sqlx::error::DatabaseError;
use zopnight_core::domain::Applied;
use zopnight_core::{Error, ErrorKind, Retry};

/// A failure, told apart by what the store does about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another transaction was in the way: run again.
    #[error("the database is busy")]
    Conflict(#[source] sqlx::Error),
    /// A unique key is taken: run again, and the look-up finds its row.
    #[error("a unique key is taken")]
    Unique(#[source] sqlx::Error),
    /// Any other constraint: a defect of ours.
    #[error("a constraint of the schema was broken")]
    Constraint(#[source] sqlx::Error),
    /// The connection is gone, or none could be had.
    #[error("the database cannot be reached")]
    Link(#[source] sqlx::Error),
    /// The connection went while committing: the commit may or may not have happened.
    #[error("the answer to the commit was lost")]
    CommitUnknown(#[source] sqlx::Error),
    /// Disk full or read-only.
    #[error("the database cannot be written")]
    Storage(#[source] sqlx::Error),
    /// A statement is wrong or the schema is another.
    #[error("the database refused a statement")]
    Statement(#[source] sqlx::Error),
    /// A row that does not decode. Never shows the value.
    #[error("{table}.{column} of {key} does not decode")]
    Corrupt { table: &'static str, column: &'static str, key: String },
    /// A statement ran for longer than it may.
    #[error("the database took too long")]
    Timeout(#[source] sqlx::Error),
    /// What was read was no longer so when it was written: run again.
    #[error("another transaction came first")]
    Raced,
    /// Not a failure: a change ends with an answer that leaves everything as it was.
    #[error("the change was not applied")]
    Verdict(Box<Applied>),
    /// Already in the caller's terms.
    #[error("{0}")]
    Core(Error),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match class(database.as_ref()) {
                Class::Conflict => Self::Conflict(error),
                Class::Unique => Self::Unique(error),
                Class::Constraint => Self::Constraint(error),
                Class::Link => Self::Link(error),
                Class::Timeout => Self::Timeout(error),
                Class::Storage => Self::Storage(error),
                Class::Other => Self::Statement(error),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Link(error),
            _ => Self::Statement(error),
        }
    }
}

/// What a database's error means to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    expect(dead_code, reason = "SQLite has no server to lose and no statement that is cut off")
)]
pub(crate) enum Class {
    Conflict,
    Unique,
    Constraint,
    Link,
    Timeout,
    Storage,
    Other,
}

/// Asks the database that the error is of.
fn class(error: &dyn DatabaseError) -> Class {
    #[cfg(feature = "sqlite")]
    if let Some(error) = error.try_downcast_ref() {
        return crate::sqlite::class(error);
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref() {
        return crate::mysql::class(error);
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref() {
        return crate::postgres::class(error);
    }
    let _ = error;
    Class::Other
}

/// Whether the connection is gone, and another may be had.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => class(database.as_ref()) == Class::Link,
        error => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed),
    }
}

impl StoreError {
    /// The error a caller sees of `operation`.
    pub(crate) fn into_core(self, operation: &'static str) -> Error {
        let soon = Retry::After(Duration::from_secs(1));
        let message = self.to_string();
        let unavailable = |retry, source: sqlx::Error| {
            Error::new(ErrorKind::Unavailable, operation, message.clone()).with_retry(retry).with_source(source)
        };
        match self {
            Self::Core(error) => error,
            Self::Verdict(_) => Error::internal(operation, message).with("code", "store_defect"),
            Self::Conflict(e) => unavailable(soon, e).with("code", "store_busy"),
            Self::Link(e) => unavailable(soon, e).with("code", "store_unreachable"),
            Self::CommitUnknown(e) => unavailable(soon, e).with("code", "commit_unknown").with("commit", "unknown"),
            Self::Storage(e) => unavailable(Retry::After(Duration::from_secs(30)), e).with("code", "store_not_writable"),
            Self::Timeout(e) => {
                Error::new(ErrorKind::Timeout, operation, message).with("code", "store_timeout").with_source(e)
            }
            Self::Raced => {
                Error::new(ErrorKind::Unavailable, operation, message).with_retry(soon).with("code", "store_busy")
            }
            Self::Unique(e) | Self::Constraint(e) | Self::Statement(e) => {
                Error::internal(operation, message).with("code", "store_defect").with_source(e)
            }
            Self::Corrupt { table, column, key } => Error::internal(operation, message)
                .with("code", "store_corrupt")
                .with("table", table)
                .with("column", column)
                .with("key", key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_kind_and_retry() {
        let link = StoreError::from(sqlx::Error::PoolTimedOut).into_core("store.claim");
        assert_eq!((link.kind(), link.retry()), (ErrorKind::Unavailable, Retry::After(Duration::from_secs(1))));
        let lost = StoreError::CommitUnknown(sqlx::Error::WorkerCrashed).into_core("store.apply");
        assert_eq!(lost.context("commit"), Some("unknown"));
        let corrupt = StoreError::Corrupt { table: "jobs", column: "kind", key: "7".to_owned() }.into_core("store.claim");
        assert_eq!((corrupt.kind(), corrupt.context("column")), (ErrorKind::Internal, Some("kind")));
    }
}
