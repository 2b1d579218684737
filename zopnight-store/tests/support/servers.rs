//! MariaDB, MySQL and PostgreSQL for tests.
//!
//! A server is the one that an environment variable names ([`mysql`], [`mysql8`], [`postgres`] say which), whose user may
//! create databases; or a private one, started once per test binary from the programs of the machine, on a unix socket, with
//! full durability, in a temporary directory. Nothing of a private server outlives the test process, however it ends.
//!
//! ```text
//! let Some(server) = servers::mysql().await else { return };
//! let database = server.fresh_database().await;
//! let store = zopnight_store::connect(database.url(), StoreOptions::default()).await?;
//! ```

#[path = "servers/admin.rs"]
mod admin;
#[path = "servers/private.rs"]
mod private;
#[path = "servers/programs.rs"]
mod programs;

use std::fmt;

use tokio::sync::OnceCell;
use zopnight_core::testing::skipped;

pub(crate) use admin::execute;
use private::Private;

/// Which protocol and dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// MariaDB or MySQL.
    Mysql,
    Postgres,
}

/// A server whose user may create databases.
pub(crate) struct Server {
    kind: Kind,
    admin: String,
    private: Option<Private>,
}

/// A database of one test; dropped with this value.
pub(crate) struct Database {
    admin: String,
    name: String,
    url: String,
}

/// The MariaDB (or MySQL) server of this test binary: `ZOPNIGHT_TEST_MYSQL_URL`, else a private one. Without either the
/// skip is told, which fails under `ZOPNIGHT_REQUIRE_SERVICES=1`.
pub(crate) async fn mysql() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    shared(&SERVER, Kind::Mysql, "ZOPNIGHT_TEST_MYSQL_URL").await
}

/// The PostgreSQL server of this test binary: `ZOPNIGHT_TEST_POSTGRES_URL`, else a private one. Without either the skip is
/// told, which fails under `ZOPNIGHT_REQUIRE_SERVICES=1`.
pub(crate) async fn postgres() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    shared(&SERVER, Kind::Postgres, "ZOPNIGHT_TEST_POSTGRES_URL").await
}

/// MySQL 8, only by `ZOPNIGHT_TEST_MYSQL8_URL`: Debian has no package of it, so its absence never fails.
pub(crate) async fn mysql8() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    let found = SERVER.get_or_init(async || named(Kind::Mysql, "ZOPNIGHT_TEST_MYSQL8_URL").await).await.as_ref();
    if found.is_none() {
        let thread = std::thread::current();
        eprintln!("skipped: {}: ZOPNIGHT_TEST_MYSQL8_URL is not set", thread.name().unwrap_or("a test"));
    }
    found
}

/// A MariaDB server of its own, to be killed and restarted; `None` where the machine has none, which is told.
pub(crate) async fn private_mysql() -> Option<Server> {
    told(Kind::Mysql, own(Kind::Mysql).await)
}

/// A PostgreSQL server of its own, to be killed and restarted; `None` where the machine has none, which is told.
pub(crate) async fn private_postgres() -> Option<Server> {
    told(Kind::Postgres, own(Kind::Postgres).await)
}

async fn shared(cell: &'static OnceCell<Option<Server>>, kind: Kind, variable: &str) -> Option<&'static Server> {
    let start = async || match named(kind, variable).await {
        Some(server) => Some(server),
        None => own(kind).await,
    };
    told(kind, cell.get_or_init(start).await.as_ref())
}

fn told<T>(kind: Kind, found: Option<T>) -> Option<T> {
    if found.is_none() {
        skipped(match kind {
            Kind::Mysql => "no mariadbd or mysqld on PATH",
            Kind::Postgres => "no postgres on PATH",
        });
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "where the servers of a test run are, not configuration of a library")]
async fn named(kind: Kind, variable: &str) -> Option<Server> {
    let admin = std::env::var(variable).ok().filter(|url| !url.is_empty())?;
    admin::ready(&admin, || {}).await.unwrap_or_else(|e| panic!("{variable} names a server that does not answer: {e}"));
    Some(Server { kind, admin, private: None })
}

async fn own(kind: Kind) -> Option<Server> {
    let private = Private::prepare(programs::find(kind)?);
    let server = Server { kind, admin: private.url(), private: Some(private) };
    server.restart().await;
    Some(server)
}

impl Server {
    /// Which protocol and dialect.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The URL of the user that may create databases, for [`execute`].
    pub(crate) fn admin_url(&self) -> &str {
        &self.admin
    }

    /// Whether it was started by this test binary and ends with it, with all its databases.
    pub(crate) const fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Creates `zn_<random>`.
    pub(crate) async fn fresh_database(&self) -> Database {
        let name = format!("zn_{:016x}", programs::random());
        execute(&self.admin, &format!("CREATE DATABASE {name}")).await.expect("the user may create databases");
        Database { admin: self.admin.clone(), url: admin::with_database(&self.admin, &name), name }
    }

    /// Kills a private server as a power cut does: nothing is flushed, no client is told.
    pub(crate) fn kill_9(&self) {
        self.own().kill();
    }

    /// Starts a private server that does not run, on the data it had, and waits until it answers.
    pub(crate) async fn restart(&self) {
        let own = self.own();
        own.start();
        if let Err(e) = admin::ready(&self.admin, || own.start_if_gone()).await {
            panic!("the server does not answer within 30 s: {e}\n{}", own.log());
        }
    }

    /// The process id of a private server that runs.
    pub(crate) fn pid(&self) -> u32 {
        self.own().pid()
    }

    fn own(&self) -> &Private {
        self.private.as_ref().expect("only a private server is started and killed")
    }
}

impl Database {
    /// `zn_<random>`
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is; may hold a password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        admin::drop_database(&self.admin, &self.name);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("kind", &self.kind).field("private", &self.private.is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.name).finish()
    }
}

// Each test binary that shares this module uses a part of it.
const _: () = {
    let _ = (mysql, mysql8, postgres, private_mysql, private_postgres);
    let _ = (
        Server::kind,
        Server::is_private,
        Server::admin_url,
        Server::fresh_database,
        Server::kill_9,
        Server::pid,
        Database::url,
        Database::name,
    );
};
