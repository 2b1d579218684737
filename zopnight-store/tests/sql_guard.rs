//! Every statement on a tenant's table names the tenant, and no statement is put together at run time.

use std::fs;
use std::path::{Path, PathBuf};

use zopnight_store::testing::statements;

const BACKENDS: [&str; 3] = ["sqlite", "mysql", "postgres"];

const TENANT_TABLES: [&str; 6] = [
    "zopnight_deployments",
    "zopnight_revisions",
    "zopnight_build_attempts",
    "zopnight_build_logs",
    "zopnight_events",
    "zopnight_idempotency",
];

/// The cross-tenant calls: following, sweep_page, purge.
const CROSS_TENANT: [&str; 5] = ["following", "purge_idempotency", "purgeable", "stalled", "tracked"];

#[test]
fn statements_on_tenant_tables_name_the_tenant() {
    for backend in BACKENDS {
        let statements = statements(backend);
        assert!(statements.len() > 80, "only {} statements of {backend}", statements.len());
        let mut excepted = Vec::new();
        for s in &statements {
            if !TENANT_TABLES.iter().any(|table| s.text.contains(table)) {
                continue;
            }
            if CROSS_TENANT.contains(&s.name) {
                excepted.push(s.name);
                continue;
            }
            let inserts = s.text.starts_with("INSERT INTO") && s.text.contains("(org_id");
            let text = s.text.replace(char::is_whitespace, "");
            let asks = ["org_id=?", "org_id=$1"].iter().any(|ask| text.contains(ask));
            assert!(inserts || asks, "{backend}: {} does not name the tenant:\n{}", s.name, s.text);
        }
        excepted.sort_unstable();
        assert_eq!(excepted, CROSS_TENANT, "{backend}: an exception that is not needed");
    }
}

#[test]
fn statements_read_no_clock_of_the_session_and_name_their_columns() {
    for backend in BACKENDS {
        for s in statements(backend) {
            let upper = s.text.to_uppercase();
            for banned in ["CURRENT_TIMESTAMP", "NOW()", "UNIX_TIMESTAMP", "STRFTIME", "SELECT *", "DATETIME('"] {
                assert!(!upper.contains(banned), "{backend}: {} uses {banned}", s.name);
            }
            let inserts = upper.starts_with("INSERT INTO");
            assert!(!inserts || upper.contains('('), "{backend}: {} inserts without a list of columns", s.name);
        }
    }
}

/// The statements that write jobs, each with what follows its WHERE.
fn writes(backend: &str) -> Vec<(&'static str, &'static str)> {
    let of_jobs = |s: &&zopnight_store::testing::Statement| {
        s.text.contains("zopnight_jobs") && ["UPDATE", "DELETE", "WITH"].iter().any(|verb| s.text.starts_with(verb))
    };
    let guarded =
        |s: zopnight_store::testing::Statement| (s.name, s.text.split_once("WHERE").map_or("", |(_, guard)| guard));
    statements(backend).iter().filter(of_jobs).copied().map(guarded).collect()
}

#[test]
fn every_write_to_a_job_repeats_the_state_it_expects() {
    for backend in BACKENDS {
        let writes = writes(backend);
        assert!(writes.len() >= 9, "only {writes:?}");
        for (name, guard) in writes {
            assert!(guard.contains("state = "), "{backend}: {name} writes a job in whatever state");
        }
    }
}

#[test]
fn every_write_under_a_lease_names_its_fence() {
    for backend in BACKENDS {
        let named = ["step", "extend", "finish_done"];
        let writes: Vec<_> = writes(backend).into_iter().filter(|(name, _)| named.contains(name)).collect();
        assert_eq!(writes.len(), named.len(), "{backend}: {writes:?}");
        for (name, guard) in writes {
            assert!(guard.contains("fence = "), "{backend}: {name} writes under any fence");
        }
    }
}

#[test]
fn claims_wait_for_nobody() {
    let text = |backend, name| statements(backend).into_iter().find(|s| s.name == name).map_or("", |s| s.text);
    for claim in [text("mysql", "pick"), text("postgres", "claim")] {
        assert!(claim.contains("FOR UPDATE SKIP LOCKED"), "{claim}");
    }
}

/// The files that hold statements.
fn files() -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("database/standard.rs")];
    for backend in BACKENDS {
        let entries = fs::read_dir(source.join(backend)).expect("the source is there");
        let paths = entries.map(|e| e.expect("an entry").path());
        files.extend(paths.filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("sql_"))));
    }
    files
}

#[test]
fn statements_are_constants() {
    let files = files();
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for banned in ["format!", "AssertSqlSafe", "String", "push_str"] {
            assert!(!source.contains(banned), "{} holds {banned}", file.display());
        }
    }
}
