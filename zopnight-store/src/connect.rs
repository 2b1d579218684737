//! Which backend a URL means.

use std::sync::Arc;

use zopnight_core::ports::Store;
use zopnight_core::{Error, ErrorKind, Result};

use crate::options::StoreOptions;
use crate::sqlite::SqliteStore;

const OPERATION: &str = "store.connect";

/// Opens the store that `url` names: `sqlite:path/to/file.db`, `sqlite:///absolute/path.db` or `sqlite::memory:`.
///
/// # Errors
/// `Unsupported` for a database this build has no backend for; `Invalid` for any other URL or an option out of bounds;
/// else as [`SqliteStore::connect`]. No error shows the URL, since it may hold a password.
pub async fn connect(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        "sqlite" => Ok(Arc::new(SqliteStore::connect(url, options).await?)),
        "mysql" | "mariadb" | "postgres" | "postgresql" => {
            let message = format!("there is no backend for {scheme}: URLs in this build; use sqlite:path/to/file.db");
            Err(Error::new(ErrorKind::Unsupported, OPERATION, message).with("code", "store_scheme"))
        }
        _ => Err(Error::invalid(OPERATION, "the store's URL must begin with sqlite:, as in sqlite:path/to/file.db")
            .with("code", "store_scheme")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn other_schemes_are_refused_without_their_password() {
        for (url, kind) in [
            ("postgres://u:hunter2@db/zopnight", ErrorKind::Unsupported),
            ("mysql://u:hunter2@db/zopnight", ErrorKind::Unsupported),
            ("hunter2", ErrorKind::Invalid),
            ("redis://u:hunter2@db", ErrorKind::Invalid),
        ] {
            let error = connect(url, StoreOptions::default()).await.err().unwrap();
            assert_eq!(error.kind(), kind, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(error.message().contains("sqlite:"), "{error}");
        }
    }
}
