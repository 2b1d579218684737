//! The store and the scratch table in one database, on each backend.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{MySqlPool, PgPool, Row as _, SqlitePool, query, query_scalar};
use uuid::Uuid;
use zopnight_core::ports::Store;
use zopnight_core::{Error, Result};
use zopnight_store::testing::Hook;
use zopnight_store::{MySqlStore, PostgresStore, SqliteStore, StoreOptions, connect};

use crate::tables::{Row, Tables};

/// Connections of our own, beside the store's.
#[derive(Clone, Debug)]
pub(super) enum Scratch {
    Sqlite(SqlitePool),
    Mysql(MySqlPool),
    Postgres(PgPool),
}

const CREATE: &str = "CREATE TABLE IF NOT EXISTS chaos_effects (job VARCHAR(36) NOT NULL, fence BIGINT NOT NULL)";
const ENDED: &str = "SELECT message FROM zopnight_events WHERE message LIKE 'ended %'";
const EFFECTS: &str = "SELECT job, fence FROM chaos_effects";

fn sqlite(url: &str) -> sqlx::Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url)?.journal_mode(SqliteJournalMode::Wal);
    Ok(options.synchronous(SqliteSynchronous::Full).busy_timeout(Duration::from_secs(5)))
}

/// The store of a process.
pub(super) async fn open(url: &str, hook: Option<Arc<dyn Hook>>, full: bool) -> Result<Arc<dyn Store>> {
    let Some(hook) = hook else {
        return if full && url.starts_with("sqlite") {
            Ok(Arc::new(nearly_full(url).await?))
        } else {
            connect(url, options()).await
        };
    };
    Ok(if url.starts_with("sqlite") {
        Arc::new(SqliteStore::connect(url, options()).await?.with_hook(hook))
    } else if url.starts_with("postgres") {
        Arc::new(PostgresStore::connect(url, options()).await?.with_hook(hook))
    } else {
        Arc::new(MySqlStore::connect(url, options()).await?.with_hook(hook))
    })
}

fn options() -> StoreOptions {
    StoreOptions::default()
}

/// A store whose connections let the file grow by a few pages only.
async fn nearly_full(url: &str) -> Result<SqliteStore> {
    let unreachable = |e: sqlx::Error| Error::unavailable("chaos.open", "no page count").with_source(e);
    let near = sqlite(url).map_err(unreachable)?;
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pages: i64 = {
        let pool = pool.clone().connect_with(near.clone()).await.map_err(unreachable)?;
        query_scalar("PRAGMA page_count").fetch_one(&pool).await.map_err(unreachable)?
    };
    let near = near.pragma("max_page_count", (pages + 4).to_string());
    let pool = pool.max_connections(4).connect_with(near).await.map_err(unreachable)?;
    SqliteStore::from_pool(pool, options()).await
}

macro_rules! tables {
    ($pool:expr, $jobs:expr) => {{
        let mut tables = Tables::default();
        for row in query($jobs).fetch_all($pool).await? {
            let (seq, state) = (row.try_get("seq")?, row.try_get("state")?);
            let (hand_outs, failures) = (row.try_get("fence")?, row.try_get("failures")?);
            let (losses, panics) = (row.try_get("losses")?, row.try_get("panics")?);
            let id: Uuid = row.try_get("id")?;
            tables.jobs.insert(id, Row { seq, state, hand_outs, failures, losses, panics });
        }
        for row in query(EFFECTS).fetch_all($pool).await? {
            let (job, fence): (String, i64) = (row.try_get("job")?, row.try_get("fence")?);
            tables.effects.push((parse(&job), fence.cast_unsigned()));
        }
        for message in query_scalar::<_, String>(ENDED).fetch_all($pool).await? {
            let (job, next) = message["ended ".len()..].split_once(' ').expect("an event of ours");
            tables.ended.push((parse(job), Uuid::try_parse(next).ok()));
        }
        Ok(tables)
    }};
}

fn parse(id: &str) -> Uuid {
    Uuid::try_parse(id).expect("an id of ours")
}

impl Scratch {
    pub(super) async fn open(url: &str) -> sqlx::Result<Self> {
        let (most, wait) = (4, Duration::from_secs(5));
        if url.starts_with("sqlite") {
            let pool = SqlitePoolOptions::new().max_connections(most).acquire_timeout(wait);
            Ok(Self::Sqlite(pool.connect_with(sqlite(url)?).await?))
        } else if url.starts_with("postgres") {
            Ok(Self::Postgres(PgPoolOptions::new().max_connections(most).acquire_timeout(wait).connect(url).await?))
        } else {
            let pool = MySqlPoolOptions::new().max_connections(most).acquire_timeout(wait);
            Ok(Self::Mysql(pool.connect(&url.replacen("mariadb:", "mysql:", 1)).await?))
        }
    }

    pub(super) async fn create(&self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(pool) => query(CREATE).execute(pool).await.map(|_| ()),
            Self::Mysql(pool) => query(CREATE).execute(pool).await.map(|_| ()),
            Self::Postgres(pool) => query(CREATE).execute(pool).await.map(|_| ()),
        }
    }

    /// Writes an effect. After an error it may be there or not, so it must not be written again under this fence.
    pub(super) async fn effect(&self, job: Uuid, fence: u64) -> sqlx::Result<()> {
        let (job, fence) = (job.to_string(), fence.cast_signed());
        match self {
            Self::Sqlite(pool) => {
                query("INSERT INTO chaos_effects VALUES (?, ?)").bind(job).bind(fence).execute(pool).await.map(|_| ())
            }
            Self::Mysql(pool) => {
                query("INSERT INTO chaos_effects VALUES (?, ?)").bind(job).bind(fence).execute(pool).await.map(|_| ())
            }
            Self::Postgres(pool) => {
                query("INSERT INTO chaos_effects VALUES ($1, $2)").bind(job).bind(fence).execute(pool).await.map(|_| ())
            }
        }
    }

    /// Ends all other sessions of the database, on a server.
    pub(super) async fn sweep(&self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Mysql(pool) => {
                let others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
                for id in query_scalar::<_, i64>(others).fetch_all(pool).await? {
                    // It may have gone by itself.
                    let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("KILL CONNECTION {id}"))).execute(pool).await;
                }
                Ok(())
            }
            Self::Postgres(pool) => {
                let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
                query(all).execute(pool).await.map(|_| ())
            }
        }
    }

    /// How many jobs have come to their end.
    pub(super) async fn ended(&self) -> sqlx::Result<i64> {
        const ENDED: &str = "SELECT COUNT(*) FROM zopnight_jobs WHERE state IN ('done', 'parked')";
        match self {
            Self::Sqlite(pool) => query_scalar(ENDED).fetch_one(pool).await,
            Self::Mysql(pool) => query_scalar(ENDED).fetch_one(pool).await,
            Self::Postgres(pool) => query_scalar(ENDED).fetch_one(pool).await,
        }
    }

    /// All that the checker asks for.
    pub(super) async fn tables(&self) -> sqlx::Result<Tables> {
        const SAME: &str = "SELECT id, seq, state, fence, failures, losses, panics FROM zopnight_jobs";
        const POSTGRES: &str = "SELECT id, seq, state, fence::bigint AS fence, failures::bigint AS failures,
            losses::bigint AS losses, panics::bigint AS panics FROM zopnight_jobs";
        match self {
            Self::Sqlite(pool) => tables!(pool, SAME),
            Self::Mysql(pool) => tables!(pool, SAME),
            Self::Postgres(pool) => tables!(pool, POSTGRES),
        }
    }
}
