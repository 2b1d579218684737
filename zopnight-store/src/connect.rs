//! Which backend a URL means.

use std::sync::Arc;

use zopnight_core::ports::Store;
use zopnight_core::{Error, Result};

use crate::options::StoreOptions;

const OPERATION: &str = "store.connect";

/// Opens the store that `url` names: `sqlite:path/to/file.db` or `sqlite::memory:`, `mysql://user@host/database` (`mariadb:` is
/// the same), `postgres://user@host/database`.
///
/// # Errors
/// `Unsupported` for a database this build has no backend for; `Invalid` for any other URL or an option out of bounds;
/// else as the `connect` of that store. No error shows the URL, since it may hold a password.
pub async fn connect(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>> {
    #[cfg(not(any(feature = "sqlite", feature = "mysql", feature = "postgres")))]
    let _ = options;
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(crate::sqlite::SqliteStore::connect(url, options).await?)),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => Ok(Arc::new(crate::mysql::MySqlStore::connect(url, options).await?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Arc::new(crate::postgres::PostgresStore::connect(url, options).await?)),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(not_built_in(scheme, "sqlite")),
        #[cfg(not(feature = "mysql"))]
        "mysql" | "mariadb" => Err(not_built_in(scheme, "mysql")),
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err(not_built_in(scheme, "postgres")),
        _ => Err(Error::invalid(
            OPERATION,
            "the store's URL must begin with sqlite:, mysql:, mariadb:, postgres: or postgresql:, as in \
             sqlite:path/to/file.db",
        )
        .with("code", "store_scheme")),
    }
}

#[cfg(not(all(feature = "sqlite", feature = "mysql", feature = "postgres")))]
fn not_built_in(scheme: &str, feature: &str) -> Error {
    let message =
        format!("{scheme}: URLs need the feature `{feature}` of zopnight-store, which this build was made without");
    Error::new(zopnight_core::ErrorKind::Unsupported, OPERATION, message).with("code", "store_scheme")
}

#[cfg(test)]
mod tests {
    use zopnight_core::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn other_schemes_are_refused_without_their_password() {
        for url in ["hunter2", "redis://u:hunter2@db"] {
            let error = connect(url, StoreOptions::default()).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(error.message().contains("sqlite:"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_or_not_built_in_is_named_without_its_password() {
        for url in ["postgres://u:hunter2@127.0.0.1:1/zopnight", "mysql://u:hunter2@127.0.0.1:1/zopnight"] {
            let soon = StoreOptions::default().with_acquire_timeout(std::time::Duration::from_secs(1));
            let error = connect(url, soon).await.err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unsupported), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
