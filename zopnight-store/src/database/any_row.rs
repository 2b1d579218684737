//! A row of any database, read by column.

use uuid::Uuid;

/// A column that is not there, or of another type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreadable;

/// What a row must answer. `None` is SQL's NULL.
pub(crate) trait AnyRow: Send + Sync {
    fn int(&self, column: &str) -> Result<Option<i64>, Unreadable>;
    fn text(&self, column: &str) -> Result<Option<&str>, Unreadable>;
    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, Unreadable>;
    fn id(&self, column: &str) -> Result<Option<Uuid>, Unreadable>;
    fn flag(&self, column: &str) -> Result<Option<bool>, Unreadable>;
}

/// A type that a cell can be read as.
pub(crate) trait Cell<'r>: Sized {
    fn read(row: &'r dyn AnyRow, column: &str) -> Result<Option<Self>, Unreadable>;
}

macro_rules! cell {
    ($($type:ty: $method:ident),+ $(,)?) => {
        $(impl<'r> Cell<'r> for $type {
            fn read(row: &'r dyn AnyRow, column: &str) -> Result<Option<Self>, Unreadable> {
                row.$method(column)
            }
        })+
    };
}

cell!(i64: int, &'r str: text, &'r [u8]: bytes, Uuid: id, bool: flag);

impl<'r> Cell<'r> for String {
    fn read(row: &'r dyn AnyRow, column: &str) -> Result<Option<Self>, Unreadable> {
        Ok(row.text(column)?.map(str::to_owned))
    }
}
