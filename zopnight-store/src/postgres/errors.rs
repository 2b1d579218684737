//! PostgreSQL's SQLSTATE codes.

use sqlx::postgres::PgDatabaseError;

use crate::error::Class;

pub(crate) fn class(error: &PgDatabaseError) -> Class {
    match error.code() {
        "40001" | "40P01" | "55P03" => Class::Conflict,
        "23505" => Class::Unique,
        "57P01" | "57P02" | "57P03" | "53300" => Class::Link,
        "57014" => Class::Timeout,
        "53100" | "25006" => Class::Storage,
        code if code.starts_with("23") => Class::Constraint,
        code if code.starts_with("08") => Class::Link,
        _ => Class::Other,
    }
}
