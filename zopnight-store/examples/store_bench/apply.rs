//! One push: a revision, its events and its job in one transaction.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zopnight_core::domain::{Applied, DeploymentId, OrgId, RevisionChange, RevisionId, RevisionPatch, RevisionState};
use zopnight_core::ports::Store;
use zopnight_core::testing::suites::fixtures;

use crate::Plan;
use crate::jobs::clear;
use crate::raw::Raw;
use crate::table::{Table, rate};

type Done = Result<(), Box<dyn Error + Send + Sync>>;

const CLIENTS: u32 = 8;
const DEPLOYMENTS: u32 = 48;

/// Deployments that one client pushes to, one after the other, so that none meets a stale version.
struct Client {
    org: OrgId,
    apps: Vec<(DeploymentId, u32)>,
}

impl Client {
    async fn new(store: &dyn Store, index: u32) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut apps = Vec::new();
        let org = fixtures::org(&format!("tenant-{index}"));
        for n in 0..DEPLOYMENTS / CLIENTS {
            let id = fixtures::deployment_id();
            let name = format!("app-{index}-{n}-{}", id.as_uuid().simple());
            committed(&store.apply(fixtures::create(&org, id, name.get(..40).unwrap_or(&name))).await?);
            apps.push((id, 1));
        }
        Ok(Self { org, apps })
    }

    async fn push(&mut self, store: &dyn Store, round: u32) -> Done {
        let org = &self.org;
        let at = usize::try_from(round)? % self.apps.len();
        let (id, newest) = self.apps[at];
        let revision: RevisionId = fixtures::revision_id();
        let mut change = fixtures::with_revision(RevisionChange::new(org.clone(), id), revision, newest + 1);
        change = change.with_follow_up(fixtures::build_job(org, id, revision));
        for view in store.unfinished(org, id).await? {
            let patch = RevisionPatch { superseded_by: Some(revision), ..RevisionPatch::default() };
            change = change.with_revision(fixtures::step(&view, RevisionState::Superseded, patch));
            change = change.with_event(fixtures::told(view.revision.id, RevisionState::Superseded));
        }
        committed(&store.apply(change).await?);
        self.apps[at].1 = newest + 1;
        Ok(())
    }
}

fn committed(applied: &Applied) {
    assert!(matches!(applied, Applied::Committed(_)), "{applied:?}");
}

pub(crate) async fn push(plan: &Plan, store: &Arc<dyn Store>, raw: &Raw, table: &mut Table) -> Done {
    let each = plan.jobs / 10 / CLIENTS;
    let mut rounds = Vec::new();
    raw_tables(raw).await?;
    for _ in 0..plan.rounds {
        let mut clients = Vec::new();
        for index in 0..CLIENTS {
            clients.push(Client::new(&**store, index).await?);
        }
        let begin = Instant::now();
        let pushes = clients.iter_mut().map(async |client| {
            for round in 0..each {
                client.push(&**store, round).await?;
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        });
        futures_util::future::try_join_all(pushes).await?;
        let ours = rate(each * CLIENTS, begin.elapsed());
        let begin = Instant::now();
        let pushes = (0..CLIENTS).map(async |_| {
            for _ in 0..each {
                push_raw(raw).await?;
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        });
        futures_util::future::try_join_all(pushes).await?;
        rounds.push((ours, rate(each * CLIENTS, begin.elapsed())));
        clear(raw).await?;
    }
    table.ratio("apply (push) on 48 deployments of 8 tenants, 8 clients", "pushes/s", &rounds, [0.5; 3]);
    Ok(())
}

async fn raw_tables(raw: &Raw) -> Done {
    let (id, text) = match raw {
        Raw::Sqlite(_) => ("BLOB", "TEXT"),
        Raw::MySql(_) => ("BINARY(16)", "VARCHAR(64)"),
        Raw::Postgres(_) => ("UUID", "TEXT"),
    };
    for table in [
        format!("CREATE TABLE raw_deployments (id BIGINT PRIMARY KEY, version BIGINT, newest {id})"),
        format!("CREATE TABLE raw_revisions (id {id} PRIMARY KEY, app BIGINT, number BIGINT, state {text}, snapshot TEXT)"),
        "CREATE INDEX raw_numbers ON raw_revisions (app, number)".to_owned(),
        format!(
            "CREATE TABLE raw_events (app BIGINT, seq BIGINT, kind {text}, message TEXT, data TEXT, PRIMARY KEY (app, seq))"
        ),
    ] {
        raw.run(&table).await?;
    }
    for app in 0..DEPLOYMENTS {
        raw.run(&format!("INSERT INTO raw_deployments VALUES ({app}, 0, NULL)")).await?;
    }
    Ok(())
}

static NEXT: AtomicU32 = AtomicU32::new(1);

macro_rules! pushed {
    ($pool:expr, $mark:expr, $n:expr) => {{
        let app = i64::from($n % DEPLOYMENTS);
        let n = i64::from($n);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, &n.to_be_bytes());
        let sql = |text: &str| AssertSqlSafe(marked(text, $mark));
        let snapshot = "x".repeat(600);
        let mut tx = $pool.begin().await?;
        sqlx::query(sql("SELECT id, number, state, snapshot FROM raw_revisions WHERE app = ? AND number = ?"))
            .bind(app)
            .bind(n - i64::from(DEPLOYMENTS))
            .fetch_all(&mut *tx)
            .await?;
        sqlx::query(sql("INSERT INTO raw_revisions VALUES (?, ?, ?, 'queued', ?)"))
            .bind(id)
            .bind(app)
            .bind(n)
            .bind(&snapshot)
            .execute(&mut *tx)
            .await?;
        sqlx::query(sql("UPDATE raw_revisions SET state = 'superseded' WHERE app = ? AND number = ?"))
            .bind(app)
            .bind(n - i64::from(DEPLOYMENTS))
            .execute(&mut *tx)
            .await?;
        for event in 0..3 {
            sqlx::query(sql("INSERT INTO raw_events VALUES (?, ?, 'revision.queued', 'a revision', '{}')"))
                .bind(app)
                .bind(n * 3 + event)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query(sql("INSERT INTO raw_jobs (id, org_id, lane, kind, state, place, payload, created_at, ready_at)
             VALUES (?, 'acme', 'build', 'build', 'ready', ?, '{}', 1, 1)"))
        .bind(id)
        .bind(n)
        .execute(&mut *tx)
        .await?;
        sqlx::query(sql("UPDATE raw_deployments SET version = version + 1, newest = ? WHERE id = ?"))
            .bind(id)
            .bind(app)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }};
}

/// PostgreSQL numbers its marks.
fn marked(text: &str, numbered: bool) -> String {
    if !numbered {
        return text.to_owned();
    }
    let mut parts = text.split('?');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (n, part) in parts.enumerate() {
        out.push_str(&format!("${}", n + 1));
        out.push_str(part);
    }
    out
}

async fn push_raw(raw: &Raw) -> sqlx::Result<()> {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    match raw {
        Raw::Sqlite(pool) => pushed!(pool, false, n),
        Raw::MySql(pool) => pushed!(pool, false, n),
        Raw::Postgres(pool) => pushed!(pool, true, n),
    }
}
