//! The ZopNight store over sqlx: jobs and revisions in one transaction.
//!
//! [`connect`] answers the pair of ports that a pipeline and a worker are built on, [`JobQueue`] and [`RevisionStore`], as
//! one object. The URL says where it lives:
//!
//! | URL | feature | |
//! |---|---|---|
//! | `sqlite:path/to/file.db` | `sqlite`, on by default | built in; `sqlite::memory:` keeps nothing |
//! | `mysql://…`, `mariadb://…` | `mysql` | MariaDB 10.6 or newer, MySQL 8.0.16 or newer |
//! | `postgres://…`, `postgresql://…` | `postgres` | PostgreSQL 13 or newer |
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::time::Duration;
//! use zopnight_core::clock::SystemClock;
//! use zopnight_core::domain::{
//!     ClaimRequest, DeploymentId, Finish, Finished, JobId, JobPayload, Lane, NewJob, OrgId, Outcome, Scope, TeardownJob, Want,
//!     WorkerId,
//! };
//! use zopnight_core::ports::Clock;
//! use zopnight_store::{StoreOptions, connect};
//!
//! let store = connect("sqlite::memory:", StoreOptions::default()).await?;
//!
//! let now = SystemClock.now();
//! let deployment = DeploymentId::new(now, [1; 10]);
//! let work = JobPayload::Teardown(TeardownJob { deployment });
//! let org = Scope::Org(OrgId::parse("acme")?);
//! store.enqueue(vec![NewJob::new(JobId::new(now, [2; 10]), org, Some(deployment), work)]).await?;
//!
//! let leases = store
//!     .claim(&ClaimRequest {
//!         worker: WorkerId::parse("worker-1")?,
//!         want: vec![Want { lane: Lane::Deploy, max: 10 }],
//!         lease: Duration::from_secs(30),
//!     })
//!     .await?;
//! assert_eq!(leases.len(), 1);
//!
//! let done = leases.iter().map(|l| Finish { lease: l.job, outcome: Outcome::Done }).collect();
//! assert_eq!(store.finish(done).await?, [Finished::Accepted]);
//! # Ok::<(), zopnight_core::Error>(()) }).unwrap();
//! ```
//!
//! # What it promises
//!
//! A job is run at least once; its effect on our own tables happens exactly once, since every write by a worker names the
//! fence of its lease and is refused under an older one. A future that is dropped rolls back. When the answer to a commit
//! is lost the error says so (`commit = unknown`), and the call may be repeated: every write is recognisable.
//!
//! # What it tells
//!
//! Spans `zopnight.store.{enqueue,claim,extend,finish,apply,maintain,migrate}` with the fields `backend` and `rows`; no
//! statement, payload or key is in any of them. To the `metrics` facade: `zopnight_store_retries_total{backend,class}`
//! (transactions run again), `zopnight_store_purged_total{table}` (rows) and `zopnight_store_pool{backend,state}`
//! (connections, at each call of `stats`).
//!
//! # Living beside a host's tables
//!
//! All tables and indexes begin with `zopnight_`, so that they share a database with a host's; two stores on one server need
//! two databases or schemas. `from_pool` of each store takes a host's own pool and leaves its connections as they are.
//! sqlx's `libsqlite3-sys` is linked once in a program: a host that also uses rusqlite must agree with it on a version.
//!
//! # On a server
//!
//! Bringing the schema up to date takes the right to create tables; the work takes four rights on what begins with
//! `zopnight_`. With [`Migrate::Verify`] the program that works never needs the first:
//!
//! ```sql
//! -- MariaDB, MySQL: name the tables one by one, or give the rights on a database of the store's own.
//! GRANT SELECT, INSERT, UPDATE, DELETE ON zopnight.* TO 'zopnight'@'%';
//! GRANT CREATE, ALTER, INDEX ON zopnight.* TO 'zopnight_migrate'@'%';
//! -- PostgreSQL, run by the owner of the tables:
//! GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO zopnight;
//! GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO zopnight;
//! -- SQLite has no users: the file's and its directory's permissions say who may write.
//! ```
//!
//! Each transaction is `READ COMMITTED` and locks the rows it judges. MariaDB Galera and group replication: give the store one
//! node to write to. A login by `caching_sha2_password` needs TLS or a unix socket. A password in the URL is in no error.
//!
//! [`JobQueue`]: zopnight_core::ports::JobQueue
//! [`RevisionStore`]: zopnight_core::ports::RevisionStore

mod connect;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod database;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod engine;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod error;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod instruments;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod migrate;
#[cfg(feature = "mysql")]
mod mysql;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod retry;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod row;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod store;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod telemetry;
#[cfg(all(feature = "testing", any(feature = "sqlite", feature = "mysql", feature = "postgres")))]
pub mod testing;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod wake;

pub use connect::connect;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
pub use migrate::Migrated;
#[cfg(feature = "mysql")]
pub use mysql::MySqlStore;
pub use options::{Migrate, StoreOptions, Synchronous};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
