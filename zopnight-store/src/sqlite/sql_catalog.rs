//! The statements on the catalog that are SQLite's own.

use crate::database::sql::Style;
use crate::database::standard::standard_catalog;
use crate::database::{CatalogSql, sql};

const STYLE: Style = Style::Question;

pub(super) static CATALOG: CatalogSql = standard_catalog!(
    STYLE,
    lock: "",
    ids: "IN (SELECT unhex(value) FROM json_each(?2))",
    position: "instr",
    nothing: "",
    {
        make_org: sql!(
            STYLE,
            "INSERT INTO zopnight_orgs (org_id, created_at) VALUES (?1, ?2) ON CONFLICT (org_id) DO NOTHING"
        ),
        insert_events: sql!(
            STYLE,
            "INSERT INTO zopnight_events
              (org_id, deployment_id, seq, at, kind, revision_id, actor_kind, actor_id, message, data)
             SELECT ?1, ?2, value ->> 0, ?3, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5,
                    value ->> 6
             FROM json_each(?4)"
        ),
        put_log: sql!(
            STYLE,
            "INSERT INTO zopnight_build_logs
              (org_id, revision_id, source, deployment_id, body, truncated, complete, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (org_id, revision_id, source) DO UPDATE SET body = excluded.body, truncated = excluded.truncated,
               complete = excluded.complete, updated_at = excluded.updated_at"
        ),
        purge_idempotency: sql!(
            STYLE,
            "DELETE FROM zopnight_idempotency
             WHERE rowid IN (SELECT rowid FROM zopnight_idempotency WHERE created_at < ?1 LIMIT 500)"
        ),
    }
);
