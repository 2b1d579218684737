//! Every statement is prepared by PostgreSQL, and none reads all jobs or sorts a line: beside 200,000 done jobs, 2,000 ready
//! and 2,000 delayed ones.

#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, query, query_scalar, raw_sql};
use zopnight_store::testing::statements;
use zopnight_store::{PostgresStore, StoreOptions};

/// Jobs of 1,000 orgs in all lanes, in the order in which time would have left them.
const FILL: &str = "
    INSERT INTO zopnight_jobs (id, org_id, lane, kind, state, place, fence, blocked_on, dedupe_key, dedupe_until, serial_key,
      deployment_id, revision_id, lease_until, payload, created_at, ready_at, started_at, finished_at)
    SELECT gen_random_uuid(), 'org-' || n % 1000,
      (ARRAY['control', 'watch', 'deploy', 'build', 'status', 'sweep'])[1 + n % 6],
      (ARRAY['cancel_run', 'watch_build', 'deploy', 'build', 'report_status', 'sweep'])[1 + n % 6],
      CASE WHEN n <= 200000 THEN 'done' WHEN n <= 202000 THEN 'ready' WHEN n <= 204000 THEN 'delayed'
           WHEN n <= 204100 THEN 'leased' WHEN n <= 204200 THEN 'blocked' ELSE 'parked' END,
      n * 1000, 1, CASE WHEN n > 204100 AND n <= 204200 THEN 'serial' END, 'key-' || n, 'finished', 'serial-' || n,
      gen_random_uuid(), gen_random_uuid(), CASE WHEN n > 204000 AND n <= 204100 THEN 1 END, repeat('x', 200), n, n, n, n
    FROM generate_series(1, 204300) AS n;
    INSERT INTO zopnight_turns (org_id, lane, last_turn)
    SELECT 'org-' || n / 6, (ARRAY['control', 'watch', 'deploy', 'build', 'status', 'sweep'])[1 + n % 6], n
    FROM generate_series(0, 5999) AS n;
    VACUUM ANALYZE zopnight_jobs; VACUUM ANALYZE zopnight_turns;";

/// Statements in whose plan a Sort would be one of a line. (`waiting_for_slot` sorts an org's few, and locks what it takes.)
const IN_ORDER: [&str; 5] = ["claim", "due", "due_seqs", "purgeable_jobs", "next_of_key"];

/// A value for a parameter: as its statement takes it, else as its type is.
fn value(statement: &str, number: usize, of: &str) -> &'static str {
    match (statement, number, of) {
        ("survivors" | "held", 1, _) => r#"'[["org-1", "key-1"], ["org-2", "key-2"]]'"#,
        ("present", 1, _) => r#"'["00000000000000000000000000000001", "00000000000000000000000000000002"]'"#,
        ("briefs" | "lock_jobs" | "still_due" | "still_expired" | "purge_jobs", 1, _) => "'[1, 2, 3, 4, 5]'",
        ("extend", 3, _) | ("finish_done", 2, _) => "'[[1, 1], [2, 1], [3, 1]]'",
        ("step" | "insert", 1, _) | ("insert_events", 4, _) => "'[]'",
        ("revisions_by_id" | "attempts", 2, _) => r#"'["00000000000000000000000000000001"]'"#,
        ("purge_jobs" | "purgeable_jobs", 2, _) => "'done'",
        ("claim" | "lock_line" | "make_line" | "take_turns" | "last_turn", 2, _)
        | ("virtual_time" | "due" | "due_one" | "due_seqs" | "purgeable_jobs", 1, _) => "'build'",
        (_, _, "text") => "'org-1'",
        (_, _, "uuid") => "'00000000-0000-0000-0000-000000000001'",
        (_, _, "boolean") => "true",
        (_, _, "bytea") => "'x'",
        _ => "100",
    }
}

/// The types of the parameters: those that the store binds where PostgreSQL cannot know them, since `$3 IS NULL` comes first.
fn types(statement: &str, text: &str) -> Vec<&'static str> {
    let of = |number: usize| match (statement, number) {
        ("count_listed" | "list_newest" | "list_oldest" | "list_by_name" | "list_by_name_backwards", 1..=5)
        | ("count_revisions" | "revisions_newest" | "revisions_oldest", 3) => "text",
        _ => "unknown",
    };
    (1..).take_while(|n| text.contains(&format!("${n}"))).map(of).collect()
}

async fn plans(connection: &mut PgConnection, name: &str, text: &str) -> Vec<String> {
    let types = types(name, text);
    let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    let prepare = format!("PREPARE it{types} AS {text}");
    connection.execute(AssertSqlSafe(prepare)).await.unwrap_or_else(|e| panic!("{name} is not prepared: {e}\n{text}"));
    let of = "SELECT unnest(parameter_types)::text FROM pg_prepared_statements WHERE name = 'it'";
    let of: Vec<String> = query_scalar(of).fetch_all(&mut *connection).await.expect("the types of its parameters");
    let values: Vec<&str> = of.iter().enumerate().map(|(at, of)| value(name, at + 1, of)).collect();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = format!("EXPLAIN EXECUTE it{values}");
    let lines = query(AssertSqlSafe(explain)).fetch_all(&mut *connection).await;
    let lines = lines.unwrap_or_else(|e| panic!("{name} is not planned: {e}\n{text}"));
    connection.execute("DEALLOCATE it").await.expect("it is forgotten");
    lines.iter().map(|line| line.get::<String, _>(0)).collect()
}

#[tokio::test]
async fn statements_use_indexes_and_never_sort_a_line() {
    let Some(server) = servers::postgres().await else { return };
    let database = server.fresh_database().await;
    let store = PostgresStore::connect(database.url(), StoreOptions::default()).await.expect("the database opens");
    let mut connection = PgConnection::connect(database.url()).await.expect("the database opens");
    for statement in FILL.split(';') {
        connection.execute(raw_sql(statement)).await.expect("the jobs are there");
    }
    let mut faults = BTreeMap::new();
    // As it is planned for the values it gets, and for any.
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let mode_set = format!("SET plan_cache_mode = {mode}");
        connection.execute(AssertSqlSafe(mode_set)).await.expect("a setting");
        let all = statements("postgres");
        assert!(all.len() > 90, "{} statements", all.len());
        for s in all {
            let plan = plans(&mut connection, s.name, s.text).await;
            let scans = plan.iter().any(|line| line.contains("Seq Scan on zopnight_jobs"));
            let sorts = IN_ORDER.contains(&s.name) && plan.iter().any(|line| line.contains("Sort"));
            if scans || sorts {
                faults.insert(format!("{} under {mode}", s.name), plan.join("\n    "));
            }
        }
    }
    let told: Vec<String> = faults.iter().map(|(name, plan)| format!("{name}\n    {plan}")).collect();
    assert!(faults.is_empty(), "{} read all jobs or sort a line\n{}", faults.len(), told.join("\n"));
    store.close().await;
}
