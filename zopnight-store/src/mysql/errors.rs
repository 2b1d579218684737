//! The error numbers of MySQL and MariaDB.

use sqlx::mysql::MySqlDatabaseError;

use crate::error::Class;

pub(crate) fn class(error: &MySqlDatabaseError) -> Class {
    match error.number() {
        // A deadlock, a lock that did not come in time, a row that changed under a read.
        1213 | 1205 | 1020 => Class::Conflict,
        1062 => Class::Unique,
        1048 | 1169 | 1451 | 1452 | 3819 | 4025 => Class::Constraint,
        1040 | 1053 | 1077 | 1079 | 1152 | 1159 | 1160 | 1161 | 1184 | 1927 | 3169 => Class::Link,
        3024 | 1969 | 1317 => Class::Timeout,
        1114 | 1021 | 1290 | 1836 => Class::Storage,
        _ => Class::Other,
    }
}
