//! A host's own pool: whatever its sessions are set to, the store works on them and leaves them as they were.

#[path = "support/mysql.rs"]
mod mysql;
#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use mysql::{host, hosted};
use sqlx::Row as _;
use zopnight_core::domain::{Budget, ClaimRequest, Finish, Lane, OrgId, Outcome, Want, WorkerId};
use zopnight_core::ports::{JobQueue as _, RevisionStore as _};
use zopnight_core::store_suite;
use zopnight_core::testing::suites::fixtures;
use zopnight_store::{MySqlStore, StoreOptions};

store_suite!(on_a_mysql_hosts_pool, hosted);

/// All that a session can set, but for what moves by itself.
const SESSION: &str =
    "SHOW SESSION VARIABLES WHERE variable_name NOT LIKE '%timestamp%' AND variable_name NOT LIKE '%insert_id%'
    AND variable_name NOT IN ('rand_seed1', 'rand_seed2', 'warning_count', 'error_count', 'last_gtid', 'pseudo_thread_id',
     'in_transaction', 'identity', 'gtid_binlog_pos', 'gtid_binlog_state', 'gtid_current_pos', 'innodb_status_output')";

async fn session(pool: &sqlx::MySqlPool) -> Vec<(String, String)> {
    let rows = sqlx::query(SESSION).fetch_all(pool).await.expect("the variables are read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_mysql_hosts_connection_is_left_as_it_was() {
    let Some(server) = servers::mysql().await else { return };
    let database = server.fresh_database().await;
    let pool = host(database.url(), 1).await;
    let before = session(&pool).await;
    let of = |name: &str| before.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    assert_eq!(of("time_zone").as_deref(), Some("+05:30"));
    assert_eq!(of("tx_isolation").or(of("transaction_isolation")).as_deref(), Some("REPEATABLE-READ"));
    let store = MySqlStore::from_pool(pool.clone(), StoreOptions::default()).await.expect("the database opens");
    let org = OrgId::parse("acme").expect("an org");
    let id = fixtures::deployment_id();
    store.apply(fixtures::create(&org, id, "shop")).await.map(drop).expect("a deployment is created");
    store.deployment(&org, id).await.expect("it is there");
    let want = vec![Want { lane: Lane::Build, max: 5 }];
    let worker = WorkerId::parse("worker-1").expect("a worker id");
    let lease = Duration::from_secs(30);
    let leases = store.claim(&ClaimRequest { worker, want, lease }).await.expect("a claim is answered");
    assert_eq!(leases.len(), 1);
    store.extend(&[leases[0].job], lease).await.expect("an extend is answered");
    store.finish(vec![Finish { lease: leases[0].job, outcome: Outcome::Done }]).await.expect("a finish is answered");
    let budget = Budget { time: Duration::from_secs(5), purge: true };
    store.maintain(&budget).await.expect("housekeeping is done");
    store.migrate().await.expect("there is nothing to do");
    assert_eq!(session(&pool).await, before);
    let open: i64 = sqlx::query_scalar("SELECT @@SESSION.autocommit").fetch_one(&pool).await.expect("a variable");
    assert_eq!(open, 1);
}
