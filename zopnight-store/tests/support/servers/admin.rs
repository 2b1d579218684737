//! Statements by the user that may create databases.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, raw_sql};

/// Runs `sql` on a connection of its own.
///
/// # Errors
/// What the database says.
pub(crate) async fn execute(url: &str, sql: &str) -> sqlx::Result<()> {
    let sql = raw_sql(AssertSqlSafe(sql.to_owned()));
    if is_postgres(url) {
        let mut connection = PgConnection::connect(url).await?;
        sql.execute(&mut connection).await?;
        connection.close().await
    } else {
        let mut connection = MySqlConnection::connect(&url.replacen("mariadb:", "mysql:", 1)).await?;
        sql.execute(&mut connection).await?;
        connection.close().await
    }
}

/// Returns when the server answers, for at most 30 s; calls `each` before every try but the first.
pub(super) async fn ready(url: &str, each: impl Fn()) -> sqlx::Result<()> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match execute(url, "SELECT 1").await {
            Ok(()) => return Ok(()),
            Err(e) if Instant::now() > until => return Err(e),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        each();
    }
}

/// Drops a database whose test may have left connections open. From a `Drop`, hence on a thread with a runtime of its own.
pub(super) fn drop_database(admin: &str, name: &str) {
    let force = if is_postgres(admin) { " WITH (FORCE)" } else { "" };
    let (url, name_of, sql) = (admin.to_owned(), name.to_owned(), format!("DROP DATABASE IF EXISTS {name}{force}"));
    let dropping = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            if !is_postgres(&url) {
                end_sessions(&url, &name_of).await?;
            }
            execute(&url, &sql).await
        })
    });
    // A server that its test has killed keeps nothing either: its directory goes.
    if let Ok(Err(e)) = dropping.join() {
        eprintln!("the database {name} is not dropped: {e}");
    }
}

/// Ends the sessions of a MySQL database: a transaction that a test left open would keep its tables from being dropped.
async fn end_sessions(url: &str, name: &str) -> sqlx::Result<()> {
    let mut connection = MySqlConnection::connect(&url.replacen("mariadb:", "mysql:", 1)).await?;
    let ids = sqlx::query_scalar::<_, i64>("SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ?");
    for id in ids.bind(name).fetch_all(&mut connection).await? {
        // One that has ended by itself meanwhile is as good.
        let _ = raw_sql(AssertSqlSafe(format!("KILL CONNECTION {id}"))).execute(&mut connection).await;
    }
    connection.close().await
}

/// `url` with another database.
pub(super) fn with_database(url: &str, name: &str) -> String {
    let (rest, query) = url.split_once('?').map_or((url, String::new()), |(rest, query)| (rest, format!("?{query}")));
    let authority = rest.find("://").map_or(0, |at| at + 3);
    let end = rest[authority..].find('/').map_or(rest.len(), |at| authority + at);
    format!("{}/{name}{query}", &rest[..end])
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres")
}
