//! The two ports over any database.

mod catalog;
mod forward;
mod queue;

use zopnight_core::Result;

pub(crate) use forward::forward;

use crate::database::{Database, Pools};
use crate::migrate::{self, Migrated};
use crate::options::Migrate;
use crate::session::Session;

/// What the stores of all databases have in common.
#[derive(Debug)]
pub(crate) struct SqlStore<D: Database> {
    pub(crate) pools: Pools<D>,
}

impl<D: Database> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        Self { pools: self.pools.clone() }
    }
}

impl<D: Database> SqlStore<D> {
    /// A store whose schema is as its options say.
    pub(crate) async fn ready(pools: Pools<D>) -> Result<Self> {
        let store = Self { pools };
        match store.pools.options().migrate {
            Migrate::OnConnect => store.migrate().await.map(|_| ())?,
            Migrate::Verify => store.check().await?,
            Migrate::Never => {}
        }
        Ok(store)
    }

    #[tracing::instrument(name = "zopnight.store.migrate", skip_all, fields(backend = D::NAME, rows))]
    pub(crate) async fn migrate(&self) -> Result<Migrated> {
        let migrated = migrate::migrate(&self.pools).await?;
        tracing::Span::current().record("rows", migrated.applied);
        Ok(migrated)
    }

    pub(crate) async fn check(&self) -> Result<()> {
        migrate::verify(&self.pools).await
    }

    pub(crate) async fn close(&self) {
        self.pools.close().await;
    }

    async fn reader(&self, operation: &'static str) -> Result<Session<D>> {
        self.pools.read(operation).await.map_err(|e| e.into_core(operation))
    }
}
