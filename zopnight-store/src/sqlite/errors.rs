//! SQLite's result codes.

use sqlx::error::DatabaseError as _;
use sqlx::sqlite::SqliteError;

use crate::error::Class;

/// The low byte is the primary code.
pub(crate) fn class(error: &SqliteError) -> Class {
    const UNIQUE: [u32; 3] = [1_555, 2_067, 2_579];
    let code = error.code().and_then(|c| c.parse::<u32>().ok()).unwrap_or(0);
    match code & 0xFF {
        5 | 6 => Class::Conflict,
        19 if UNIQUE.contains(&code) => Class::Unique,
        19 => Class::Constraint,
        8 | 10 | 13 | 14 => Class::Storage,
        _ => Class::Other,
    }
}
