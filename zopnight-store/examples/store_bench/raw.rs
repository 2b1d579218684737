//! The bare loop: sqlx and the fewest statements that do the same to one table.

use std::str::FromStr as _;

use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, QueryBuilder, Row as _, SqlitePool};
use uuid::Uuid;

type Done<T> = sqlx::Result<T>;

const COLUMNS: &str = "id, org_id, lane, kind, state, place, deployment_id, payload, created_at, ready_at";

/// A pool on the same database as the store's.
pub(crate) enum Raw {
    Sqlite(SqlitePool),
    MySql(MySqlPool),
    Postgres(PgPool),
}

/// What a claim hands out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leased {
    pub(crate) seq: i64,
}

macro_rules! insert {
    ($pool:expr, $db:ty, $first:expr, $n:expr) => {{
        let mut builder = QueryBuilder::<$db>::new(["INSERT INTO raw_jobs (", COLUMNS, ") "].concat());
        builder.push_values(0..$n, |mut row, i| {
            let place = i64::from($first) + i64::from(i);
            row.push_bind(Uuid::new_v5(&Uuid::NAMESPACE_OID, &place.to_be_bytes()))
                .push_bind("acme")
                .push_bind("deploy")
                .push_bind("teardown")
                .push_bind("ready")
                .push_bind(place)
                .push_bind(Uuid::NAMESPACE_OID)
                .push_bind(PAYLOAD)
                .push_bind(place)
                .push_bind(place);
        });
        builder.build().execute($pool).await.map(|_| ())
    }};
}

const PAYLOAD: &str = r#"{"v":1,"deployment":"018f0000-0000-7000-8000-000000000000"}"#;

impl Raw {
    pub(crate) async fn connect(url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let raw = match url.split(':').next() {
            Some("sqlite") => {
                let connect = SqliteConnectOptions::from_str(url)?.busy_timeout(std::time::Duration::from_secs(5));
                Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(connect).await?)
            }
            Some("mysql" | "mariadb") => {
                Self::MySql(MySqlPoolOptions::new().max_connections(32).test_before_acquire(false).connect(url).await?)
            }
            _ => Self::Postgres(PgPoolOptions::new().max_connections(32).test_before_acquire(false).connect(url).await?),
        };
        raw.create().await?;
        Ok(raw)
    }

    pub(crate) const fn backend(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::MySql(_) => "mysql",
            Self::Postgres(_) => "postgres",
        }
    }

    /// A table of the jobs' columns and indexes.
    async fn create(&self) -> Done<()> {
        match self {
            Self::Sqlite(pool) => {
                let of = "SELECT sql FROM sqlite_master WHERE tbl_name = 'zopnight_jobs' AND sql IS NOT NULL";
                for row in sqlx::query(of).fetch_all(pool).await? {
                    let sql = row.get::<String, _>("sql").replace("zopnight_jobs", "raw_jobs");
                    sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
                }
            }
            Self::MySql(pool) => {
                sqlx::query("CREATE TABLE raw_jobs LIKE zopnight_jobs").execute(pool).await?;
            }
            Self::Postgres(pool) => {
                sqlx::query("CREATE TABLE raw_jobs (LIKE zopnight_jobs INCLUDING ALL)").execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Runs a statement without parameters.
    pub(crate) async fn run(&self, sql: &str) -> Done<()> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
            Self::MySql(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
            Self::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
        }
    }

    /// One INSERT of `n` rows, the first of them with the place and the id of `first`.
    pub(crate) async fn insert(&self, first: u32, n: u32) -> Done<()> {
        match self {
            Self::Sqlite(pool) => insert!(pool, sqlx::Sqlite, first, n),
            Self::MySql(pool) => insert!(pool, sqlx::MySql, first, n),
            Self::Postgres(pool) => insert!(pool, sqlx::Postgres, first, n),
        }
    }

    /// The next `max` of the line.
    pub(crate) async fn claim(&self, max: u32) -> Done<Vec<Leased>> {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query(
                    "UPDATE raw_jobs SET state = 'leased', fence = fence + 1, lease_until = 1 WHERE seq IN (SELECT seq FROM raw_jobs
                     WHERE lane = 'deploy' AND state = 'ready' ORDER BY place, seq LIMIT ?)
                     RETURNING seq, id, org_id, kind, payload, fence, deployment_id",
                );
                let rows = rows.bind(max).fetch_all(pool).await?;
                Ok(rows.iter().map(|row| Leased { seq: row.get("seq") }).collect())
            }
            Self::MySql(pool) => claim_mysql(pool, max).await,
            Self::Postgres(pool) => {
                let rows = sqlx::query(
                    "WITH picked AS MATERIALIZED (SELECT seq AS s FROM raw_jobs WHERE lane = 'deploy' AND state = 'ready'
                       ORDER BY place, seq LIMIT $1 FOR UPDATE SKIP LOCKED)
                     UPDATE raw_jobs SET state = 'leased', fence = fence + 1, lease_until = 1 FROM picked WHERE seq = s
                     RETURNING seq, id, org_id, kind, payload, fence, deployment_id",
                );
                let rows = rows.bind(i64::from(max)).fetch_all(pool).await?;
                Ok(rows.iter().map(|row| Leased { seq: row.get("seq") }).collect())
            }
        }
    }

    /// Ends leases by one UPDATE under their fence.
    pub(crate) async fn finish(&self, leases: &[Leased]) -> Done<()> {
        let seqs: Vec<i64> = leases.iter().map(|l| l.seq).collect();
        match self {
            Self::Sqlite(pool) => {
                let json = format!("{seqs:?}");
                let sql = "UPDATE raw_jobs SET state = 'done', lease_until = NULL WHERE fence = 1 AND state = 'leased'
                     AND seq IN (SELECT value FROM json_each(?))";
                sqlx::query(sql).bind(json).execute(pool).await.map(|_| ())
            }
            Self::MySql(pool) => {
                let mut builder = QueryBuilder::<sqlx::MySql>::new(
                    "UPDATE raw_jobs SET state = 'done', lease_until = NULL WHERE fence = 1 AND state = 'leased' AND seq IN (",
                );
                let mut list = builder.separated(", ");
                seqs.iter().for_each(|seq| {
                    list.push_bind(*seq);
                });
                builder.push(")").build().execute(pool).await.map(|_| ())
            }
            Self::Postgres(pool) => {
                let sql = "UPDATE raw_jobs SET state = 'done', lease_until = NULL WHERE fence = 1 AND state = 'leased'
                     AND seq = ANY ($1)";
                sqlx::query(sql).bind(seqs).execute(pool).await.map(|_| ())
            }
        }
    }
}

async fn claim_mysql(pool: &MySqlPool, max: u32) -> Done<Vec<Leased>> {
    let mut tx = pool.begin_with("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION").await?;
    let rows = sqlx::query(
        "SELECT seq, id, org_id, kind, payload, fence, deployment_id FROM raw_jobs
         WHERE lane = 'deploy' AND state = 'ready' ORDER BY place, seq LIMIT ? FOR UPDATE SKIP LOCKED",
    );
    let rows = rows.bind(max).fetch_all(&mut *tx).await?;
    let leased: Vec<Leased> = rows.iter().map(|row| Leased { seq: row.get("seq") }).collect();
    if !leased.is_empty() {
        let mut builder = QueryBuilder::<sqlx::MySql>::new(
            "UPDATE raw_jobs SET state = 'leased', fence = fence + 1, lease_until = 1 WHERE seq IN (",
        );
        let mut list = builder.separated(", ");
        leased.iter().for_each(|l| {
            list.push_bind(l.seq);
        });
        builder.push(")").build().execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(leased)
}
