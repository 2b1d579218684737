//! Knobs of a store.

use std::time::Duration;

use zopnight_core::{Error, Result};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// When the schema is brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migrate {
    /// At connect.
    #[default]
    OnConnect,
    /// Never; connect fails when the schema is behind.
    Verify,
    /// Never, and nothing is checked.
    Never,
}

/// How much SQLite syncs at a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A commit survives a power cut.
    #[default]
    Full,
    /// Faster; a power cut may lose the last commits. The database stays whole.
    Normal,
}

/// Limits, retentions and connection settings of a store. Every bound is checked at connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// When the schema is brought up to date. Default: at connect.
    pub migrate: Migrate,
    /// Connections, 2 ..= 200; `None` = the backend's default (SQLite: 1 writer and 4 readers).
    pub max_connections: Option<u32>,
    /// Longest wait for a connection, 1 ..= 60 s. Default 5 s.
    pub acquire_timeout: Duration,
    /// Longest statement, 1 ..= 60 s. Default 10 s. SQLite has no such limit of its own; there it bounds the wait for
    /// the write lock of another process, together with `acquire_timeout`.
    pub statement_timeout: Duration,
    /// Open build attempts an org may have at once, 1 ..= 10,000. Default 4.
    pub build_slots_per_org: u32,
    /// Live deployments an org may have, at least 1. Default 1,000.
    pub deployments_per_org: u32,
    /// Unfinished revisions answered for one deployment, at least 1. Default 50.
    pub unfinished_per_deployment: u32,
    /// How long a repeated request is recognised, 1 h ..= 7 d. Default 24 h.
    pub idempotency_ttl: Duration,
    /// How long done jobs are kept, at least 1 h. Default 2 d.
    pub keep_done: Duration,
    /// How long cancelled jobs are kept, at least 1 h. Default 2 d.
    pub keep_cancelled: Duration,
    /// How long parked jobs are kept, at least 1 h. Default 30 d.
    pub keep_parked: Duration,
    /// How long deployments are kept after their removal, at least 1 h. Default 30 d.
    pub keep_deleted: Duration,
    /// Whether PostgreSQL tells other processes of new work, by LISTEN on one connection more and NOTIFY after a commit.
    /// Default: true. Turn it off behind a pooler that lends a connection for a transaction only.
    pub notify: bool,
    /// How much SQLite syncs. Default: full.
    pub sqlite_synchronous: Synchronous,
    /// How often a transaction that met a conflict is run again, 0 ..= 10. Default 5.
    pub retries: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            migrate: Migrate::default(),
            max_connections: None,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            build_slots_per_org: 4,
            deployments_per_org: 1_000,
            unfinished_per_deployment: 50,
            idempotency_ttl: DAY,
            keep_done: DAY.saturating_mul(2),
            keep_cancelled: DAY.saturating_mul(2),
            keep_parked: DAY.saturating_mul(30),
            keep_deleted: DAY.saturating_mul(30),
            notify: true,
            sqlite_synchronous: Synchronous::default(),
            retries: 5,
        }
    }
}

macro_rules! knobs {
    ($($(#[$doc:meta])* $with:ident, $field:ident: $type:ty;)+) => {
        impl StoreOptions {
            $($(#[$doc])*
            #[must_use]
            pub const fn $with(mut self, value: $type) -> Self {
                self.$field = value;
                self
            })+
        }
    };
}

knobs! {
    /// When the schema is brought up to date.
    with_migrate, migrate: Migrate;
    /// Connections, 2 ..= 200.
    with_max_connections, max_connections: Option<u32>;
    /// Longest wait for a connection.
    with_acquire_timeout, acquire_timeout: Duration;
    /// Longest statement.
    with_statement_timeout, statement_timeout: Duration;
    /// Open build attempts an org may have at once.
    with_build_slots_per_org, build_slots_per_org: u32;
    /// Live deployments an org may have.
    with_deployments_per_org, deployments_per_org: u32;
    /// Unfinished revisions answered for one deployment.
    with_unfinished_per_deployment, unfinished_per_deployment: u32;
    /// How long a repeated request is recognised.
    with_idempotency_ttl, idempotency_ttl: Duration;
    /// How long done jobs are kept.
    with_keep_done, keep_done: Duration;
    /// How long cancelled jobs are kept.
    with_keep_cancelled, keep_cancelled: Duration;
    /// How long parked jobs are kept.
    with_keep_parked, keep_parked: Duration;
    /// How long deployments are kept after their removal.
    with_keep_deleted, keep_deleted: Duration;
    /// Whether PostgreSQL tells other processes of new work.
    with_notify, notify: bool;
    /// How much SQLite syncs.
    with_sqlite_synchronous, sqlite_synchronous: Synchronous;
    /// How often a transaction that met a conflict is run again.
    with_retries, retries: u32;
}

impl StoreOptions {
    /// Checks every bound.
    ///
    /// # Errors
    /// `Invalid`, naming the first knob that is out of bounds.
    pub fn check(&self) -> Result<()> {
        let seconds = |d: Duration| (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&d);
        let rules = [
            (self.max_connections.is_none_or(|n| (2..=200).contains(&n)), "max_connections must be 2 to 200"),
            (seconds(self.acquire_timeout), "acquire_timeout must be 1 to 60 s"),
            (seconds(self.statement_timeout), "statement_timeout must be 1 to 60 s"),
            ((1..=10_000).contains(&self.build_slots_per_org), "build_slots_per_org must be 1 to 10,000"),
            (self.deployments_per_org >= 1, "deployments_per_org must be at least 1"),
            (self.unfinished_per_deployment >= 1, "unfinished_per_deployment must be at least 1"),
            ((HOUR..=DAY.saturating_mul(7)).contains(&self.idempotency_ttl), "idempotency_ttl must be 1 h to 7 d"),
            (self.keep_done >= HOUR, "keep_done must be at least 1 h"),
            (self.keep_cancelled >= HOUR, "keep_cancelled must be at least 1 h"),
            (self.keep_parked >= HOUR, "keep_parked must be at least 1 h"),
            (self.keep_deleted >= HOUR, "keep_deleted must be at least 1 h"),
            (self.retries <= 10, "retries must be 0 to 10"),
        ];
        match rules.into_iter().find(|(ok, _)| !ok) {
            Some((_, rule)) => Err(Error::invalid("store.connect", rule)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_bounds_and_faults_are_named() {
        assert!(StoreOptions::default().check().is_ok());
        let bad = StoreOptions::default().with_build_slots_per_org(0).check().unwrap_err();
        assert!(bad.message().contains("build_slots_per_org"), "{bad}");
        assert!(StoreOptions::default().with_max_connections(Some(1)).check().is_err());
        assert!(StoreOptions::default().with_keep_done(Duration::from_secs(60)).check().is_err());
    }
}
