//! Our own migrations: a list, a lock, a checksum. A host's tables and its own migrations are left alone.

use zopnight_core::domain::hex;
use zopnight_core::{Error, ErrorKind, Result};

use crate::database::{Database, Pools, Sql, binds};
use crate::error::StoreError;
use crate::row::Cells;

const OPERATION: &str = "store.migrate";

/// One step of the schema.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// The oldest release's newest step that can still work with the schema after this one.
    pub(crate) min_reader: i64,
}

/// The steps of a database's schema and the table that records them.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) migrations: &'static [Migration],
    /// Answers a row if the table is there.
    pub(crate) has_table: Sql,
    pub(crate) create_table: &'static str,
    pub(crate) applied: Sql,
    /// ?1 version, ?2 name, ?3 checksum, ?4 oldest reader
    pub(crate) record: Sql,
}

/// What bringing the schema up to date did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// Steps carried out by this call.
    pub applied: u32,
    /// The schema's version now.
    pub version: i64,
}

/// Carries out what is missing, under the database's lock between processes.
pub(crate) async fn migrate<D: Database>(pools: &Pools<D>) -> Result<Migrated> {
    let mut conflicts = 0_u32;
    loop {
        match D::migrate(pools).await {
            Ok(applied) => return Ok(Migrated { applied, version: newest::<D>() }),
            Err(StoreError::Conflict(_)) if conflicts < pools.options().retries => {
                conflicts = conflicts.saturating_add(1);
                tokio::time::sleep(crate::retry::pause(conflicts)).await;
            }
            Err(error) => return Err(error.into_core(OPERATION)),
        }
    }
}

/// Checks that nothing is missing and nothing is newer.
pub(crate) async fn verify<D: Database>(pools: &Pools<D>) -> Result<()> {
    match missing(pools).await.map_err(|e| e.into_core(OPERATION))? {
        None => Ok(()),
        Some(next) => {
            let message =
                format!("the schema is behind: step {} ({}) is missing; migrate it first", next.version, next.name);
            Err(unsupported(message))
        }
    }
}

/// The first step that is missing, read without a lock.
pub(crate) async fn missing<D: Database>(pools: &Pools<D>) -> Result<Option<&'static Migration>, StoreError> {
    let mut tx = D::begin_read(pools.readers()).await?;
    let next = pending::<D>(&mut tx).await;
    D::roll_back(tx).await?;
    next
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, message).with("code", "store_schema")
}

fn newest<D: Database>() -> i64 {
    D::schema().migrations.last().map_or(0, |m| m.version)
}

fn checksum(of: &Migration) -> String {
    hex::encode(&hex::sha256(of.sql.as_bytes()))
}

/// Records a step that was carried out.
pub(crate) async fn record<D: Database>(tx: &mut D::Tx, step: &Migration) -> Result<(), StoreError> {
    let sum = checksum(step);
    D::execute(tx, D::schema().record, binds![step.version, step.name, &sum, step.min_reader]).await?;
    tracing::info!(version = step.version, name = step.name, "the store's schema was migrated");
    Ok(())
}

/// The first step that is missing, after those that are there were checked.
pub(crate) async fn pending<D: Database>(tx: &mut D::Tx) -> Result<Option<&'static Migration>, StoreError> {
    let schema = D::schema();
    if D::fetch(tx, schema.has_table, &[]).await?.is_empty() {
        return Ok(schema.migrations.first());
    }
    let mut done = 0;
    for row in D::fetch(tx, schema.applied, &[]).await? {
        let c = Cells::of(&row, "migrations", "version");
        let (version, sum, min_reader): (i64, String, i64) = (c.get("version")?, c.get("checksum")?, c.get("min_reader")?);
        match schema.migrations.iter().find(|m| m.version == version) {
            Some(ours) if checksum(ours) != sum => {
                let message =
                    format!("step {version} of the schema is not this release's; the database was altered by another build");
                return Err(unsupported(message).into());
            }
            None if min_reader > newest::<D>() => {
                let message = format!("the schema (version {version}) is of a newer release; update this program");
                return Err(unsupported(message).into());
            }
            _ => done = done.max(version),
        }
    }
    Ok(schema.migrations.iter().find(|m| m.version > done))
}
