//! The conformance suites of a store, run for MariaDB, and for MySQL 8 where there is one.

#[path = "support/mysql.rs"]
mod mysql;
#[path = "support/servers.rs"]
mod servers;

use mysql::{mariadb, mysql8};
use zopnight_core::store_suite;

store_suite!(on_mariadb, mariadb);
store_suite!(on_mysql8, mysql8);
