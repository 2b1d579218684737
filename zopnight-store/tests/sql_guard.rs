//! Every statement on a tenant's table names the tenant, and no statement is put together at run time.

mod support;

use std::fs;

const TENANT_TABLES: [&str; 6] = [
    "zopnight_deployments",
    "zopnight_revisions",
    "zopnight_build_attempts",
    "zopnight_build_logs",
    "zopnight_events",
    "zopnight_idempotency",
];

/// The cross-tenant calls: following, sweep_page, purge.
const CROSS_TENANT: [&str; 5] = ["FOLLOWING", "TRACKED", "STALLED", "PURGE_IDEMPOTENCY", "PURGEABLE"];

#[test]
fn statements_on_tenant_tables_name_the_tenant() {
    let statements = support::statements();
    assert!(statements.len() > 60, "only {} statements were found", statements.len());
    let mut excepted = Vec::new();
    for s in &statements {
        if !TENANT_TABLES.iter().any(|table| s.text.contains(table)) {
            continue;
        }
        if CROSS_TENANT.contains(&s.name.as_str()) {
            excepted.push(s.name.as_str());
            continue;
        }
        let inserts = s.text.starts_with("INSERT INTO") && s.text.contains("(org_id");
        let asks = s.text.replace(char::is_whitespace, "").contains("org_id=?1");
        assert!(inserts || asks, "{} does not name the tenant:\n{}", s.name, s.text);
    }
    excepted.sort_unstable();
    let mut listed = CROSS_TENANT;
    listed.sort_unstable();
    assert_eq!(excepted, listed, "an exception that is not needed");
}

#[test]
fn statements_are_constants_without_the_sessions_clock() {
    for s in support::statements() {
        let upper = s.text.to_uppercase();
        for banned in ["CURRENT_TIMESTAMP", "NOW()", "STRFTIME", "SELECT *", "DATETIME('"] {
            assert!(!upper.contains(banned), "{} uses {banned}", s.name);
        }
        let inserts = upper.starts_with("INSERT INTO");
        assert!(!inserts || upper.contains('('), "{} inserts without a list of columns", s.name);
    }
    for file in support::files() {
        let source = fs::read_to_string(&file).unwrap();
        for banned in ["format!", "AssertSqlSafe", "String", "push_str"] {
            assert!(!source.contains(banned), "{} holds {banned}", file.display());
        }
    }
}
