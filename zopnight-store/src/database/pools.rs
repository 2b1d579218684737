//! The connections of one store with all that an operation needs.

use std::sync::Arc;

use zopnight_core::Result;

use super::Database;
use crate::error::StoreError;
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
    pub(crate) instruments: Instruments,
}

impl<D: Database> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            options: Arc::clone(&self.options),
            wake: Arc::clone(&self.wake),
            instruments: self.instruments.clone(),
        }
    }
}

impl<D: Database> Pools<D> {
    /// Pools of a database that can carry the store.
    pub(crate) async fn of(writer: D::Pool, readers: D::Pool, options: StoreOptions) -> Result<Self> {
        D::probe(&writer, &options).await?;
        let instruments = Instruments::default();
        Ok(Self { writer, readers, options: Arc::new(options), wake: Arc::new(Wake::new()), instruments })
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
        Session::begin(D::begin_write(&self.writer).await?, self, operation).await
    }

    pub(crate) async fn read(&self, operation: &'static str) -> Result<Session<D>, StoreError> {
        Session::begin(D::begin_read(&self.readers).await?, self, operation).await
    }

    /// The connections that write; where readers have a pool of their own, those are few and always the same.
    pub(crate) fn connected(&self) -> Connected {
        D::connected(&self.writer)
    }

    pub(crate) async fn close(&self) {
        D::close(&self.readers).await;
        D::close(&self.writer).await;
    }
}
