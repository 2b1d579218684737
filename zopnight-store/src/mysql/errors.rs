//! The error numbers of MySQL and MariaDB.

use sqlx::Error;
use sqlx::mysql::MySqlDatabaseError;

use crate::error::Class;

pub(crate) fn class(error: &MySqlDatabaseError) -> Class {
    match error.number() {
        // A deadlock, a lock that did not come in time, a row that changed under a read.
        1213 | 1205 | 1020 => Class::Conflict,
        1062 => Class::Unique,
        1048 | 1169 | 1451 | 1452 | 3819 | 4025 => Class::Constraint,
        1040 | 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 3169 | 4031 => Class::Link,
        3024 | 1969 | 1317 => Class::Timeout,
        1114 | 1021 | 1290 | 1792 | 1836 => Class::Storage,
        _ => Class::Other,
    }
}

/// The server's number of an error, if it is the server's.
pub(super) fn number(error: &Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}
