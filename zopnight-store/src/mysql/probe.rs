//! Whether a server can carry the store.

use sqlx::Row as _;
use zopnight_core::{Error, ErrorKind, Result};

use super::database::Connections;
use crate::error::StoreError;

const CONNECT: &str = "store.connect";

/// Checks the version: SKIP LOCKED and CHECK are needed.
pub(super) async fn probe(pool: &Connections) -> Result<()> {
    let of = |e: sqlx::Error| StoreError::from(e).into_core(CONNECT);
    let row = sqlx::query("SELECT VERSION() AS version").fetch_one(&pool.pool).await.map_err(of)?;
    let version: String = row.try_get("version").map_err(of)?;
    if is_supported(&version) {
        return Ok(());
    }
    let message = format!("the server's version {version} is too old; use MariaDB 10.6 or newer, or MySQL 8.0.16 or newer");
    Err(Error::new(ErrorKind::Unsupported, CONNECT, message).with("code", "store_version"))
}

/// MariaDB names itself in its version.
fn is_supported(version: &str) -> bool {
    let oldest = if version.contains("MariaDB") { (10, 6, 0) } else { (8, 0, 16) };
    // Some MariaDB servers put the version they pretend to be before their own.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut parts = version.split(['.', '-']).map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for ok in
            ["10.6.0-MariaDB", "10.11.11-MariaDB-0+deb12u1", "5.5.5-10.11.2-MariaDB", "11.4.2-MariaDB", "8.0.16", "9.1.0"]
        {
            assert!(is_supported(ok), "{ok}");
        }
        for old in ["10.5.28-MariaDB", "5.5.5-10.3.1-MariaDB", "8.0.15", "5.7.44-log", ""] {
            assert!(!is_supported(old), "{old}");
        }
    }
}
