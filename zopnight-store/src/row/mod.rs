//! Rows into domain values. A value that does not decode names its table, column and key, never itself.

mod catalog;
mod job;

use std::str::FromStr;

use zopnight_core::domain::Timestamp;

pub(crate) use catalog::{
    DeploymentRow, Snapshot, attempt, deployment_ref, event, idempotency, log_tail, revision_view, snapshot, stalled,
    tracked,
};
#[cfg(feature = "testing")]
pub(crate) use job::scope;
pub(crate) use job::{Claimed, JobBrief, StatRow, lease, parked};

use crate::database::{AnyRow, Cell};
use crate::error::StoreError;

/// The cells of one row.
pub(crate) struct Cells<'r> {
    row: &'r dyn AnyRow,
    table: &'static str,
    key: String,
}

type Read<T> = Result<T, StoreError>;

impl<'r> Cells<'r> {
    /// The row of `table`; errors name the value of `key`, a number, or its id.
    pub(crate) fn of(row: &'r dyn AnyRow, table: &'static str, key: &'static str) -> Self {
        let number = row.int(key).ok().flatten().map(|n| n.to_string());
        let key = number.or_else(|| Some(row.id(key).ok()??.to_string())).unwrap_or_default();
        Self { row, table, key }
    }

    fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt { table: self.table, column, key: self.key.clone() }
    }

    /// A column of a primitive type.
    pub(crate) fn get<T: Cell<'r>>(&self, column: &'static str) -> Read<T> {
        self.opt(column)?.ok_or_else(|| self.corrupt(column))
    }

    /// The same, where NULL is `None`.
    pub(crate) fn opt<T: Cell<'r>>(&self, column: &'static str) -> Read<Option<T>> {
        T::read(self.row, column).map_err(|_| self.corrupt(column))
    }

    /// An integer that fits a narrower type.
    pub(crate) fn int<T: TryFrom<i64>>(&self, column: &'static str) -> Read<T> {
        T::try_from(self.get::<i64>(column)?).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn flag(&self, column: &'static str) -> Read<bool> {
        self.get(column)
    }

    pub(crate) fn time(&self, column: &'static str) -> Read<Timestamp> {
        Ok(Timestamp::from_micros(self.get(column)?))
    }

    pub(crate) fn time_opt(&self, column: &'static str) -> Read<Option<Timestamp>> {
        Ok(self.opt::<i64>(column)?.map(Timestamp::from_micros))
    }

    /// Text of a type's grammar.
    pub(crate) fn parse<T: FromStr>(&self, column: &'static str) -> Read<T> {
        self.get::<&str>(column)?.parse().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn parse_opt<T: FromStr>(&self, column: &'static str) -> Read<Option<T>> {
        self.opt::<&str>(column)?.map(|t| t.parse().map_err(|_| self.corrupt(column))).transpose()
    }

    /// Text of a closed set of names.
    pub(crate) fn name<T>(&self, column: &'static str, of: impl FnOnce(&str) -> Option<T>) -> Read<T> {
        of(self.get(column)?).ok_or_else(|| self.corrupt(column))
    }

    pub(crate) fn name_opt<T>(&self, column: &'static str, of: impl FnOnce(&str) -> Option<T>) -> Read<Option<T>> {
        self.opt::<&str>(column)?.map(|t| of(t).ok_or_else(|| self.corrupt(column))).transpose()
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Read<T> {
        serde_json::from_str(self.get(column)?).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn json_opt<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Read<Option<T>> {
        let text = self.opt::<&str>(column)?;
        text.map(|t| serde_json::from_str(t).map_err(|_| self.corrupt(column))).transpose()
    }

    pub(crate) fn hash(&self, column: &'static str) -> Read<[u8; 32]> {
        self.get::<&[u8]>(column)?.try_into().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn hash_opt(&self, column: &'static str) -> Read<Option<[u8; 32]>> {
        let bytes = self.opt::<&[u8]>(column)?;
        bytes.map(|b| b.try_into().map_err(|_| self.corrupt(column))).transpose()
    }

    /// A value that a rule of the domain judges.
    pub(crate) fn judged<T>(&self, column: &'static str, value: zopnight_core::Result<T>) -> Read<T> {
        value.map_err(|_| self.corrupt(column))
    }
}
