//! Every statement is prepared, and none reads a whole table of jobs.

mod support;

use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use zopnight_store::{SqliteStore, StoreOptions};

/// Statements whose cost is that of what they answer: rows of a small partial index, or a whole line.
const SCANS: [&str; 0] = [];

async fn plan(pool: &SqlitePool, text: &str) -> Vec<String> {
    let explain = ["EXPLAIN QUERY PLAN ", text].concat();
    let rows = sqlx::query(AssertSqlSafe(explain)).fetch_all(pool).await;
    rows.unwrap_or_else(|e| panic!("not prepared: {e}\n{text}")).iter().map(|r| r.get::<String, _>("detail")).collect()
}

#[tokio::test]
async fn statements_use_indexes_and_never_sort_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("plans.db").display());
    let store = SqliteStore::connect(&url, StoreOptions::default()).await.unwrap();
    let pool = SqlitePool::connect(&url).await.unwrap();
    let mut faults = Vec::new();
    for s in support::statements() {
        let plan = plan(&pool, &s.text).await;
        for line in &plan {
            let scans = line.starts_with("SCAN") && !line.contains("json_each") && !line.contains("VIRTUAL TABLE");
            let scans = scans && !line.contains("CONSTANT ROW") && !line.contains("USING");
            let sorts =
                line.contains("TEMP B-TREE") && ["CLAIM", "DUE", "DUE_SEQS", "NEXT_OF_KEY"].contains(&s.name.as_str());
            if (scans || sorts) && !SCANS.contains(&s.name.as_str()) {
                faults.push(format!("{}: {line}\n    {}", s.name, plan.join("\n    ")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    store.close().await;
}
