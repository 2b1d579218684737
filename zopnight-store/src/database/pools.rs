//! The connections of one store with all that an operation needs.

use std::sync::Arc;

use zopnight_core::Result;

use super::{Background, Bind, Database, Doubt, Sql};
use crate::error::{StoreError, is_lost};
use crate::instruments::Instruments;
use crate::options::StoreOptions;
use crate::session::Session;
use crate::telemetry::Connected;
use crate::wake::Wake;

/// Where a store writes and reads; often the same pool. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Pools<D: Database> {
    writer: D::Pool,
    readers: D::Pool,
    options: Arc<StoreOptions>,
    wake: Arc<Wake>,
    doubt: Arc<Doubt>,
    background: Arc<Background>,
    pub(crate) instruments: Instruments,
}

impl<D: Database> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            options: Arc::clone(&self.options),
            wake: Arc::clone(&self.wake),
            doubt: Arc::clone(&self.doubt),
            background: Arc::clone(&self.background),
            instruments: self.instruments.clone(),
        }
    }
}

impl<D: Database> Pools<D> {
    /// Pools of a database that can carry the store.
    pub(crate) async fn of(writer: D::Pool, readers: D::Pool, options: StoreOptions) -> Result<Self> {
        D::probe(&writer, &options).await?;
        let instruments = Instruments::default();
        Ok(Self {
            writer,
            readers,
            options: Arc::new(options),
            wake: Arc::new(Wake::new()),
            doubt: Arc::new(Doubt::new()),
            background: Arc::default(),
            instruments,
        })
    }

    /// The same, whose connections heed `doubt`.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) fn doubting(self, doubt: Arc<Doubt>) -> Self {
        Self { doubt, ..self }
    }

    /// The same with tasks that end with it.
    #[cfg(feature = "postgres")]
    pub(crate) fn with_background(self, background: Background) -> Self {
        Self { background: Arc::new(background), ..self }
    }

    pub(crate) fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    pub(crate) fn shared_options(&self) -> Arc<StoreOptions> {
        Arc::clone(&self.options)
    }

    pub(crate) const fn wake(&self) -> &Arc<Wake> {
        &self.wake
    }

    pub(crate) const fn writer(&self) -> &D::Pool {
        &self.writer
    }

    pub(crate) const fn readers(&self) -> &D::Pool {
        &self.readers
    }

    pub(crate) async fn write(&self, operation: &'static str) -> Result<Session<D>, StoreError> {
        Session::begin(self.anew(|| D::begin_write(&self.writer)).await?, self, operation).await
    }

    pub(crate) async fn read(&self, operation: &'static str) -> Result<Session<D>, StoreError> {
        Session::begin(self.anew(|| D::begin_read(&self.readers)).await?, self, operation).await
    }

    /// One statement that reads, by itself.
    pub(crate) async fn fetch_alone(&self, sql: Sql, binds: &[Bind<'_>]) -> Result<Vec<D::Row>, StoreError> {
        Ok(self.anew(|| D::fetch_alone(&self.readers, sql, binds)).await?)
    }

    /// A first statement; once more where the connection that lay in the pool turns out dead.
    async fn anew<T, F>(&self, first: impl Fn() -> F) -> sqlx::Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        match first().await {
            Err(error) if is_lost(&error) => {
                self.doubt.raise();
                first().await
            }
            answer => answer,
        }
    }

    /// The connections that write; where readers have a pool of their own, those are few and always the same.
    pub(crate) fn connected(&self) -> Connected {
        D::connected(&self.writer)
    }

    pub(crate) async fn close(&self) {
        self.background.stop();
        D::close(&self.readers).await;
        D::close(&self.writer).await;
    }
}
