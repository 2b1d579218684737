//! Every statement is prepared, and none reads a whole table of jobs.

use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use zopnight_store::{SqliteStore, StoreOptions};

/// Statements whose cost is that of what they answer: rows of a small partial index, or a whole line.
const SCANS: [&str; 0] = [];

/// Sub-queries of a row or of one row a lane.
const ONE_ROW: [&str; 2] = ["SCAN o", "SCAN d"];

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
    for s in zopnight_store::testing::statements("sqlite") {
        let plan = plan(&pool, s.text).await;
        for line in &plan {
            let scans = line.starts_with("SCAN") && !line.contains("json_each") && !line.contains("VIRTUAL TABLE");
            let scans =
                scans && !line.contains("CONSTANT ROW") && !line.contains("USING") && !ONE_ROW.contains(&line.as_str());
            let sorts = line.contains("TEMP B-TREE") && ["claim", "due", "due_seqs", "next_of_key"].contains(&s.name);
            if (scans || sorts) && !SCANS.contains(&s.name) {
                faults.push(format!("{}: {line}\n    {}", s.name, plan.join("\n    ")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    store.close().await;
}
