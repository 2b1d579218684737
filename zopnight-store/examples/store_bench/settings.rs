//! What the figures were measured on.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::raw::Raw;

const MYSQL: &str = "SELECT CONCAT('MySQL or MariaDB ', VERSION(), '; innodb_flush_log_at_trx_commit ',
    @@innodb_flush_log_at_trx_commit, ', sync_binlog ', @@sync_binlog, ', log_bin ', @@log_bin)";

const POSTGRES: &str = "SELECT 'PostgreSQL ' || current_setting('server_version') || '; synchronous_commit ' ||
    current_setting('synchronous_commit') || ', fsync ' || current_setting('fsync')";

/// Prints the server, how durable its commits are, and how fast the disk syncs.
pub(crate) async fn print(raw: &Raw, directory: Option<&Path>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let server = match raw {
        Raw::Sqlite(pool) => {
            let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
            let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await?;
            let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await?;
            format!("SQLite {version}; journal_mode {journal}, synchronous {synchronous}")
        }
        Raw::MySql(pool) => sqlx::query_scalar(MYSQL).fetch_one(pool).await?,
        Raw::Postgres(pool) => sqlx::query_scalar(POSTGRES).fetch_one(pool).await?,
    };
    println!("{server}");
    println!("{} processors; {}", std::thread::available_parallelism()?, synced(directory)?);
    Ok(())
}

fn synced(directory: Option<&Path>) -> std::io::Result<String> {
    const SYNCS: u32 = 200;
    let own = tempfile::tempdir()?;
    let path = directory.unwrap_or_else(|| own.path()).join("sync");
    let mut file = File::create(&path)?;
    let begin = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[0; 512])?;
        file.sync_data()?;
    }
    let each = begin.elapsed() / SYNCS;
    std::fs::remove_file(path)?;
    Ok(format!("the disk of the temporary directory takes {} us a sync", each.as_micros()))
}
