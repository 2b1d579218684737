//! Every statement is prepared by MariaDB or MySQL; none reads all jobs, and none that locks sorts.

#[path = "support/servers.rs"]
mod servers;

use sqlx::{AssertSqlSafe, Executor as _, MySqlPool, Row as _, SqlSafeStr as _};
use zopnight_store::testing::statements;
use zopnight_store::{MySqlStore, StoreOptions};

/// What a jobs table is called in the statements.
const JOBS: [&str; 5] = ["zopnight_jobs", "j", "h", "w", "r"];

/// A queue as it is after a while: much is done, some is ready, delayed, leased and blocked.
const ROWS: &str = "INSERT INTO zopnight_jobs
      (id, org_id, lane, kind, state, place, fence, lease_until, blocked_on, dedupe_key, dedupe_until, serial_key, revision_id,
       payload, created_at, ready_at)
     SELECT UNHEX(LPAD(HEX(n), 32, '0')), CONCAT('org', n % 7), IF(n % 3 = 0, 'deploy', 'build'),
      IF(n % 3 = 0, 'deploy', 'build'), state, n, IF(state = 'leased', 1, 0), IF(state = 'leased', n, NULL),
      IF(state = 'blocked', 'serial', NULL), CONCAT('key:', n), 'finished', CONCAT('serial:', n), UNHEX(LPAD(HEX(n), 32, '0')),
      '{}', 0, 0
     FROM (SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n,
            CASE WHEN d.n = 0 THEN 'ready' WHEN d.n = 1 THEN 'delayed' WHEN d.n = 2 AND c.n = 0 THEN 'leased'
                 WHEN d.n = 2 AND c.n = 1 THEN 'blocked' ELSE 'done' END AS state
           FROM JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS a,
            JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS b,
            JSON_TABLE('[0,1,2,3,4,5,6,7,8,9]', '$[*]' COLUMNS (n INT PATH '$')) AS c,
            JSON_TABLE('[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]', '$[*]' COLUMNS (n INT PATH '$')) AS d) AS x";

const HEX: &str = "0000000000000000000000000000000a";

/// A likely value of the parameter between `before` and `after`.
fn value(before: &str, after: &str) -> String {
    if before.ends_with("JSON_TABLE(") {
        let columns = after.split(") AS ").next().unwrap_or_default();
        return if columns.contains("$.seq") {
            "'[{\"seq\":10,\"old\":\"ready\",\"was\":0,\"new\":\"leased\",\"place\":1,\"fence\":1}]'".to_owned()
        } else if columns.contains("org VARCHAR") {
            "'[[\"org3\",\"key:10\"],[\"org1\",\"serial:8\"]]'".to_owned()
        } else if columns.contains("'$[1]'") {
            "'[[10,0],[11,0],[12,0]]'".to_owned()
        } else if columns.contains("CHAR(32)") {
            format!("'[\"{HEX}\"]'")
        } else {
            "'[10,11,12]'".to_owned()
        };
    }
    let word = before.trim_end_matches([' ', '=', '<', '>']);
    let column = word.rsplit([' ', '(', '.', ',']).next().unwrap_or_default();
    match column {
        "lane" => "'build'".to_owned(),
        "state" => "'done'".to_owned(),
        "org_id" | "open_org" => "'org3'".to_owned(),
        "dedupe_live" | "dedupe_key" => "'key:10'".to_owned(),
        "serial_live" | "serial_key" => "'serial:10'".to_owned(),
        "id" | "revision_id" | "deployment_id" | "jti" => format!("UNHEX('{HEX}')"),
        "LIMIT" => "20".to_owned(),
        "OFFSET" => "0".to_owned(),
        "place" | "lease_until" | "seq" => "500".to_owned(),
        _ => "1".to_owned(),
    }
}

/// The statement with values in the place of its parameters.
fn with_values(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('?') {
        out.push_str(before);
        let value = value(&out, after);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    out
}

async fn plan(pool: &MySqlPool, text: &str) -> Vec<Vec<String>> {
    let explain = format!("EXPLAIN {}", with_values(text));
    let rows = sqlx::raw_sql(AssertSqlSafe(explain.clone())).fetch_all(pool).await;
    let rows = rows.unwrap_or_else(|e| panic!("not explained: {e}\n{explain}"));
    let cell = |row: &sqlx::mysql::MySqlRow, name: &str| row.get::<Option<String>, _>(name).unwrap_or_default();
    rows.iter().map(|row| ["table", "type", "key", "Extra"].map(|name| cell(row, name)).to_vec()).collect()
}

#[tokio::test]
async fn mysql_finds_jobs_by_an_index_and_locks_without_sorting() {
    let Some(server) = servers::mysql().await else { return };
    let database = server.fresh_database().await;
    let store = MySqlStore::connect(database.url(), StoreOptions::default()).await.expect("the database opens");
    let pool = MySqlPool::connect(database.url()).await.expect("the database opens");
    sqlx::query(ROWS).execute(&pool).await.expect("the rows are stored");
    pool.execute("ANALYZE TABLE zopnight_jobs").await.expect("the table is analysed");
    let mut faults = Vec::new();
    let mut on_jobs = 0;
    for s in statements("mysql") {
        pool.acquire().await.unwrap().prepare(AssertSqlSafe(s.text).into_sql_str()).await.map(drop).unwrap_or_else(|e| {
            panic!("{} is not prepared: {e}\n{}", s.name, s.text);
        });
        if !s.text.contains("zopnight_jobs") || s.text.starts_with("INSERT") {
            continue;
        }
        on_jobs += 1;
        let locks = s.text.contains("FOR UPDATE") || s.text.starts_with("UPDATE") || s.text.starts_with("DELETE");
        let plan = plan(&pool, s.text).await;
        for line in &plan {
            let [table, kind, _, extra] = line.as_slice() else { unreachable!("four columns") };
            let scans = JOBS.contains(&table.as_str()) && ["ALL", "index"].contains(&kind.as_str());
            let sorts = locks && extra.contains("Using filesort");
            if scans || sorts {
                faults.push(format!("{}: {line:?}\n    {plan:?}\n{}", s.name, s.text));
            }
        }
    }
    assert!(on_jobs > 40, "only {on_jobs} statements on jobs");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    store.close().await;
}
